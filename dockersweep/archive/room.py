"""How much a run may write: looked at before an object is written, while it is, and before it counts."""

import os
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

from dockersweep.archive.retention import StoredRun, make_room
from dockersweep.archive.sizes import taken_by
from dockersweep.errors import NoRoomError
from dockersweep.files import state_of
from dockersweep.model.policy import ArchiveSettings, Space
from dockersweep.units import format_size


class Room:
    """The room for one run. Several threads may use it at once."""

    def __init__(
        self, archive: str, run: str, settings: ArchiveSettings, interrupt: Callable[[], None] = lambda: None
    ) -> None:
        """`archive` is the folder of the archive, `run` the name of the run in it; what `interrupt` raises ends the
        writing of an object. Raises OSError."""
        self._interrupt = interrupt
        self._archive = archive
        self._run = run
        self._max_bytes = None if settings.max_size is None else settings.max_size.size_bytes
        self._min_free = settings.min_free
        self._mutex = Lock()
        self.deleted: list[StoredRun] = []
        """What was deleted to make room."""
        self._own_bytes = 0
        self._others_bytes = 0 if self._max_bytes is None else taken_by(archive)

    def check(self, in_hand: int) -> None:
        """Raise NoRoomError where the disk is too full, or the run is larger than the archive may be.

        `in_hand` is how many bytes of an object that is being written are there. Meanwhile the archive may be larger
        than it may be: nothing old goes for an object that turns out too large.
        """
        self._interrupt()
        if self._max_bytes is not None and self._own_bytes + in_hand > self._max_bytes:
            raise NoRoomError(
                "the archive has no room: what this run archives would take more than "
                f"{format_size(self._max_bytes)} (max_size)"
            )
        disk = disk_space(self._archive)
        if disk.free_bytes < min_free_bytes(self._min_free, disk.total_bytes):
            raise NoRoomError(
                f"the archive has no room: its disk has {format_size(disk.free_bytes)} free, "
                f"and {self._min_free.text} stays free (min_free)"
            )

    def settle(self, in_hand: int) -> None:
        """Make room for an object that is whole by now, and count it: the oldest runs go, as far as it takes.

        Raises NoRoomError where that is not enough, ArchiveError where the archive is locked for long, and OSError.
        """
        self.check(in_hand)
        with self._mutex:
            # Another thread may have settled since that check.
            own_bytes = self._own_bytes + in_hand
            if self._max_bytes is not None and self._others_bytes + own_bytes > self._max_bytes:
                is_enough, deleted = make_room(self._archive, self._run, self._max_bytes)
                self.deleted += deleted
                self._others_bytes = max(0, taken_by(self._archive) - own_bytes)
                if not is_enough or own_bytes > self._max_bytes:
                    raise NoRoomError(
                        "the archive has no room: with this it would take more than "
                        f"{format_size(self._max_bytes)} (max_size), and nothing older can be deleted"
                    )
            self._own_bytes = own_bytes

    def release(self, settled_bytes: int) -> None:
        """Count an object no longer that settled, and then could not be archived."""
        with self._mutex:
            self._own_bytes -= settled_bytes


class DiskSpace(NamedTuple):
    """The space of a file system, as a user without privileges may take it."""

    free_bytes: int
    total_bytes: int


def disk_space(folder: str) -> DiskSpace:
    """Return the space where a folder is. Raises OSError."""
    state = os.statvfs(folder)
    return DiskSpace(state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize)


def nearest_folder(path: str) -> str:
    """Return a path without links or, where nothing is there yet, the nearest folder above it. Raises OSError."""
    path = os.path.realpath(path)
    while state_of(path) is None:
        path = os.path.dirname(path)
    return path


def min_free_bytes(min_free: Space, disk_bytes: int) -> int:
    """Return how many bytes of a disk of this size have to stay free."""
    if min_free.size_bytes is not None:
        return min_free.size_bytes
    return int(disk_bytes * (min_free.percent or 0) / 100)
