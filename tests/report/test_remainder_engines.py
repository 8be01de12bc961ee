"""What the remainder is, on real engines: it adds up to the remainder, and names what is there."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import EACH_STORE
from tests.rig.engines.litter import Litter
from tests.rig.engines.swarm import swarm
from tests.rig.running import dockersweep

MEGABYTE = 1_000_000


def remainder(engine: Engine) -> tuple[int, dict[str, Any]]:
    """The remainder, and the size of each part of it by its folder."""
    run = dockersweep("report", "--format", "json", host=engine.url)
    assert run.status == 0, run.stderr
    [row] = run.json()["disks"]
    root = f"{engine.data_root}"
    return row["remainder_bytes"], {one["path"].removeprefix(root): one["size_bytes"] for one in row["remainder_parts"]}


@pytest.mark.enough_on(*EACH_STORE)
def test_a_large_remainder_is_opened(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"data": 6 * MEGABYTE})
    litter.container("job", writes=5 * MEGABYTE)
    litter.volume("data", size=7 * MEGABYTE)
    if engine.kind.has_build_cache and engine.kind.name != "docker-20.10":
        litter.build_cache("step", records=2, size=3 * MEGABYTE)
    core, odd = engine.data_root / "core.123", engine.data_root / "odd"
    odd.mkdir()
    has_swarm = engine.kind.flavour == "docker"
    try:
        core.write_bytes(os.urandom(12 * MEGABYTE))
        (odd / "file").write_bytes(os.urandom(20 * MEGABYTE))
        with swarm(engine) if has_swarm else nullcontext():
            whole, parts = remainder(engine)
    finally:
        core.unlink()
        (odd / "file").unlink()
        odd.rmdir()
    assert parts["/odd"] == pytest.approx(20 * MEGABYTE, rel=0.01)
    assert parts[""] == pytest.approx(12 * MEGABYTE, rel=0.05)
    assert (parts.get("/swarm", 0) > 100 * MEGABYTE) == has_swarm
    assert not {"/overlay2", "/overlay", "/volumes"} & parts.keys()
    assert sum(parts.values()) <= whole
    assert sum(parts.values()) == pytest.approx(whole, rel=0.05)
