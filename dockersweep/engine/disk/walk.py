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
from dockersweep.files import AnyPath, is_folder

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
    lengths: int | None = None
    """The lengths of all files in the folder that was `counted`, a linked one once, as engines add them up; None where
    it was not met, or something in it was left out."""


class MeasuredPlaces(NamedTuple):
    """Files and folders, and what they take together: none has a link to anywhere else."""

    places: tuple[AnyPath, ...]
    size_bytes: int


class Walker:
    """Measures until a deadline, and keeps what need not be walked again with what lies around it."""

    def __init__(self, deadline: float, mounts: Mapping[str, Mount]) -> None:
        """Take what is mounted from these."""
        self.deadline = deadline
        self.mounts = mounts
        self._passed_over = _passed_over(mounts, {})
        self.measured: list[MeasuredPlaces] = []

    def measure(self, places: Sequence[AnyPath], counted: AnyPath | None = None) -> DiskBytes:
        """Return what these places take, as `measure`."""
        walk = _Walk(self.deadline, self.mounts, self._passed_over, (), counted)
        size = walk.through(places)
        self.know(places, size)
        return size

    def know(self, places: Sequence[AnyPath], size: DiskBytes) -> None:
        """Keep what places take, where they share nothing with others."""
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
    """Return the disk bytes of files and of folders with all that is in them.

    A hard-linked file counts once, and for certain only where all its links are in these places. What is mounted
    there, on one of `mounts` or as another file system, is left out; subvolumes of a btrfs in `mounts` are not, and
    what two of them have from one snapshot counts once. What is in `measured` by its path counts what it has there, and
    no inodes, and is not looked at. What has gone by now counts nothing. The places, and the folders in those that are
    `opened`, are told one by one, too; of the folder that is `counted` also the lengths of its files are. Raises
    TooLateError once `time.monotonic()` is past the deadline, and OSError.
    """
    known = mounts or {}
    return _Walk(deadline, known, _passed_over(known, measured or {}), opened, counted).through(places)


class _PassedOver(NamedTuple):
    """What is not looked at in walks."""

    sizes: Mapping[str, int]
    """The bytes that it counts, by its path."""
    around: frozenset[str]
    """The folders that it lies in: to ask of each of a million files takes a tenth of the time."""


def _passed_over(mounts: Mapping[str, Mount], measured: Mapping[str, int]) -> _PassedOver:
    sizes = {**measured, **dict.fromkeys(mounts, 0)}
    return _PassedOver(sizes, frozenset(map(os.path.dirname, sizes)))


def lengths_below(folder: Path, deadline: float) -> int:
    """Return the lengths of all files in a folder, a linked one once, whatever is mounted there; none where it is not
    there. Raises TooLateError once `time.monotonic()` is past the deadline, and OSError."""
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
"""The number of the folder at the top of each subvolume: BTRFS_FIRST_FREE_OBJECTID of btrfs_tree.h."""
_Inode = tuple[int, int, int]


class _Lengths:
    """Adds up the lengths of the files in one folder, however many places are walked."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._depth: int | None = None
        """How many folders waited to be walked when it was met; None where it was not."""
        self._linked: set[int] = set()
        self.total = 0
        self.is_inside = False
        self.is_whole = True

    def enter(self, folder: str, waiting: int) -> None:
        """Heed which folder is walked now, while so many wait: all that is in one is walked before what waited."""
        if folder == self._folder:
            self._depth, self.is_inside = waiting, True
        elif self._depth is None or waiting < self._depth:
            self.is_inside = False

    def add(self, state: os.stat_result) -> None:
        """Count what is no folder."""
        if state.st_nlink > 1:
            if state.st_ino in self._linked:
                return
            self._linked.add(state.st_ino)
        self.total += state.st_size

    def told(self) -> int | None:
        """Return what has been counted."""
        return None if self._depth is None or not self.is_whole else self.total


class _Walk:
    """Adds up what is met. A million files are no rarity, so what is done for each is done in one loop."""

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
        """The folders that are told by themselves."""
        self._by_folder: dict[str, int] = {}
        self._lengths = _Lengths(None if counted is None else os.fspath(counted))
        self._begun: tuple[str, int] | None = None
        """The one of them that is walked, and what had been counted before."""

    def through(self, places: Iterable[AnyPath]) -> DiskBytes:
        """Count all these places that are there, and return what they take."""
        for place in places:
            try:
                self._add(os.fspath(place))
            except (FileNotFoundError, NotADirectoryError):
                continue
        return self._told()

    def _add(self, place: str) -> None:
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
        """Go over to a folder that is told by itself; None where all of a place was walked."""
        counted = self._single + self._linked_bytes
        if self._begun is not None:
            last, before = self._begun
            self._by_folder[last] = self._by_folder.get(last, 0) + counted - before
        self._begun = None if folder is None else (folder, counted)

    def _folder(self, entries: Iterable[os.DirEntry[str]], device: int, *, is_snapshot: bool) -> list[tuple[str, int]]:
        """Count what is in a folder, and return the folders there, each with the number of its device."""
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
                # What was mounted meanwhile is left out as all mounts are.
                self._is_whole = self._is_whole and entry.path in read_mounts()
                if lengths:
                    lengths.is_whole = False
                continue
            # The kernel sets the status change time whenever contents change, so that it is the later one; the
            # modification time can be set to anything, as archives do. Times of the future tell nothing.
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
                # A snapshot has the numbers of the files that it is of, which differ in time once one is written to.
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
        """Yield what is to be looked at in a folder, and count the rest."""
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

    def _told(self) -> DiskBytes:
        whole = [size for file, size in self._linked.items() if self._links_left[file] <= 0]
        return DiskBytes(
            self._single + sum(whole),
            self._single + sum(self._linked.values()),
            self._inodes + len(whole),
            None if self._changed_at == -math.inf else self._changed_at,
            self._is_whole,
            self._by_folder,
            self._lengths.told(),
        )
