"""Runs a program that may do anything: read nothing, write without end, or never end."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from dockersweep.units import format_duration

CHUNK_BYTES = 1 << 16
LOOK_SECONDS = 0.05
"""How often to look whether it has ended, which nothing tells where others hold its output open."""
GRACE_SECONDS = 2.0
"""How long it has between SIGTERM and SIGKILL."""
MOST_READS_AT_END = 64


def run_program(
    words: Sequence[str],
    data: bytes,
    seconds: float,
    take: Callable[[bytes], None],
    stopped_by: Callable[[], str | None],
    environment: Mapping[str, str] | None = None,
    file: str | None = None,
) -> str | None:
    """Run a program in a session of its own, with `data` on its standard input; `take` gets what it writes.

    `file` is what is executed, the first word if left out. After `seconds`, or when `stopped_by` names a signal, its
    process group is ended. What it started in the background goes on once the program itself has ended in time. Returns
    why it failed, to follow its name ("ended with exit status 3"); None where it ended with 0.
    """
    try:
        process = subprocess.Popen(
            words,
            executable=file,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
    except (OSError, ValueError) as error:
        return f"cannot be started: {getattr(error, 'strerror', None) or error}"
    pipes = _Pipes(process, data, take)
    try:
        why = _wait(process, pipes, seconds, stopped_by)
        pipes.drain()
    except BaseException:
        _end_group(process)
        raise
    finally:
        pipes.close()
    return why or _ending(process.returncode)


def _wait(
    process: "subprocess.Popen[bytes]", pipes: "_Pipes", seconds: float, stopped_by: Callable[[], str | None]
) -> str | None:
    """Wait for the end of the program; return why it had to be ended, None where it ended by itself."""
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        by = stopped_by()
        if by is not None or time.monotonic() >= deadline:
            _end_group(process)
            return f"was ended by {by}" if by is not None else f"did not end within {format_duration(seconds)}"
        pipes.pass_on(LOOK_SECONDS)
    return None


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """End the program and all that it started in its process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        # macOS denies a signal to a group that has only ended processes.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        # One that cannot be killed, for example on a share that hangs, must not hold us.
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)


def _ending(status: int | None) -> str | None:
    if status == 0:
        return None
    if status is None:
        return "cannot be ended"
    if status > 0:
        return f"ended with exit status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


class _Pipes:
    """Standard input and output of a program, neither of which is ever waited for longer than asked."""

    def __init__(self, process: "subprocess.Popen[bytes]", data: bytes, take: Callable[[bytes], None]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self._left, self._take = memoryview(data), take
        self._selector = selectors.DefaultSelector()
        for pipe, event in ((self._input, selectors.EVENT_WRITE), (self._output, selectors.EVENT_READ)):
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, event)

    def pass_on(self, seconds: float) -> bool:
        """Pass on what is ready within this time; return whether something was read."""
        has_read = False
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._input:
                self._write()
            else:
                has_read = self._read()
        return has_read

    def drain(self) -> None:
        """Pass on what was written before the end; what goes on in the background may write for ever."""
        for _ in range(MOST_READS_AT_END):
            if not self.pass_on(0):
                return

    def _write(self) -> None:
        try:
            self._left = self._left[os.write(self._input.fileno(), self._left[:CHUNK_BYTES]) :]
        except BlockingIOError:
            return
        except OSError:
            # It does not read all of it, or none: that is its own matter.
            self._left = memoryview(b"")
        if not self._left:
            self._selector.unregister(self._input)
            self._close_input()

    def _read(self) -> bool:
        try:
            data = os.read(self._output.fileno(), CHUNK_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data:
            self._take(data)
        else:
            self._selector.unregister(self._output)
        return bool(data)

    def _close_input(self) -> None:
        # Nothing is buffered, but closing may still tell that the reader is gone.
        with suppress(OSError):
            self._input.close()

    def close(self) -> None:
        """Close all of it."""
        self._selector.close()
        self._close_input()
        self._output.close()
