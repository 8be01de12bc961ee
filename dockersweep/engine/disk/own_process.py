"""A call in a process of its own: Python works on one processor at a time, however many threads it has."""

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
"""How often the process looks whether somebody still waits for it."""


def may_begin() -> bool:
    """Return whether a process would be of use, and is safe to make: what a thread holds at that moment, such as a
    lock, its copy would wait for in vain. Elsewhere than on Linux no engine's files are beside us."""
    return threading.active_count() == 1 and hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) > 1


class OwnProcess:
    """A copy of this process that makes a call and ends, at the latest when this process does."""

    def __init__(self, call: Callable[[], bytes]) -> None:
        """Begin; raises OSError where there is no process to be had."""
        parent = os.getpid()
        self._reader, writer = os.pipe()
        with suppress(OSError):
            # Beyond what a user may have, a pipe stays as it is.
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
        """End it at the end, whatever it does."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End it."""
        os.close(self._reader)
        # Where whoever started us has ended children ignored, it may have gone without a word, its number with it.
        with suppress(ChildProcessError, ProcessLookupError):
            if os.waitpid(self._number, os.WNOHANG) == (0, 0):
                os.kill(self._number, 9)
                # One that hangs on a disk ends when that answers, and is not waited for.
                os.waitpid(self._number, os.WNOHANG)

    def result(self, seconds: float) -> bytes:
        """Wait so long for what the call returns; nothing where it raised something, or was ended. Raises TimeoutError
        where it takes longer."""
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
    """Be the copy: nothing of what the process was about to do may happen twice."""
    try:
        _let_go(writer)
        _end_with(parent)
        # All that there is belongs to the other process, and would be copied to be looked through.
        gc.disable()
        answer = memoryview(call())
        while answer:
            answer = answer[os.write(writer, answer) :]
    finally:
        os._exit(0)


def _let_go(kept: int) -> None:
    """Close all that is open but one: a lock lasts as long as anybody has its file open, and a pipe as well."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor != kept:
            with suppress(OSError):
                os.close(descriptor)


def _end_with(parent: int) -> None:
    """End when the parent has ended, and by a signal without a word."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, lambda *_: None if os.getppid() == parent else os._exit(1))
    signal.setitimer(signal.ITIMER_REAL, _LOOKS_UP_SECONDS, _LOOKS_UP_SECONDS)
