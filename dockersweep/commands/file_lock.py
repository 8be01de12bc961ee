"""Locks a file that is open, and waits no longer for it than it is worth."""

import fcntl
import time

PAUSE_SECONDS = 0.05


def lock_within(descriptor: int, seconds: float) -> None:
    """Lock the file for this process alone; the lock goes with the descriptor.

    Raises BlockingIOError where another process still holds it when the time is over, and any other OSError where
    there are no locks to be had: on a pipe, and on some file systems of a network.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            time.sleep(min(PAUSE_SECONDS, left))
