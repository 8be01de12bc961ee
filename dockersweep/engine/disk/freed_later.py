"""Waits for what is removed to be free on file systems that count it as used for a while."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable

from dockersweep.engine.disk.mounts import mount_of, read_mounts
from dockersweep.files import AnyPath

_COMMIT = 0x9408
"""BTRFS_IOC_SYNC of linux/btrfs.h: it also wakes what empties removed subvolumes."""
_LONGEST_WAIT_SECONDS = 30.0
_QUIET_SECONDS = {"btrfs": 1.0, "xfs": 0.25}
"""For how long nothing more becomes free when all has, by the file system."""
_POLLS = 5


def await_free_space(folders: Iterable[AnyPath]) -> None:
    """Wait until the file systems of these folders say what is free after removals, for at most half a minute each.

    XFS frees what is removed in the background. On btrfs it is free after the next commit, which comes every 30
    seconds, and what was in a subvolume, like a layer of Docker's driver of that name, only after a further one. Tried
    on Linux 6.18. What cannot be asked is passed over.
    """
    mounts = read_mounts()
    for folder in folders:
        mount = mount_of(os.path.realpath(folder), mounts)
        if mount is not None and mount.kind in _QUIET_SECONDS:
            with contextlib.suppress(OSError):
                _await_quiet(folder, mount.kind)


def _await_quiet(folder: AnyPath, kind: str) -> None:
    """Ask again and again, until nothing changes for a while. Raises OSError."""
    quiet = _QUIET_SECONDS[kind]
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        free, since = -1, time.monotonic()
        deadline = since + _LONGEST_WAIT_SECONDS
        while (now := time.monotonic()) < min(deadline, since + quiet):
            if kind == "btrfs":
                fcntl.ioctl(descriptor, _COMMIT)
            told = os.fstatvfs(descriptor).f_bfree
            if told > free:
                free, since = told, now
            time.sleep(quiet / _POLLS)
    finally:
        os.close(descriptor)
