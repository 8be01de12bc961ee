"""A sweeper that is killed at any step, and an engine that is: the next run tells, and repairs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockersweep.model.inventory import Kind
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST, OLDEST_AND_NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.recorder import BreakOffError, Recording, Request
from tests.rig.running import dockersweep

FLAGS = ("--yes", "--yes-first-time", "--older-than", "0s", "--format", "json")
STEPS: tuple[Kind, ...] = ("container", "image", "volume", "network", "build-cache")


def fill(litter: Litter, kind: Kind) -> None:
    """Make one object of a kind that a sweep removes, and one of another kind that comes later."""
    litter.network("last")
    if kind == "container":
        litter.container("web", state="created")
    elif kind == "image":
        litter.image(None, layers={"a": 1000})
    elif kind == "volume":
        litter.anonymous_volume(1000)
    elif kind == "build-cache":
        litter.build_cache("cache", records=2, size=1000)


def kind_of(request: Request) -> Kind | None:
    """Return what kind of object a request is to remove."""
    if request.method == "POST":
        return "build-cache"
    named: dict[str, Kind] = {"containers": "container", "images": "image", "volumes": "volume", "networks": "network"}
    return named[request.path.split("/")[1]] if request.method == "DELETE" else None


def kill(request: Request) -> None:
    os.kill(request.pid, signal.SIGKILL)


def kill_at(engine: Engine, kind: Kind, is_done: bool) -> None:
    """Run a sweep, and kill it when it removes an object of a kind: before the engine hears of it, or after."""

    def before(request: Request) -> None:
        if kind_of(request) == kind:
            kill(request)
            raise BreakOffError

    def swallows(request: Request) -> bool:
        if kind_of(request) == kind:
            kill(request)
            return True
        return False

    with engine.recorder.recording() as recording:
        if is_done:
            recording.swallows = swallows
        else:
            recording.before = before
        process = start(engine)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


def start(engine: Engine) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dockersweep", "-H", engine.url, "sweep", *FLAGS]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def removals_in_ledger(number: int) -> list[Any]:
    told: list[Any] = dockersweep("history", str(number), "--format", "json").json()["removals"]
    return told


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
def test_after_a_kill_at_any_step_the_next_run_tells_and_repairs(engine: Engine, litter: Litter) -> None:
    steps = [kind for kind in STEPS if kind != "build-cache" or engine.kind.has_build_cache]
    number = 0
    for place, kind in enumerate(steps):
        # Which of the two it is changes from engine to engine, so that each step is killed at both.
        is_done = (place + len(engine.kind.name)) % 2 == 0
        fill(litter, kind)
        kill_at(engine, kind, is_done)
        number += 1
        run = dockersweep("sweep", *FLAGS, host=engine.url)
        number += 1
        assert (run.status, run.json()["run"]) == (0, number), run.stderr
        [warning] = [one for one in run.json()["warnings"] if one["about"] == f"run {number - 1}"]
        assert "and did not end" in warning["text"]
        assert f"was in hand, and is {'gone' if is_done else 'still there'}" in warning["text"]
        both = removals_in_ledger(number - 1) + removals_in_ledger(number)
        assert {one["status"] for one in both} <= {"removed", "failed", "not-attempted", "gone"}
        removed = Counter((one["kind"], one["id"]) for one in both if one["status"] == "removed")
        assert set(removed.values()) == {1}
        assert {one["kind"] for one in both if one["status"] == "removed"} == {kind, "network"}
    assert dockersweep("plan", "--older-than", "0s", "--format", "json", host=engine.url).json()["removals"] == []


@pytest.mark.enough_on(*NEWEST)
def test_an_engine_that_is_killed_in_mid_sweep_is_waited_for(engine: Engine, litter: Litter) -> None:
    volumes = [litter.anonymous_volume(1000) for _ in range(20)]
    with engine.recorder.recording() as recording:
        run = sweep_while(engine, recording, lambda: restart_hard(engine))
    assert run.returncode in (0, 3), run.document["ended_early"]
    told = {one["id"]: one for one in run.document["outcomes"]}
    left = set(engine.docker("volume", "ls", "-q").stdout.split())
    assert set(told) == set(volumes)
    # What was under way may have failed; all the rest has gone through.
    assert {one["status"] for one in told.values()} <= {"removed", "gone", "failed"}
    assert [told[name] for name in left if told[name]["status"] != "failed"] == []
    assert [one for name, one in told.items() if one["status"] == "failed" and name not in left] == []
    again = dockersweep("sweep", *FLAGS, host=engine.url)
    assert again.status == 0
    assert engine.docker("volume", "ls", "-q").stdout.split() == []


@pytest.mark.on_engines("docker-28.5", "podman-5.8")
def test_an_engine_that_does_not_come_back_ends_the_sweep_honestly(engine: Engine, litter: Litter) -> None:
    volumes = [litter.anonymous_volume(1000) for _ in range(20)]
    try:
        with engine.recorder.recording() as recording:
            run = sweep_while(engine, recording, engine.kill, "--engine-timeout", "2s")
    finally:
        engine.start()
    assert run.returncode == 5
    assert run.document["ended_by"] == "engine"
    assert run.document["ended_early"].endswith("it did not come back within 2 seconds")
    told = {one["id"]: one["status"] for one in run.document["outcomes"]}
    left = set(engine.docker("volume", "ls", "-q").stdout.split())
    assert set(told) == set(volumes)
    assert {name for name, status in told.items() if status == "not-attempted"} <= left
    assert {name for name, status in told.items() if status == "removed"} & left == set()


def restart_hard(engine: Engine) -> None:
    engine.kill()
    engine.start()


class Swept:
    """A sweep that has ended."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        stdout, stderr = process.communicate(timeout=120)
        self.returncode = process.returncode
        self.stderr = stderr.decode()
        assert "Traceback" not in self.stderr, self.stderr
        self.document: Any = json.loads(stdout)


