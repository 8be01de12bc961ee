"""Images that containers mount: no engine refuses to remove them, so dockersweep must not ask for it."""

import re
import threading
from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.recorder import Request
from tests.rig.running import dockersweep

ALL = ("--all-images", "--older-than", "0s")


def verdicts(engine: Engine) -> dict[str, Any]:
    plan = dockersweep("plan", "--format", "json", "--kind", "image", *ALL, host=engine.url).json()
    return {one["id"]: one for one in plan["decisions"] if one["kind"] == "image"}


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("short", [True, False])
def test_a_mounted_image_stays(engine: Engine, litter: Litter, running: bool, short: bool) -> None:
    made = litter.image("data:1", layers={"data": 1000})
    other = litter.image("other:1", layers={"other": 1000})
    reference = made.removeprefix("sha256:")[:12] if short else litter.image_tags(made)[0]
    litter.mounting_container("user", reference, state="running" if running else "created")
    told = verdicts(engine)
    assert (told[made]["verdict"], told[other]["verdict"]) == ("keep", "remove")
    # Podman mounts it on the host for a container that runs, and both are told.
    assert any("used by container" in one["text"] for one in told[made]["reasons"])
    run = dockersweep("sweep", "--yes", "--kind", "image", *ALL, host=engine.url)
    assert run.status == 0
    left = engine.docker("images", "-aq", "--no-trunc").stdout
    assert made in left
    assert other not in left


def test_a_mounted_image_stays_when_its_tag_has_moved(engine: Engine, litter: Litter) -> None:
    old = litter.image("moved:1", layers={"old": 1000})
    litter.mounting_container("user", litter.image_tags(old)[0], state="running")
    new = litter.image("moved:1", layers={"new": 1000})
    told = verdicts(engine)
    assert {told[old]["verdict"], told[new]["verdict"]} == {"keep"}
    assert any("may be what container" in one["text"] for one in told[old]["reasons"])


SHAPES: tuple[tuple[str, ...], ...] = ((), ("a/{}:1",), ("{}:1", "{}:2"), ("localhost:5000/team/{}:1",))


def test_an_image_that_is_mounted_after_the_scan_stays_whatever_names_it_has(engine: Engine, litter: Litter) -> None:
    held, free = (
        [
            litter.image(tags=[tag.format(name) for tag in shape], layers={f"{name}{number}": 1000})
            for number, shape in enumerate(SHAPES)
        ]
        for name in ("held", "free")
    )
    litter.container("holder", state="created")
    # The sweep looks at several at once, and none of them may get past its look before all are mounted.
    lock = threading.Lock()
    mounting = [(f"user{number}", next(iter(litter.image_tags(made)), made)) for number, made in enumerate(held)]

    def mount_all(request: Request) -> None:
        if re.fullmatch("/images/.*/json", request.path):
            with lock:
                while mounting:
                    litter.mounting_container(*mounting.pop())

    with engine.recorder.recording() as recording:
        recording.before = mount_all
        run = dockersweep("sweep", "--yes", "--kind", "image", "--format", "json", *ALL, host=engine.url)
    assert run.status == 0, run.stdout
    told = {row["id"]: row for row in run.json()["outcomes"]}
    assert {told[one]["status"] for one in free} == {"removed"}
    assert {told[one]["status"] for one in held} == {"skipped"}
    left = {one["Id"] for one in engine.wire.images()}
    assert left >= set(held)
    assert not left & set(free)


def test_logs_come_back_with_their_container(engine: Engine, litter: Litter) -> None:
    made = litter.container("chatty", state="running")
    engine.docker("exec", made, "sh", "-c", "head -c 500000 /dev/zero | tr '\\0' x > /proc/1/fd/1")
    litter.stop(made)
    flags = ("--format", "json", "--kind", "container", "--older-than", "0s")
    reclaim = dockersweep("plan", *flags, host=engine.url).json()["reclaim"]
    assert reclaim["high_bytes"] is None or reclaim["low_bytes"] >= 500_000
