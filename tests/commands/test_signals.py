"""Signals before anything is in hand: while the process starts, and while a huge plan is prepared."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockersweep.commands.event_log import EventLog
from dockersweep.commands.running.signals import Stopped, stop_on_signals
from dockersweep.ledger.check import find_problems
from dockersweep.ledger.reading import read_run, read_runs
from tests.rig.fake_engine import FakeEngine, fake_engine, reply
from tests.rig.running import dockersweep

# As pip writes it; the one that is installed may be of an older checkout.
SCRIPT = [sys.executable, "-c", "import sys; from dockersweep.__main__ import main; sys.exit(main())"]
PLUGIN = [sys.executable, "-c", SCRIPT[2].replace("__main__", "docker_plugin"), "sweep"]
COUNTING = """
import os, signal, sys
class Counting:
    left = int(os.environ["INTERRUPTED_AT"])
    begun = False
    def find_spec(self, name, path=None, target=None):
        # For what is imported before, by Python's own start, none of our code can speak.
        Counting.begun |= name == "dockersweep.cli"
        if Counting.begun:
            Counting.left -= 1
            if Counting.left == 0:
                os.kill(os.getpid(), signal.SIGINT)
            if name == "dockersweep.report.scan" and "COUNT" in os.environ:
                os.write(2, str(-Counting.left).encode())
sys.meta_path.insert(0, Counting())
"""


def scan_interrupted(engine: FakeEngine, folder: Path, command: list[str], at: int) -> tuple[int, str]:
    """Scan, interrupted when it imports its module of that number; return how it ended and what it said."""
    (folder / "sitecustomize.py").write_text(COUNTING)
    told = {"PYTHONPATH": str(folder), "INTERRUPTED_AT": str(at), **({"COUNT": "1"} if at == 0 else {})}
    done = subprocess.run(
        [*command, "-H", engine.url, "scan", "--no-ledger"],
        env={**os.environ, **told}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


TWICE = """
import os, signal
from dockersweep.commands.event_log import EventLog
from dockersweep.commands.running.signals import Stopped, stop_on_signals
with stop_on_signals(Stopped(EventLog("text"))):
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGTERM)
        print("goes on", flush=True)
