"""How many blocks files and folders take: holes, hard links and rounding as the file system has them."""

import contextlib
import math
import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, field

from dockersweep.engine.disk.mounts import Mount, mount_of, read_mounts
from dockersweep.files import is_folder

BLOCK_BYTES = 512
"""What st_blocks counts, whatever the file system's own blocks are."""


class TooLateError(Exception):
    """The time for measuring was over before all was measured."""


class DiskBytes(Struct, frozen=True):
    """What is freed when places are removed: between the two, as a file that is linked from elsewhere too stays."""

    low: int
    high: int
    inodes: int = 0
    """How many files and folders certainly go."""
    changed_at: float | None = None
    """When anything in these places was last written, made, moved or removed, in seconds since 1970; the folders that
    are the places themselves do not count. None where there is nothing in them."""
    is_whole: bool = True
    """False where something there is of another file system that is mounted nowhere, as far as is told."""
    by_folder: Mapping[str, int] = field(default_factory=dict)
    """The high bytes of each folder that is told by itself, without those in it that are told by themselves too."""


class MeasuredPlaces(NamedTuple):
    """Files and folders, and what they take together: none has a link to anywhere else."""

    places: tuple[str, ...]
    size_bytes: int


class Walker:
    """Measures until a deadline, and keeps what need not be walked again with what lies around it."""

    def __init__(self, deadline: float, mounts: Mapping[str, Mount]) -> None:
        """Take what is mounted from these."""
        self.deadline = deadline
        self.mounts = mounts
        self.measured: list[MeasuredPlaces] = []

    def measure(self, places: Sequence[Path]) -> DiskBytes:
        """Return what these places take, as `measure`."""
        size = measure(places, self.deadline, self.mounts)
        if size.low == size.high and size.is_whole:
            self.measured.append(MeasuredPlaces(tuple(map(str, places)), size.low))
        return size


def measure(
    places: Iterable[Path],
    deadline: float = float("inf"),
    mounts: Mapping[str, Mount] | None = None,
    measured: Mapping[str, int] | None = None,
    opened: Collection[str] = (),
) -> DiskBytes:
    """Return the disk bytes of files and of folders with all that is in them.

    A hard-linked file counts once, and for certain only where all its links are in these places. What is mounted
    there, on one of `mounts` or as another file system, is left out; subvolumes of a btrfs in `mounts` are not, and
    what two of them have from one snapshot counts once. What is in `measured` by its path counts what it has there, and
    no inodes, and is not looked at. What has gone by now counts nothing. The places, and the folders in those that are
    `opened`, are told one by one, too. Raises TooLateError once `time.monotonic()` is past
    the deadline, and OSError.
    """
    walk = _Walk(deadline, mounts or {}, measured or {}, opened)
    for place in places:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            walk.add(os.fspath(place))
    return walk.told()


_SUBVOLUME = 256
"""The number of the folder at the top of each subvolume: BTRFS_FIRST_FREE_OBJECTID of btrfs_tree.h."""
_Inode = tuple[int, int, int]


