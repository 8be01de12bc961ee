"""A program of [notify] may do anything, and holds up or harms nobody."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dockersweep.commands.notifying.output_lines import LONGEST_LINE, MOST_LINES, OutputLines
from dockersweep.commands.notifying.program import GRACE_SECONDS, run_program

LARGE = b"x" * 5_000_000
"""More than any pipe holds."""


def nobody() -> str | None:
    return None


def ran(
    *words: str, data: bytes = b"", seconds: float = 30, stopped_by: Callable[[], str | None] = nobody
) -> tuple[str | None, bytes]:
    """Run a program; return why it failed and what it wrote."""
    written: list[bytes] = []
    why = run_program(words, data, seconds, written.append, stopped_by)
    return why, b"".join(written)


def shell(script: str, **more: object) -> tuple[str | None, bytes]:
    return ran("/bin/sh", "-c", script, **more)  # type: ignore[arg-type]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody has waited for yet is dead.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_gets_the_data_and_its_output_is_taken() -> None:
    assert ran("/bin/cat", data=LARGE) == (None, LARGE)


def test_both_of_its_outputs_are_taken() -> None:
    assert shell("echo out; echo err >&2") == (None, b"out\nerr\n")


@pytest.mark.parametrize("script", ["true", "exec <&-; sleep 0.2", "head -c 10 >/dev/null"])
def test_one_that_does_not_read_hinders_nobody(script: str) -> None:
    assert shell(script, data=LARGE) == (None, b"")


def test_one_that_does_not_read_and_goes_on_is_waited_for_until_its_time() -> None:
    began = time.monotonic()
    assert shell("sleep 60", data=LARGE, seconds=1) == ("did not end within 1 second", b"")
    assert time.monotonic() - began < 1 + GRACE_SECONDS


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 3", "ended with exit status 3"),
        ("kill -9 $$", "was ended by SIGKILL"),
        ("kill -PIPE $$", "was ended by SIGPIPE"),
    ],
)
def test_how_it_ended_is_told(script: str, why: str) -> None:
    assert shell(script)[0] == why


def test_one_that_is_not_there_is_told() -> None:
    assert ran("/none/on-sweep")[0] == "cannot be started: No such file or directory"


def test_one_that_may_not_be_executed_is_told(tmp_path: Path) -> None:
    (tmp_path / "on-sweep").write_text("exit 0\n")
    assert ran(str(tmp_path / "on-sweep"))[0] == "cannot be started: Permission denied"
    (tmp_path / "on-sweep").chmod(0o755)
    assert ran(str(tmp_path / "on-sweep"))[0] == "cannot be started: Exec format error"


def test_after_its_time_it_and_what_it_started_are_ended(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    began = time.monotonic()
    why, _ = shell(f"sleep 600 & echo $$ $! >{pids}; wait", seconds=1)
    assert why == "did not end within 1 second"
    assert time.monotonic() - began < 1 + GRACE_SECONDS
    for pid in pids.read_text().split():
        wait_until(lambda pid=pid: not is_alive(int(pid)))  # type: ignore[misc]


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    began = time.monotonic()
    why, _ = shell(f"trap '' TERM; echo $$ >{pids}; while :; do sleep 0.1; done", seconds=1)
    assert why == "did not end within 1 second"
    assert GRACE_SECONDS <= time.monotonic() - began - 1 < 2 * GRACE_SECONDS
    assert not is_alive(int(pids.read_text()))


@pytest.mark.linux
def test_what_it_leaves_in_the_background_holds_nobody_up() -> None:
    """As ssh and a careless `&` do: the other end of its output stays open."""
    began = time.monotonic()
    why, written = shell("sleep 600 & echo $!")
    pid = int(written)
    try:
        assert why is None
        assert time.monotonic() - began < 5
        assert is_alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_what_writes_for_ever_in_the_background_holds_nobody_up() -> None:
    began = time.monotonic()
    why, written = shell("yes & echo $!")
    pid = int(next(line for line in written.split() if line.isdigit()))
    try:
        assert why is None
        assert time.monotonic() - began < 5
    finally:
        os.kill(pid, signal.SIGKILL)


def test_one_that_writes_for_ever_is_ended_in_time() -> None:
    lines: list[str] = []
    output = OutputLines(lines.append)
    assert run_program(["/usr/bin/yes"], b"", 1, output.take, nobody) == "did not end within 1 second"
    assert lines == ["y"] * MOST_LINES + ["... (the rest of its output is left out)"]


def test_a_signal_ends_it() -> None:
    came = threading.Event()
    threading.Timer(0.5, came.set).start()
    began = time.monotonic()
    why, _ = shell("sleep 600", stopped_by=lambda: "SIGTERM" if came.is_set() else None)
    assert why == "was ended by SIGTERM"
    assert time.monotonic() - began < 5


def test_it_has_a_session_of_its_own() -> None:
    assert ran(sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())") == (None, b"True\n")


def test_it_has_none_of_our_files() -> None:
    with open("/dev/null") as ours:
        os.set_inheritable(ours.fileno(), True)
        assert shell(f"test -e /dev/fd/{ours.fileno()}")[0] == "ended with exit status 1"


def lines_of(pieces: Sequence[bytes]) -> list[str]:
    lines: list[str] = []
    output = OutputLines(lines.append)
    for piece in pieces:
        output.take(piece)
    output.end()
    return lines


def test_output_is_made_printable_and_cut() -> None:
    assert lines_of([b"a", b"b\r\n\x1b[31mred\xff\n", b"", "é".encode()[:1], "é".encode()[1:]]) == [
        "ab",
        "\\x1b[31mred\\xff",
        "é",
    ]
    assert lines_of([b"\n\n"]) == ["", ""]
    assert lines_of([b"x" * LONGEST_LINE]) == ["x" * LONGEST_LINE]
    assert lines_of([b"x" * 100_000] * 10) == ["x" * LONGEST_LINE + "..."]
    assert lines_of(["🐳".encode() * 100_000]) == ["🐳" * LONGEST_LINE + "..."]
