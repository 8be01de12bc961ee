"""What a watcher records beside real engines, against what `explain` and `scan` say of it afterwards."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dockersweep.commands.watching.recording import Recorder
from dockersweep.engine.reading import stream_proof
from tests.commands.watching.recording_rig import OPTIONS
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.event_engine import until
from tests.rig.next_second import next_second
from tests.rig.running import dockersweep

OUR_SIDE = pytest.mark.enough_on(*NEWEST)
ON_DOCKER = pytest.mark.on_engines("docker-20.10", "docker-26.1", "docker-28.5", "docker-28.5-containerd")
UNUSED = """
version = 1
[[rule]]
name = "volumes"
kind = "volume"
match.name = "data"
remove.unused_for = "6s"
"""
SHOP = {"com.docker.compose.project": "shop", "com.docker.compose.service": "job"}


@contextmanager
def recorder_beside(engine: Engine, url: str | None = None) -> Iterator[Recorder]:
    """A recorder that follows an engine, from a comparison on."""
    recorder = Recorder(replace(OPTIONS, host=url or engine.url), lambda: None)
    recorder.start()
    try:
        until(lambda: recorder.state.is_connected)
        assert recorder.flush(), recorder.state
        yield recorder
    finally:
        recorder.close()


def uses(engine: Engine, name: str) -> list[tuple[str, str | None, str | None]]:
    """The action, the container and the project of each use of an object that `explain` tells."""
    explained = dockersweep("explain", name, "--no-sizes", "--format", "json", host=engine.url)
    assert explained.status == 0, explained
    return [(use["action"], use.get("by"), use.get("project")) for use in explained.json()["use"]["uses"]]


def names(engine: Engine) -> set[str]:
    """The names of all containers."""
    listed = engine.wire.call("GET", "/containers/json", all="1")
    return {name.removeprefix("/") for container in listed for name in container["Names"]}


def churn(engine: Engine, count: int) -> None:
    """Create and remove so many volumes: with 130 Docker has forgotten what was before."""
    for number in range(count):
        engine.wire.call("POST", "/volumes/create", {"Name": f"churn-{number}"})
        engine.wire.raw("DELETE", f"/volumes/churn-{number}")


def test_every_use_that_the_engine_told_is_known_long_after_it_has_forgotten(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    is_docker = engine.kind.flavour == "docker"
    litter.image("app:1", layers={"app": 1000}, runnable=True)
    for volume in ("cache", "shopdata", "data", "prep", "idle"):
        litter.volume(volume)
    litter.network("report")
    # Podman's reader looks four times a second, and who is gone by then cannot be looked at.
    command = "exit 0" if is_docker else "sleep 2"
    of_job: dict[str, Any] = {"image": "app:1", "state": "created", "auto_remove": True, "command": command}
    litter.container("server", image="app:1", volumes={"data": "/d"}, state="running")
    litter.container("prepared", image="app:1", volumes={"prep": "/d"}, state="created")
    with recorder_beside(engine) as recorder:
        begun = recorder.state.complete_until
        assert begun is not None
        next_second()
        jobs = [
            litter.container("backup-1", volumes={"cache": "/c"}, networks=["report"], **of_job),
            litter.container("shop-job-1", volumes={"shopdata": "/d"}, labels=SHOP, **of_job),
        ]
        for job in jobs:
            litter.start(job)
        engine.docker("exec", "server", "true")
        if is_docker:
            (tmp_path / "file").write_text("x")
            engine.docker("cp", str(tmp_path / "file"), "prepared:/d/file")
        litter.retag("app:1", "app:2" if is_docker else "localhost/app:2")
        until(lambda: not {"backup-1", "shop-job-1"} & names(engine))
        if is_docker:
            churn(engine, 130)
        next_second()
        until(lambda: recorder.flush() and recorder.state.recorded == recorder.state.received)
        state = recorder.state
        assert (state.gaps, recorder.take_gaps()) == (0, ())
        assert state.complete_until is not None
        expected = {
            "cache": ("unmounted" if is_docker else "exited", "backup-1"),
            "report": ("disconnected" if is_docker else "exited", "backup-1"),
            "shopdata": ("unmounted" if is_docker else "exited", "shop-job-1"),
            "data": ("ran a command", "server"),
            "server": ("ran a command", None),
            "app:2": ("tagged", None),
        }
        if is_docker:
            expected |= {"prepared": ("copied files", None), "prep": ("unmounted", "prepared")}
        for name, use in expected.items():
            assert use in [told[:2] for told in uses(engine, name)], name
        assert "shop" in [project for _, _, project in uses(engine, "shopdata")]
        inventory = dockersweep("scan", "--no-sizes", "--format", "json", host=engine.url).json()
    [idle] = [volume for volume in inventory["volumes"] if volume["name"] == "idle"]
    assert not idle.get("uses")
    whole = inventory["watched"]
    assert all(one["ends_at"] == next_one["begins_at"] for one, next_one in pairwise(whole))
    assert datetime.fromisoformat(whole[-1]["ends_at"]) >= state.complete_until
    assert datetime.fromisoformat(whole[0]["begins_at"]) <= begun
    if is_docker:
        assert [span.get("of_held", True) for span in whole] == [True]


@OUR_SIDE
def test_an_engine_that_is_started_again_is_followed_again_and_its_gap_is_told(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"app": 1000}, runnable=True)
    litter.volume("data")
    is_docker = engine.kind.flavour == "docker"
    # Before a Docker on this machine nothing stands that would hide when it began.
    with recorder_beside(engine, f"unix://{engine.socket}" if is_docker else None) as recorder:
        next_second()
        engine.restart()
        until(lambda: not recorder.state.is_connected or recorder.engine_problem is not None)
        until(lambda: recorder.state.is_connected)
        litter.job("after", image="app:1", volumes={"data": "/d"})
        next_second()
        until(recorder.flush)
        [gap] = recorder.take_gaps()
        assert gap.why in {"engine restarted", "connection lost"}
        assert gap.why == "engine restarted" or not is_docker
        assert gap.begins_at < gap.ends_at
        # Podman's events come late where the machine is busy.
        until(lambda: "after" in [by for _, by, _ in uses(engine, "app:1")])


@ON_DOCKER
@OUR_SIDE
def test_what_a_killed_watcher_missed_is_a_gap_on_which_nothing_is_removed(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    litter.image("app:1", layers={"app": 1000}, runnable=True)
    litter.volume("data")
    policy = tmp_path / "policy.toml"
    policy.write_text(UNUSED, encoding="utf-8")

    def removed() -> bool:
        plan = dockersweep("plan", "--policy", str(policy), "--no-sizes", "--format", "json", host=engine.url).json()
        return "data" in [removal["name"] for removal in plan["removals"]]

    with recorder_beside(engine):
        next_second()
        assert not removed()
    litter.job("missed", image="app:1", volumes={"data": "/d"})
    time.sleep(4)
    churn(engine, 130)
    with recorder_beside(engine) as recorder:
        gaps = recorder.take_gaps()
        assert [gap.why for gap in gaps] == ["not watched"]
        # Seen unused for more than six seconds, of which more than half was not covered.
        assert not removed()
        time.sleep(5)
        assert recorder.flush()
        assert removed()


@ON_DOCKER
@OUR_SIDE
def test_a_reader_that_was_stopped_does_not_say_that_it_knows_everything(
    engine: Engine, litter: Litter, monkeypatch: pytest.MonkeyPatch
) -> None:
    litter.image("app:1", layers={"app": 1000}, runnable=True)
    with recorder_beside(engine) as recorder:
        next_second()
        assert recorder.flush()
        assert recorder.state.gaps == 0
        connected = recorder._follower.connected
        assert connected is not None
        # The reader stops where it counts, as one does whose process is not run.
        count, goes_on = connected.count, threading.Event()
        monkeypatch.setattr(connected, "count", lambda events: (goes_on.wait(60), count(events)))
        # Fewer than it takes: over a thousand would take long.
        monkeypatch.setattr(stream_proof, "LONGEST_LAGGING_RUN", 150)
        for number in range(300):
            engine.wire.call("POST", "/images/app:1/tag", repo="churn", tag=str(number % 7))
        goes_on.set()
        next_second()
        until(recorder.flush)
        assert [gap.why for gap in recorder.take_gaps()] == ["too many events"]
