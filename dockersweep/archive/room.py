"""How much the archive may take: what is checked before an object is written, and while it is."""

import os
import stat
from collections.abc import Iterator

from dockersweep.errors import NoRoomError
from dockersweep.model.policy import ArchiveSettings, Space
from dockersweep.units import format_size


class Room:
    """The room for one run."""

    def __init__(self, folder: str, settings: ArchiveSettings) -> None:
        """`folder` is that of the archive."""
        self._folder = folder
        self.max_bytes = None if settings.max_size is None else settings.max_size.size_bytes
        self._min_free = settings.min_free

    def check(self, own_bytes: int) -> None:
        """Raise NoRoomError where the disk is too full, or what one run has written is larger than the archive may be.

        `own_bytes` is what this run has written so far, what is in hand included.
        """
        if self.max_bytes is not None and own_bytes > self.max_bytes:
            raise NoRoomError(
                f"the archive has no room: this run alone would take more than {format_size(self.max_bytes)} (max_size)"
            )
        state = os.statvfs(self._folder)
        free = state.f_bavail * state.f_frsize
        if free < min_free_bytes(self._min_free, state.f_blocks * state.f_frsize):
            raise NoRoomError(
                f"the archive has no room: its disk has {format_size(free)} free, "
                f"and {self._min_free.text} stays free (min_free)"
            )


def min_free_bytes(min_free: Space, disk_bytes: int) -> int:
    """Return how many bytes of a disk of this size have to stay free."""
    if min_free.size_bytes is not None:
        return min_free.size_bytes
    return int(disk_bytes * (min_free.percent or 0) / 100)


def taken_by(folder: str) -> int:
    """Return how many bytes of the disk a folder takes with all that is in it. Raises OSError."""
    return sum(_sizes(folder))


def _sizes(folder: str) -> Iterator[int]:
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        # Another run may delete it meanwhile.
        return
    with entries:
        for entry in entries:
            try:
                state = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield state.st_blocks * 512
            if stat.S_ISDIR(state.st_mode):
                yield from _sizes(entry.path)