"""


@pytest.mark.linux
@pytest.mark.programs
def test_a_second_signal_ends_the_first_process_of_a_container() -> None:
    """The kernel keeps from it what it does not handle."""
    words = ["unshare", "--fork", "--pid", "--kill-child", sys.executable, "-c", TWICE]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "goes on\n")


@pytest.mark.programs
@pytest.mark.parametrize(
    "command", [[sys.executable, "-m", "dockersweep"], SCRIPT, PLUGIN], ids=["module", "script", "plugin"]
)
def test_an_interrupt_while_it_starts_ends_it_quietly(tmp_path: Path, command: list[str]) -> None:
    with fake_engine() as engine:
        status, counted = scan_interrupted(engine, tmp_path, command, 0)
        modules = int(counted)
        assert (status, modules > 100) == (0, True)
        for moment in range(20):
            status, said = scan_interrupted(engine, tmp_path, command, 1 + moment * (modules - 1) // 19)
            # To a shell both are 130.
            assert status in (-signal.SIGINT, 130)
            assert said in ("", "dockersweep: interrupted\n")


def test_an_interrupt_that_is_ignored_stays_so(tmp_path: Path) -> None:
    ignoring = ["env", "--ignore-signal=INT", sys.executable, "-m", "dockersweep"]
    with fake_engine() as engine:
        assert scan_interrupted(engine, tmp_path, ignoring, 100) == (0, "")


@pytest.fixture
def stopped() -> Iterator[Stopped]:
    """Signals as a sweep takes them."""
    made = Stopped(EventLog("text"))
    with stop_on_signals(made):
        yield made


def test_a_signal_breaks_off_only_where_nothing_is_sent(stopped: Stopped) -> None:
    stopped.nothing_is_sent()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert (stopped.request.is_set(), stopped.exit_status) == (True, 143)
    # What is written down after it is not broken off.
    signal.raise_signal(signal.SIGHUP)


def test_a_signal_that_came_before_breaks_off_as_well(stopped: Stopped) -> None:
    signal.raise_signal(signal.SIGHUP)
    with pytest.raises(KeyboardInterrupt):
        stopped.nothing_is_sent()
    assert stopped.exit_status == 129


def test_once_it_removes_a_signal_only_asks(stopped: Stopped) -> None:
    stopped.nothing_is_sent()
    stopped.only_ask()
    signal.raise_signal(signal.SIGINT)
    assert (stopped.request.is_set(), stopped.exit_status) == (True, 130)


VOLUMES = 20
NEVER_THERE = 200_000


@pytest.fixture(scope="module")
def box() -> Iterator[FakeEngine]:
    """An engine with some volumes."""
    names = [f"{number:064x}" for number in range(VOLUMES)]
    volumes = [
        {"Name": name, "Driver": "local", "Mountpoint": f"/d/volumes/{name}/_data", "Scope": "local",
         "CreatedAt": "2026-01-01T00:00:00Z", "Labels": {"com.docker.volume.anonymous": ""}, "Options": None}
        for name in names
    ]  # fmt: skip
    with fake_engine(volumes=reply({"Volumes": volumes})) as engine:
        sized = [{**one, "UsageData": {"Size": 5, "RefCount": 0}} for one in volumes]
        engine.replies["/system/df"] = reply({"Volumes": sized})
        yield engine


@pytest.fixture(scope="module")
def huge_plan(box: FakeEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan of the volumes, edited by hand: with very many that never were."""
    words = ("plan", "--no-ledger", "--older-than", "0s", "--format", "json")
    plan: Any = dockersweep(*words, host=box.url).json()
    assert len(plan["removals"]) == VOLUMES
    never = [{"id": f"never-{number}", "name": f"never-{number}"} for number in range(NEVER_THERE)]
    plan["removals"] += [plan["removals"][0] | one for one in never]
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    path.write_text(json.dumps(plan))
    return path


def wait_for_run(folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait till the run has its row in the ledger."""
    deadline = time.monotonic() + 60
    while not read_runs(folder, None).runs:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.programs
@pytest.mark.parametrize(
    ("number", "delay"), [(signal.SIGINT, 0.0), (signal.SIGTERM, 0.0), (signal.SIGTERM, 2.0), (signal.SIGHUP, 1.0)]
)
def test_a_signal_ends_a_huge_plan_at_once_and_is_written_down(
    box: FakeEngine, huge_plan: Path, tmp_path: Path, number: signal.Signals, delay: float
) -> None:
    box.asked.clear()
    command = [sys.executable, "-m", "dockersweep", "-H", box.url, "apply", str(huge_plan), "--yes-first-time"]
    process = subprocess.Popen(
        command, env={**os.environ, "DOCKERSWEEP_STATE_DIR": str(tmp_path)}, stderr=subprocess.PIPE, text=True
    )
    wait_for_run(tmp_path, process)
    time.sleep(delay)
    process.send_signal(number)
    begun = time.monotonic()
    said = process.communicate(timeout=60)[1]
    # Alone on a processor it is half a second.
    assert time.monotonic() - begun < 4
    assert (process.returncode, said) == (128 + number, "dockersweep: interrupted before anything was removed\n")
    assert not [path for method, path in box.asked if method == "DELETE"]
    told = read_run(tmp_path, 1)
    [run] = told.runs
    assert (run.state, run.exit_status, run.note, run.removed, run.in_hand) == (
        "ended", 128 + number, "interrupted before anything was removed", {}, ()
    )  # fmt: skip
    assert {one.status for one in told.removals} <= {"gone", "not-attempted"}
    assert find_problems(tmp_path) == ()
