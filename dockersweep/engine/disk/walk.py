"""Measures the disk blocks of files and folders, with holes, hard links and rounding as on the file system."""

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
from dockersweep.files import AnyPath, is_folder

BLOCK_BYTES = 512
"""The unit of st_blocks, whatever the file system's own block size."""


class TooLateError(Exception):
    """The deadline passed before everything was measured."""


class DiskBytes(Struct, frozen=True):
    """The bytes freed when places are removed: from `low` to `high`, as files with hard links elsewhere stay."""

    low: int
    high: int
    inodes: int = 0
    """The number of files and folders that are surely removed."""
    changed_at: float | None = None
    """When anything in these places was last written, created, moved or removed, in seconds since 1970, not counting
    the places themselves. None if they are empty."""
    is_whole: bool = True
    """False if something there is on another file system that no known mount explains."""
    by_folder: Mapping[str, int] = field(default_factory=dict)
    """Folder -> high bytes, for separately listed folders, without listed folders inside them."""
    lengths: int | None = None
    """The lengths of all files in the `counted` folder, hard-linked ones once, as engines add them up; None if it was
    not found, or something in it was left out."""


class MeasuredPlaces(NamedTuple):
    """Files and folders without hard links to anywhere else, and their size together."""

    places: tuple[AnyPath, ...]
    size_bytes: int


class Walker:
    """Measures until a deadline, and remembers places that need not be walked again along with their surroundings."""

    def __init__(self, deadline: float, mounts: Mapping[str, Mount]) -> None:
        """`deadline` is an instant of `time.monotonic`, `mounts` are those of `read_mounts`."""
        self.deadline = deadline
        self.mounts = mounts
        self._passed_over = _passed_over(mounts, {})
        self.measured: list[MeasuredPlaces] = []

    def measure(self, places: Sequence[AnyPath], counted: AnyPath | None = None) -> DiskBytes:
        """Return the size of these places, as `measure` does."""
        walk = _Walk(self.deadline, self.mounts, self._passed_over, (), counted)
        size = walk.through(places)
        self.know(places, size)
        return size

    def know(self, places: Sequence[AnyPath], size: DiskBytes) -> None:
        """Remember the size of places if they share nothing with others."""
        if size.low == size.high and size.is_whole and places:
            self.measured.append(MeasuredPlaces(tuple(places), size.low))


def measure(
    places: Iterable[AnyPath],
    deadline: float = float("inf"),
    mounts: Mapping[str, Mount] | None = None,
    measured: Mapping[str, int] | None = None,
    opened: Collection[str] = (),
    counted: AnyPath | None = None,
) -> DiskBytes:
    """Return the disk bytes of files and of folders with all their contents.

    A hard-linked file counts once, and as certain only if all its links are in these places. Mounts in them, known from
    `mounts` or by another device number, are left out; subvolumes of a btrfs in `mounts` are not, and data that two of
    them share through a snapshot counts once. Paths in `measured` count as given there, without inodes, and are not
    looked at. Missing files count nothing. The places, and the subfolders of `opened` folders, are also listed one by
    one; for the `counted` folder the lengths of its files are added up too. Raises TooLateError once
    `time.monotonic()` is past the deadline, and OSError.
    """
    known = mounts or {}
    return _Walk(deadline, known, _passed_over(known, measured or {}), opened, counted).through(places)


class _PassedOver(NamedTuple):
    """The paths that walks skip."""

    sizes: Mapping[str, int]
    """Path -> the bytes that it counts."""
    around: frozenset[str]
    """The folders of these paths: looking up each of a million files would take a tenth of the time."""


def _passed_over(mounts: Mapping[str, Mount], measured: Mapping[str, int]) -> _PassedOver:
    sizes = {**measured, **dict.fromkeys(mounts, 0)}
    return _PassedOver(sizes, frozenset(map(os.path.dirname, sizes)))


def lengths_below(folder: Path, deadline: float) -> int:
    """Return the sum of the lengths of all files in a folder, hard-linked ones once, mounts included; 0 if it does not
    exist. Raises TooLateError once `time.monotonic()` is past the deadline, and OSError."""
    lengths, waiting = _Lengths(None), [str(folder)]
    while waiting:
        if time.monotonic() > deadline:
            raise TooLateError
        with contextlib.suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                state = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(state.st_mode):
                    waiting.append(entry.path)
                else:
                    lengths.add(state)
    return lengths.total


_SUBVOLUME = 256
"""The inode of the top folder of each subvolume: BTRFS_FIRST_FREE_OBJECTID of btrfs_tree.h."""
_Inode = tuple[int, int, int]


