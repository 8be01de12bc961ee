"""Locks a file or a folder that is open, and waits no longer for it than it is worth."""

import fcntl
import time

PAUSE_SECONDS = 0.05


def lock_within(descriptor: int, seconds: float, shared: bool = False) -> None:
    """Lock a file for this process alone, or with others that share it; the lock goes with the descriptor.

    Raises BlockingIOError where another process still holds it when the time is over, and any other OSError where
    there are no locks to be had: on a pipe, and on some file systems of a network.
    """
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            time.sleep(min(PAUSE_SECONDS, left))
