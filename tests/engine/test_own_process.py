"""A call in a process of its own: what it returns, and that nothing of it is left."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dockersweep.engine.disk.own_process import may_begin

_PROGRAM = """
import fcntl, os, signal, sys, time
from dockersweep.engine.disk.own_process import OwnProcess, may_begin

held = open(sys.argv[1], "w")
fcntl.flock(held, fcntl.LOCK_EX)

def is_free():
    with open(sys.argv[1]) as again:
        try:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

def gone(number):
    for _ in range(100):
        try:
            if os.waitpid(number, os.WNOHANG)[0]:
                return True
        except ChildProcessError:
            return True
        time.sleep(0.05)
    return False

assert may_begin()
with OwnProcess(lambda: bytes(3_000_000)) as large:
    assert large.result(60) == bytes(3_000_000)
with OwnProcess(lambda: {}["none"]) as failing:
    assert failing.result(60) == b""
with OwnProcess(lambda: str(os.path.exists(f"/proc/self/fd/{held.fileno()}")).encode()) as looking:
    assert looking.result(60) == b"False"
with OwnProcess(lambda: time.sleep(600) or b"") as slow:
    try:
        slow.result(0.1)
        raise AssertionError("it came in time")
    except TimeoutError:
        pass
    assert not is_free()
    held.close()
    assert is_free()
assert gone(slow._number)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with OwnProcess(lambda: b"unheeded") as unheeded:
    assert unheeded.result(60) == b"unheeded"
    assert gone(unheeded._number)
orphan = OwnProcess(lambda: time.sleep(600) or b"")
print(orphan._number)
"""


@pytest.mark.linux
def test_a_process_of_our_own_answers_and_leaves_nothing(tmp_path: Path) -> None:
    program = [sys.executable, "-c", _PROGRAM, str(tmp_path / "lock")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    # It ends by itself within a second or two of the one that it was made by.
    deadline = time.monotonic() + 20
    while Path("/proc", done.stdout.strip()).exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_no_process_is_made_where_a_thread_may_hold_something() -> None:
    waiting = threading.Event()
    thread = threading.Thread(target=waiting.wait)
    thread.start()
    try:
        assert not may_begin()
    finally:
        waiting.set()
        thread.join()