class _Walk:
    """Adds up what is met. A million files are no rarity, so what is done for each is done in one loop."""

    def __init__(
        self, deadline: float, mounts: Mapping[str, Mount], measured: Mapping[str, int], opened: Collection[str]
    ) -> None:
        self._deadline = deadline
        self._mounts = mounts
        self._passed_over = {**measured, **dict.fromkeys(mounts, 0)}
        """What is not looked at, with the bytes that it counts."""
        self._around = frozenset(map(os.path.dirname, self._passed_over))
        """The folders that it lies in: to ask of each of a million files takes a tenth of the time."""
        self._now = time.time()
        self._changed_at = -math.inf
        self._single = self._inodes = 0
        self._is_whole = True
        self._links_left: dict[_Inode, int] = {}
        self._linked: dict[_Inode, int] = {}
        self._linked_bytes = 0
        self._opened = frozenset(opened)
        self._apart: set[str] = set()
        """The folders that are told by themselves."""
        self._by_folder: dict[str, int] = {}
        self._begun: tuple[str, int] | None = None
        """The one of them that is walked, and what had been counted before."""

    def add(self, place: str) -> None:
        """Count a file, or a folder with all that is in it."""
        top = os.lstat(place)
        if not stat.S_ISDIR(top.st_mode):
            self._add_linked(top, (top.st_dev, top.st_ino, 0))
            return
        self._begin(place)
        self._single += top.st_blocks * BLOCK_BYTES
        self._inodes += 1
        waiting = [(place, top.st_dev)]
        while waiting:
            if time.monotonic() > self._deadline:
                raise TooLateError
            folder, device = waiting.pop()
            # All that is in a folder is walked before what lies beside it.
            if folder in self._apart:
                self._begin(folder)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
                met = self._without_passed_over(folder, entries) if folder in self._around else entries
                inside = self._folder(met, device, is_snapshot=device != top.st_dev)
                waiting += inside
                if folder in self._opened:
                    self._apart.update(path for path, _ in inside)
        self._begin(None)

    def _begin(self, folder: str | None) -> None:
        """Go over to a folder that is told by itself; None where all of a place was walked."""
        counted = self._single + self._linked_bytes
        if self._begun is not None:
            last, before = self._begun
            self._by_folder[last] = self._by_folder.get(last, 0) + counted - before
        self._begun = None if folder is None else (folder, counted)

    def _folder(self, entries: Iterable[os.DirEntry[str]], device: int, *, is_snapshot: bool) -> list[tuple[str, int]]:
        """Count what is in a folder, and return the folders there, each with the number of its device."""
        now, changed_at = self._now, self._changed_at
        folders: list[tuple[str, int]] = []
        blocks = inodes = 0
        for entry in entries:
            try:
                state = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if state.st_dev != device and not self._is_subvolume(entry.path, state):
                # What was mounted meanwhile is left out as all mounts are.
                self._is_whole = self._is_whole and entry.path in read_mounts()
                continue
            # The kernel sets the status change time whenever contents change, so that it is the later one; the
            # modification time can be set to anything, as archives do. Times of the future tell nothing.
            changed = state.st_ctime if state.st_ctime <= now else state.st_mtime
            if changed_at < changed <= now:
                changed_at = changed
            if stat.S_ISDIR(state.st_mode):
                folders.append((entry.path, state.st_dev))
            elif is_snapshot:
                # A snapshot has the numbers of the files that it is of, which differ in time once one is written to.
                self._add_linked(state, (0, state.st_ino, state.st_ctime_ns))
                continue
            elif state.st_nlink != 1:
                self._add_linked(state, (device, state.st_ino, 0))
                continue
            blocks += state.st_blocks
            inodes += 1
        self._single += blocks * BLOCK_BYTES
        self._inodes += inodes
        self._changed_at = changed_at
        return folders

    def _without_passed_over(self, folder: str, entries: Iterable[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
        """Yield what is to be looked at in a folder, and count the rest."""
        for entry in entries:
            size = self._passed_over.get(entry.path)
            if size is None:
                yield entry
            elif size > 0:
                self._single += size
                if folder in self._opened and is_folder(entry.path):
                    self._tell_apart(entry.path, size)

    def _tell_apart(self, folder: str, size: int) -> None:
        """Tell by itself what has just been counted in the folder that is walked."""
        self._by_folder[folder] = self._by_folder.get(folder, 0) + size
        if self._begun is not None:
            around, before = self._begun
            self._begun = (around, before + size)

    def _add_linked(self, state: os.stat_result, file: _Inode) -> None:
        """Count a file that may be met again."""
        self._links_left[file] = self._links_left.get(file, state.st_nlink) - 1
        if file not in self._linked:
            self._linked_bytes += state.st_blocks * BLOCK_BYTES
        self._linked[file] = state.st_blocks * BLOCK_BYTES

    def _is_subvolume(self, path: str, state: os.stat_result) -> bool:
        """Whether a folder with another device number than the one around it is of the same btrfs."""
        if state.st_ino != _SUBVOLUME or not stat.S_ISDIR(state.st_mode):
            return False
        mount = mount_of(os.path.realpath(path), self._mounts)
        return mount is not None and mount.kind == "btrfs" and mount.point != os.path.realpath(path)

    def told(self) -> DiskBytes:
        """Return what has been counted."""
        whole = [size for file, size in self._linked.items() if self._links_left[file] <= 0]
        return DiskBytes(
            self._single + sum(whole),
            self._single + sum(self._linked.values()),
            self._inodes + len(whole),
            None if self._changed_at == -math.inf else self._changed_at,
            self._is_whole,
            self._by_folder,
        )
