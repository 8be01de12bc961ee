"""Run directories: everything that an engine keeps on the disk, and the proof that its owner lives.

Each run directory holds a file with a lock that its owner, or the owner's keeper, holds for as long as it
lives. A directory whose lock is free belongs to nobody any more, and the next start removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from pathlib import Path

from tests.rig.engines import cgroups, disks

_BASE = Path("/var/tmp")
"""Not /tmp, which may be a tmpfs, on which overlay2 does not work; and a short path, as sockets need."""
_PREFIX = "dsw-"
_LOCK = "lock"


class RunDirectory:
    """A directory of our own, locked for as long as this object and the processes it was passed to live."""

    def __init__(self) -> None:
        self.path = _BASE / f"{_PREFIX}{secrets.token_hex(4)}"
        # The directory gets its proper name only when its lock is held, or a sweep could take it for dead.
        unnamed = self.path.with_name(f".{self.path.name}")
        unnamed.mkdir(mode=0o755)
        self.lock = os.open(unnamed / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        unnamed.rename(self.path)

    @property
    def name(self) -> str:
        """The name that the directory shares with the run's cgroups."""
        return self.path.name

    def remove(self) -> None:
        """Remove the directory and give up its lock."""
        remove(self.path)
        os.close(self.lock)


def remove(path: Path) -> None:
    """Remove a run directory whose processes have ended."""
    cgroups.remove(path.name)
    disks.unmount_below(path)
    shutil.rmtree(path)


def sweep() -> list[Path]:
    """Remove the run directories of dead owners, and return them."""
    return [path for path in sorted(_BASE.glob(f"{_PREFIX}*")) if _removed_if_dead(path)]


def _removed_if_dead(path: Path) -> bool:
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        # It has just gone, or it is not one of ours.
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        # Another sweep may have removed it between our opening and our locking.
        with contextlib.suppress(FileNotFoundError):
            remove(path)
        return True
    finally:
        os.close(lock)
