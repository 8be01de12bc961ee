"""The processes of a watcher: what they come to, also where they break off, hang, or say nothing that is understood."""

import io
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given

from dockersweep.commands.options import WatchOptions, options_of
from dockersweep.commands.watching import child as child_process
from dockersweep.commands.watching import children
from dockersweep.commands.watching.children import Child
from dockersweep.model.policy import Policy
from dockersweep.model.watching import ChildResult, ChildTask
from dockersweep.parser import parse
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from tests.policy.policy_strategies import AIMED_POLICIES
from tests.rig.examples import examples

READS = "import os, sys, time, signal; sys.stdin.buffer.read(); pipe = int(sys.argv[2]); "


def options(*flags: str) -> WatchOptions:
    made = options_of(parse(["watch", "--log-format", "json", *flags]))
    assert isinstance(made, WatchOptions)
    return made


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Child]]:
    """Children that were started, which end with the test."""
    started: list[Child] = []
    yield started
    for child in started:
        child.close()


def start(monkeypatch: pytest.MonkeyPatch, played: list[Child], code: str, *flags: str) -> Child:
    monkeypatch.setattr(children, "_PROGRAM", READS + code)
    child = Child("sweep", options(*flags), ChildTask(policy=DEFAULT_POLICY))
    played.append(child)
    return child


def result_of(child: Child) -> ChildResult:
    deadline = time.monotonic() + 30
    while (result := child.poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return result


def test_what_it_writes_is_its_result(monkeypatch: pytest.MonkeyPatch, played: list[Child]) -> None:
    told = ChildResult(exit_status=3, removed=7, has_outcome=True, run=12)
    child = start(monkeypatch, played, f"os.write(pipe, {msgspec.json.encode(told)!r}); sys.exit(3)")
    assert result_of(child) == told


@pytest.mark.parametrize(
    ("code", "status", "problem"),
    [
        ("sys.exit(1)", 1, "its process broke off with exit status 1"),
        ("sys.exit(0)", 1, "its process broke off with exit status 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, "its process was ended by signal 9"),
        ("os.write(pipe, b'{\"exit_status\": '); sys.exit(5)", 5, "its process broke off with exit status 5"),
        ("os.write(pipe, b'\\xff' * 5000); sys.exit(5)", 5, "its process broke off with exit status 5"),
        ("os.close(pipe); time.sleep(0.2); sys.exit(4)", 4, "its process broke off with exit status 4"),
    ],
)
def test_one_that_breaks_off(
    monkeypatch: pytest.MonkeyPatch, played: list[Child], code: str, status: int, problem: str
) -> None:
    assert result_of(start(monkeypatch, played, code)) == ChildResult(
        exit_status=status, problem=problem, broke_off=True
    )


@pytest.mark.linux
def test_what_it_writes_just_before_its_end_is_its_result(monkeypatch: pytest.MonkeyPatch, played: list[Child]) -> None:
    told = ChildResult(exit_status=0, removed=7, has_outcome=True)
    child = start(monkeypatch, played, f"os.read(0, 1); os.write(pipe, {msgspec.json.encode(told)!r})")
    reads, is_first = os.read, True

    def read(descriptor: int, most: int) -> bytes:
        """Find nothing the first time, and everything over when the process is asked for next."""
        nonlocal is_first
        if descriptor != child.result_end or not is_first:
            return reads(descriptor, most)
        is_first = False
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        raise BlockingIOError

    monkeypatch.setattr(os, "read", read)
    assert result_of(child) == told


def test_one_for_which_there_is_no_thread_is_ended(monkeypatch: pytest.MonkeyPatch, played: list[Child]) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pids: list[int] = []
    closes = Child.close

    def close(child: Child) -> None:
        pids.append(child.pid)
        closes(child)

    monkeypatch.setattr(Child, "close", close)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match="no thread can be started"):
        start(monkeypatch, played, "time.sleep(60)")
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_one_that_says_too_much_is_read_no_further(monkeypatch: pytest.MonkeyPatch, played: list[Child]) -> None:
    child = start(monkeypatch, played, "[os.write(pipe, b'x' * 65536) for _ in range(200)]")
    assert result_of(child).problem == "its process broke off with exit status 0"
    assert len(child._received) <= children.LARGEST_RESULT_BYTES + 65_536


def test_one_that_hangs_is_told_to_end_and_then_killed(monkeypatch: pytest.MonkeyPatch, played: list[Child]) -> None:
    monkeypatch.setattr(children, "END_SECONDS", 0.2)
    monkeypatch.setitem(children.LONGEST_SECONDS, "sweep", 0.3)
    code = "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    child = start(monkeypatch, played, code, "--removal-timeout", "1s")
    begun = time.monotonic()
    assert result_of(child) == ChildResult(exit_status=137, problem="its process was ended by signal 9", broke_off=True)
    assert time.monotonic() - begun < 20


def test_a_signal_is_handed_over(monkeypatch: pytest.MonkeyPatch, played: list[Child]) -> None:
    child = start(monkeypatch, played, "time.sleep(60)")
    child.end(signal.SIGTERM)
    assert result_of(child).exit_status == 143


def test_it_is_in_a_group_of_its_own_and_goes_with_the_watcher(
    monkeypatch: pytest.MonkeyPatch, played: list[Child]
) -> None:
    child = start(monkeypatch, played, "time.sleep(60)")
    assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
    played.remove(child)
    child.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


@given(AIMED_POLICIES)
@examples(60)
def test_a_policy_is_handed_over_as_it_is(policy: Policy) -> None:
    task = ChildTask(policy=policy)
    folders, _, rest = children._handed_over(task).partition(b"\n")
    assert folders != b""
    assert msgspec.json.decode(rest, type=ChildTask) == task


def test_an_interruption_before_the_first_removal_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(sweep: object) -> ChildResult:
        raise KeyboardInterrupt

    monkeypatch.setattr(child_process._Sweep, "result", interrupt)
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(msgspec.json.encode(ChildTask(policy=DEFAULT_POLICY))))
    )
    read, write = os.pipe()
    with open(read, "rb") as results:
        assert child_process.run_child("sweep", write, options()) == 130
        assert msgspec.json.decode(results.read(), type=ChildResult) == ChildResult(
            exit_status=130, problem="interrupted before it removed anything"
        )
