"""Runs GNU tar and GNU find in an open folder, so that they can never be led out of it."""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from threading import Thread
from typing import IO, TYPE_CHECKING

from dockersweep.errors import ArchiveError

if TYPE_CHECKING:
    Process = subprocess.Popen[bytes]

PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031
_LONGEST_LINE = 10_000


class Program:
    """A running program, with its messages, which are read all the time so that it never waits for us."""

    def __init__(self, process: "Process", name: str) -> None:
        """Use `running` instead."""
        self.process = process
        self.name = name
        self.messages: Counter[str] = Counter()
        """Message without its subject -> how often it came: "socket ignored"."""
        self.first: dict[str, str] = {}
        """Message without its subject -> the whole line where it came first."""
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in iter(lambda: self.process.stderr.readline(_LONGEST_LINE), b""):  # type: ignore[union-attr]
            text = line.decode(errors="backslashreplace").rstrip("\n").removeprefix(f"{self.name}: ")
            message = text.rpartition(": ")[2]
            self.messages[message] += 1
            self.first.setdefault(message, text)

    def end(self) -> int:
        """Wait for it to end and return its exit status; its messages are complete then."""
        status = self.process.wait()
        self._thread.join()
        return status


@contextmanager
def running(arguments: Sequence[str], folder: int, stdin: int | IO[bytes] = subprocess.DEVNULL) -> Iterator[Program]:
    """Run a program in an open folder; its output is a large pipe. It is killed where it has not ended by the end.

    Raises ArchiveError where it is not installed.
    """
    try:
        process = subprocess.Popen(
            arguments,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=f"/proc/self/fd/{folder}",
            env={**os.environ, "LC_ALL": "C", "TAR_OPTIONS": ""},
            bufsize=0,
        )
    except FileNotFoundError:
        raise ArchiveError(f"the archive needs GNU {arguments[0]}, which is not installed here") from None
    program = None
    try:
        widen(process.stdout)
        program = Program(process, arguments[0])
        yield program
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if program is not None:
            program.end()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def widen(pipe: IO[bytes] | None) -> None:
    """Give a pipe more room, as far as the system allows it: fewer changes between processes."""
    import fcntl

    if pipe is None:
        return
    try:
        fcntl.fcntl(pipe.fileno(), _F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        return


def output_of(program: Program) -> Iterator[memoryview]:
    """Yield what a program writes, in large pieces; each holds until the next is asked for. To make new ones would cost
    as much as all else of the way from one process to the other."""
    output = program.process.stdout
    assert isinstance(output, FileIO)
    buffer = bytearray(PIPE_BYTES)
    view = memoryview(buffer)
    while length := output.readinto(buffer):
        yield view[:length]