def sweep_while(engine: Engine, recording: Recording, change: Callable[[], object], *flags: str) -> Swept:
    """Sweep; when the fifth object is to be removed, change something. Not in the recorder's thread, which may end."""
    removing = threading.Event()
    asked: list[Request] = []

    def before(request: Request) -> None:
        if request.method == "DELETE":
            asked.append(request)
            if len(asked) == 5:
                removing.set()

    recording.before = before
    command = [sys.executable, "-m", "dockersweep", "-H", engine.url, "sweep", *FLAGS, *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert removing.wait(60)
    change()
    return Swept(process)


# A disk that is full.


def on_a_full_disk(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run dockersweep where a folder is a disk of a few kilobytes, in a mount namespace of its own."""
    script = 'mount -t tmpfs -o size=12k none "$0" && exec "$@"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", script, str(folder), sys.executable, "-m", "dockersweep", *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.on_engines("docker-28.5")
def test_a_full_disk_is_said_and_never_half_a_file_left(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    for _ in range(30):
        litter.anonymous_volume()
    folder = tmp_path / "small"
    folder.mkdir()
    plan = on_a_full_disk(folder, "-H", engine.url, "plan", "-o", str(folder / "plan.json"))
    assert plan.returncode == 2
    assert plan.stderr == f"dockersweep: {folder}/plan.json cannot be written: No space left on device\n"
    sweep = on_a_full_disk(folder, "-H", engine.url, "sweep", *FLAGS, DOCKERSWEEP_STATE_DIR=str(folder))
    assert sweep.returncode == 0, sweep.stderr
    assert '"about": "ledger"' in sweep.stdout
    assert engine.docker("volume", "ls", "-q").stdout.split() == []
    litter.anonymous_volume()
    flags = (*FLAGS, "--require-ledger")
    required = on_a_full_disk(folder, "-H", engine.url, "sweep", *flags, DOCKERSWEEP_STATE_DIR=str(folder))
    assert required.returncode == 4
    assert "nothing removed: " in required.stderr
    assert len(engine.docker("volume", "ls", "-q").stdout.split()) == 1
