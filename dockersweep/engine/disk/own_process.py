"""A call in a separate process: Python uses one processor at a time, however many threads it has."""

import fcntl
import gc
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import NoReturn, Self

_CHUNK_BYTES = 1 << 20
_LOOKS_UP_SECONDS = 1.0
"""How often the process checks that its parent is still there."""


def may_begin() -> bool:
    """Return whether a process is useful, and safe to fork: with other threads, the copy could wait forever for a lock
    that one of them held. Only on Linux can an engine's files be on this machine."""
    return threading.active_count() == 1 and hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) > 1


class OwnProcess:
    """A fork of this process that makes a call and exits, at the latest with this process."""

    def __init__(self, call: Callable[[], bytes]) -> None:
        """Start the call; raises OSError where no process can be started."""
        parent = os.getpid()
        self._reader, writer = os.pipe()
        with suppress(OSError):
            # Over the user's limit, the pipe keeps its size.
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _CHUNK_BYTES)
        try:
            self._number = os.fork()
        except OSError:
            os.close(self._reader)
            os.close(writer)
            raise
        if self._number == 0:
            _make(call, writer, parent)
        os.close(writer)

    def __enter__(self) -> Self:
        """End the process on exit, whatever it does."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the process."""
        os.close(self._reader)
        # If our parent process made us ignore SIGCHLD, it may be gone already, along with its pid.
        with suppress(ChildProcessError, ProcessLookupError):
            if os.waitpid(self._number, os.WNOHANG) == (0, 0):
                os.kill(self._number, 9)
                # Not waited for: one that hangs on a disk ends only when the disk answers.
                os.waitpid(self._number, os.WNOHANG)

    def result(self, seconds: float) -> bytes:
        """Return what the call returns, empty if it raised an error or was killed. Raises TimeoutError if it takes over
        `seconds`."""
        deadline = time.monotonic() + seconds
        waiting = select.poll()
        waiting.register(self._reader, select.POLLIN)
        pieces: list[bytes] = []
        while waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
            piece = os.read(self._reader, _CHUNK_BYTES)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
        raise TimeoutError


def _make(call: Callable[[], bytes], writer: int, parent: int) -> NoReturn:
    """Run the call in the forked process, and exit without running anything else of the parent's program."""
    try:
        _let_go(writer)
        _end_with(parent)
        # Collecting would touch, and so copy, all memory pages shared with the parent.
        gc.disable()
        answer = memoryview(call())
        while answer:
            answer = answer[os.write(writer, answer) :]
    finally:
        os._exit(0)


def _let_go(kept: int) -> None:
    """Close all file descriptors but one: locks and pipes last as long as anybody has them open."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor != kept:
            with suppress(OSError):
                os.close(descriptor)


def _end_with(parent: int) -> None:
    """Exit when the parent has exited, and silently on a signal."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, lambda *_: None if os.getppid() == parent else os._exit(1))
    signal.setitimer(signal.ITIMER_REAL, _LOOKS_UP_SECONDS, _LOOKS_UP_SECONDS)