class _Lengths:
    """Adds up the lengths of the files in one folder during a walk of several places."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._depth: int | None = None
        """How many folders were waiting when the walk entered it; None before."""
        self._linked: set[int] = set()
        self.total = 0
        self.is_inside = False
        self.is_whole = True

    def enter(self, folder: str, waiting: int) -> None:
        """Note which folder is walked now, with `waiting` folders to go: a folder's contents are walked before
        those."""
        if folder == self._folder:
            self._depth, self.is_inside = waiting, True
        elif self._depth is None or waiting < self._depth:
            self.is_inside = False

    def add(self, state: os.stat_result) -> None:
        """Count a file."""
        if state.st_nlink > 1:
            if state.st_ino in self._linked:
                return
            self._linked.add(state.st_ino)
        self.total += state.st_size

    def counted(self) -> int | None:
        """Return the sum of lengths; None if the folder was not found or not counted in full."""
        return None if self._depth is None or not self.is_whole else self.total


class _Walk:
    """Adds up files and folders. A million files are not rare, so all work on a file is in one loop."""

    def __init__(
        self,
        deadline: float,
        mounts: Mapping[str, Mount],
        passed_over: _PassedOver,
        opened: Collection[str],
        counted: AnyPath | None,
    ) -> None:
        self._deadline = deadline
        self._mounts = mounts
        self._passed_over, self._around = passed_over
        self._now = time.time()
        self._changed_at = -math.inf
        self._single = self._inodes = 0
        self._is_whole = True
        self._links_left: dict[_Inode, int] = {}
        self._linked: dict[_Inode, int] = {}
        self._linked_bytes = 0
        self._opened = frozenset(opened)
        self._apart: set[str] = set()
        """The folders that are listed separately."""
        self._by_folder: dict[str, int] = {}
        self._lengths = _Lengths(None if counted is None else os.fspath(counted))
        self._begun: tuple[str, int] | None = None
        """The separately listed folder that is being walked, and what had been counted before it."""

    def through(self, places: Iterable[AnyPath]) -> DiskBytes:
        """Measure all of these places that exist."""
        for place in places:
            try:
                self._add(os.fspath(place))
            except (FileNotFoundError, NotADirectoryError):
                continue
        return self._size()

    def _add(self, place: str) -> None:
        """Count a file, or a folder with all its contents."""
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
            # A folder's contents are walked before its siblings.
            if folder in self._apart:
                self._begin(folder)
            self._lengths.enter(folder, len(waiting))
            try:
                with os.scandir(folder) as entries:
                    met = self._without_passed_over(folder, entries) if folder in self._around else entries
                    inside = self._folder(met, device, is_snapshot=device != top.st_dev)
            except (FileNotFoundError, NotADirectoryError):
                continue
            waiting += inside
            if folder in self._opened:
                self._apart.update(path for path, _ in inside)
        self._begin(None)
        self._lengths.is_inside = False

    def _begin(self, folder: str | None) -> None:
        """Switch to a separately listed folder; None at the end of a place."""
        counted = self._single + self._linked_bytes
        if self._begun is not None:
            last, before = self._begun
            self._by_folder[last] = self._by_folder.get(last, 0) + counted - before
        self._begun = None if folder is None else (folder, counted)

    def _folder(self, entries: Iterable[os.DirEntry[str]], device: int, *, is_snapshot: bool) -> list[tuple[str, int]]:
        """Count the entries of a folder, and return its subfolders with their device numbers."""
        now, changed_at = self._now, self._changed_at
        lengths = self._lengths if self._lengths.is_inside else None
        folders: list[tuple[str, int]] = []
        blocks = inodes = 0
        for entry in entries:
            try:
                state = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if state.st_dev != device and not self._is_subvolume(entry.path, state):
                # A new mount is left out, as all mounts are.
                self._is_whole = self._is_whole and entry.path in read_mounts()
                if lengths:
                    lengths.is_whole = False
                continue
            # The kernel updates the status change time with every change of contents, so it is the later one; the
            # modification time can be set to anything, as archives do. Times in the future are ignored.
            changed = state.st_ctime if state.st_ctime <= now else state.st_mtime
            if changed_at < changed <= now:
                changed_at = changed
            if stat.S_ISDIR(state.st_mode):
                folders.append((entry.path, state.st_dev))
                blocks += state.st_blocks
                inodes += 1
                continue
            if lengths:
                lengths.add(state)
            if is_snapshot:
                # Files in a snapshot have the inodes of the originals; their times differ once one is written to.
                self._add_linked(state, (0, state.st_ino, state.st_ctime_ns))
                continue
            if state.st_nlink != 1:
                self._add_linked(state, (device, state.st_ino, 0))
                continue
            blocks += state.st_blocks
            inodes += 1
        self._single += blocks * BLOCK_BYTES
        self._inodes += inodes
        self._changed_at = changed_at
        return folders

    def _without_passed_over(self, folder: str, entries: Iterable[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
        """Yield the entries of a folder that are not skipped, and count the skipped ones."""
        for entry in entries:
            size = self._passed_over.get(entry.path)
            if size is None:
                yield entry
                continue
            if self._lengths.is_inside:
                self._lengths.is_whole = False
            if size > 0:
                self._single += size
                if folder in self._opened and is_folder(entry.path):
                    self._count_apart(entry.path, size)

    def _count_apart(self, folder: str, size: int) -> None:
        """List separately what has just been counted within the folder being walked."""
        self._by_folder[folder] = self._by_folder.get(folder, 0) + size
        if self._begun is not None:
            around, before = self._begun
            self._begun = (around, before + size)

    def _add_linked(self, state: os.stat_result, file: _Inode) -> None:
        """Count a file that may occur again."""
        self._links_left[file] = self._links_left.get(file, state.st_nlink) - 1
        if file not in self._linked:
            self._linked_bytes += state.st_blocks * BLOCK_BYTES
        self._linked[file] = state.st_blocks * BLOCK_BYTES

    def _is_subvolume(self, path: str, state: os.stat_result) -> bool:
        """Whether a folder with another device number than its parent is a subvolume of the same btrfs."""
        if state.st_ino != _SUBVOLUME or not stat.S_ISDIR(state.st_mode):
            return False
        mount = mount_of(os.path.realpath(path), self._mounts)
        return mount is not None and mount.kind == "btrfs" and mount.point != os.path.realpath(path)

    def _size(self) -> DiskBytes:
        whole = [size for file, size in self._linked.items() if self._links_left[file] <= 0]
        return DiskBytes(
            self._single + sum(whole),
            self._single + sum(self._linked.values()),
            self._inodes + len(whole),
            None if self._changed_at == -math.inf else self._changed_at,
            self._is_whole,
            self._by_folder,
            self._lengths.counted(),
        )
