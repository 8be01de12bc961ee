"""Wakes the loop of a watcher: from other threads, and from signal handlers."""

import os
import select
from collections.abc import Iterable
from contextlib import suppress


class Wakeup:
    """A pipe that the loop waits on, beside what else it waits for."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)

    def wake(self) -> None:
        """Let `wait` return at once, now or when it is called next. Safe for threads and signal handlers."""
        # A full pipe wakes as well, and at the end it may be closed.
        with suppress(OSError):
            os.write(self._write, b"\0")

    def wait(self, seconds: float, others: Iterable[int] = ()) -> None:
        """Wait for `wake`, or until one of the other descriptors can be read."""
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        for descriptor in others:
            poll.register(descriptor, select.POLLIN)
        ready = [descriptor for descriptor, _ in poll.poll(max(0, seconds) * 1000)]
        if self._read in ready:
            with suppress(BlockingIOError):
                os.read(self._read, 65_536)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._read)
        os.close(self._write)
