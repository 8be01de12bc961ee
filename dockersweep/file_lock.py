"""Locks an open file or folder, waiting for a limited time; and who holds the lock of a file."""

import fcntl
import os
import time
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

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


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock, as written in its file."""

    pid: int
    started_at: datetime


def holder_of(descriptor: int) -> Holder | None:
    """Return who holds the lock of an open file; None where that is not known."""
    try:
        holder = msgspec.json.decode(os.pread(descriptor, 1000, 0), type=Holder)
        os.kill(holder.pid, 0)
    except PermissionError:
        # A process of another user.
        return holder
    except (OSError, OverflowError, msgspec.DecodeError, UnicodeDecodeError):
        # The file is empty just after the lock was taken, and a killed run leaves its pid.
        return None
    return holder


def write_holder(descriptor: int) -> None:
    """Write our pid. A full disk does not matter: the lock holds, and only its holder's pid is missing."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(Holder(os.getpid(), datetime.now(UTC))), 0)


def forget_holder(descriptor: int) -> None:
    """Remove our pid: the next run may be able to lock the file but not to write it."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
