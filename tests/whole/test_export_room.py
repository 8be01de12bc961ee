"""An engine that writes an image to its own disk before it gives it is not asked where that disk has no room for it."""

from pathlib import Path

import pytest

from tests.rig.engines.disks import SmallDisk
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep

MB = 1_000_000
POLICY = """
version = 1
[target]
free = "1MB"
order = ["image"]
older_than = "0s"
spare_registry_less = false
[archive]
folder = "{folder}"
"""


@pytest.mark.engines
def test_a_full_disk_is_filled_no_further_by_an_export(tmp_path: Path) -> None:
    with Engine(kind("docker-28.5"), disks=(SmallDisk("", "ext4", 200 * MB),)) as engine:
        litter = Litter(engine)
        litter.image("large:1", layers={"a": 75 * MB})
        volume = engine.wire.call("GET", f"/volumes/{litter.anonymous_volume()}")
        (Path(volume["Mountpoint"]) / "filling").write_bytes(bytes(60 * MB))
        flags = ("--yes", "--yes-first-time", "--policy", "-", "--format", "json")
        policy = POLICY.format(folder=tmp_path / "archive")
        with engine.recorder.recording() as recording:
            run = dockersweep("sweep", *flags, host=engine.url, stdin=policy)
        assert run.status == 3, run.stderr
        assert not [request for request in recording.requests if request.path.endswith("/get")]
        document = run.json()
        [outcome] = document["outcomes"]
        assert outcome["status"] == "skipped"
        assert "the engine writes an image there before it gives it (up to 75.0 MB)" in outcome["detail"]
        assert "image large:1 stays: not archived: the engine's disk has" in document["target"]["text"]
