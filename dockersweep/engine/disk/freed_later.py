"""Waits until removed data is free on file systems that go on counting it as used for a while."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable

from dockersweep.engine.disk.mounts import mount_of, read_mounts
from dockersweep.files import AnyPath

_COMMIT = 0x9408
"""BTRFS_IOC_SYNC of linux/btrfs.h; it also wakes the cleaner of removed subvolumes."""
_LONGEST_WAIT_SECONDS = 30.0
_QUIET_SECONDS = {"btrfs": 1.0, "xfs": 0.25}
"""File system -> how long free space must stay unchanged before everything counts as freed."""
_POLLS = 5


def await_free_space(folders: Iterable[AnyPath]) -> None:
    """Wait until the file systems of these folders report the space freed by removals, at most half a minute each.

    XFS frees space in the background. On btrfs it is free after the next commit (every 30 seconds), and the space of a
    subvolume, such as a layer of Docker's btrfs driver, only after one more. Tried on Linux 6.18. Folders that cannot
    be opened are skipped.
    """
    mounts = read_mounts()
    for folder in folders:
        mount = mount_of(os.path.realpath(folder), mounts)
        if mount is not None and mount.kind in _QUIET_SECONDS:
            with contextlib.suppress(OSError):
                _await_quiet(folder, mount.kind)


def _await_quiet(folder: AnyPath, kind: str) -> None:
    """Poll the free space until it stays unchanged for a while. Raises OSError."""
    quiet = _QUIET_SECONDS[kind]
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        free, since = -1, time.monotonic()
        deadline = since + _LONGEST_WAIT_SECONDS
        while (now := time.monotonic()) < min(deadline, since + quiet):
            if kind == "btrfs":
                fcntl.ioctl(descriptor, _COMMIT)
            free_now = os.fstatvfs(descriptor).f_bfree
            if free_now > free:
                free, since = free_now, now
            time.sleep(quiet / _POLLS)
    finally:
        os.close(descriptor)
