"""Locks an open file or folder, waiting for a limited time."""

import fcntl
import time

PAUSE_SECONDS = 0.05


def lock_within(descriptor: int, seconds: float, shared: bool = False) -> None:
    """Lock a file, exclusively or shared; the lock ends with the descriptor.

    Raises BlockingIOError if another process still holds it after `seconds`, and another OSError where locks are not
    supported: on pipes, and on some network file systems.
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
