"""A watcher beside a real engine: it acts when a disk gets full and when it is time, and goes on whatever happens."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.engines.disks import SmallDisk
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST, EngineKind, kind
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep
from tests.rig.running_watcher import RunningWatcher

pytestmark = pytest.mark.programs

MB = 1_000_000
SPACE = """
version = 1
[target]
start_above = "60%"
stop_below = "45%"
older_than = "0s"
[watch]
sweep = "never"
settle = "0s"
backoff = "5s"
"""
RULES = """
version = 1
[[rule]]
name = "jobs"
kind = "container"
match.name = "job-*"
remove.older_than = "0s"
[watch]
sweep = "every 2s"
splay = "0s"
settle = "0s"
backoff = "1s"
"""


@pytest.fixture
def roomy(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine on a small disk of its own."""
    of: EngineKind = request.param
    with Engine(of, disks=(SmallDisk("", "ext4", 700 << 20),)) as engine:
        yield engine


def watcher_of(engine: Engine, folder: Path, policy: str) -> RunningWatcher:
    path = folder / "dockersweep.toml"
    path.write_text(policy)
    return RunningWatcher("--policy", str(path), "-H", engine.url, "--yes-first-time", "--interval", "1s")


@pytest.mark.parametrize("roomy", [kind(name) for name in NEWEST], indirect=True, ids=str)
def test_a_disk_that_gets_full_is_swept_of_what_was_unused_longest(roomy: Engine, tmp_path: Path) -> None:
    litter = Litter(roomy)
    litter.image("old:1", layers={"a": 120 * MB})
    watcher = watcher_of(roomy, tmp_path, SPACE)
    try:
        watcher.until("engine-there")
        time.sleep(1.5)
        assert not [event for event in watcher.events if event["event"] == "sweep-begins"]
        for number in range(2, 6):
            litter.image(f"new:{number}", layers={f"l{number}": 90 * MB})
            if any(event["event"] == "removal" for event in watcher.events):
                break
        begins = watcher.until("sweep-begins")
        assert begins["cause"] == "space"
        assert "of the disk is used, over 60%; down to 45% takes" in begins["text"]
        removed = watcher.until("removal", status="removed")
        assert removed["name"].endswith("old:1")
        end = watcher.until("sweep-ends", exit_status=0, target_reached=1)
        assert end["removed"] >= 1
        state = dockersweep("history", str(end["run"]), "--format", "json").json()
        assert state["runs"][0]["verb"] == "watch"
        # Away and back.
        roomy.stop()
        watcher.until("engine-away")
        after = watcher.count
        roomy.start()
        assert " again, after " in watcher.until("engine-there", after=after)["text"]
        assert watcher.end() == 128 + signal.SIGTERM
        assert not watcher.others
    finally:
        watcher.close()


@pytest.mark.enough_on(*NEWEST)
def test_rules_run_on_their_schedule_beside_other_runs(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    litter.container("job-1", state="exited")
    litter.container("web-1", state="exited")
    watcher = watcher_of(engine, tmp_path, RULES)
    try:
        assert watcher.until("sweep-ends", removed=1)["exit_status"] == 0
        after = watcher.count
        # Somebody else looks and sweeps meanwhile.
        assert dockersweep("plan", host=engine.url).status == 0
        litter.container("job-2", state="exited")
        assert watcher.until("sweep-ends", after=after, removed=1)["exit_status"] == 0
        assert watcher.end() == 128 + signal.SIGTERM
    finally:
        watcher.close()
    names = [container["Names"][0] for container in engine.api.containers(all=True)]
    assert [name for name in names if "web-1" in name] == names
