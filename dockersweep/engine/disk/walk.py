"""How many blocks files and folders take: holes, hard links and rounding as the file system has them."""

import contextlib
import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 512
"""What st_blocks counts, whatever the file system's own blocks are."""


class TooLateError(Exception):
    """The time for measuring was over before all was measured."""


@dataclass(frozen=True)
class DiskBytes:
    """What is freed when places are removed: between the two, as a file that is linked from elsewhere too stays."""

    low: int
    high: int
    inodes: int = 0
    """How many files and folders certainly go."""
    changed_at: float | None = None
    """When anything in these places was last written, made, moved or removed, in seconds since 1970; the folders that
    are the places themselves do not count. None where there is nothing in them."""


def measure(places: Iterable[Path], deadline: float = float("inf"), mounts: Collection[str] = ()) -> DiskBytes:
    """Return the disk bytes of files and of folders with all that is in them.

    A hard-linked file counts once, and for certain only where all its links are in these places. What is mounted
    there, on one of `mounts` or as another file system, is left out. What has gone by now counts nothing. Raises
    TooLateError once `time.monotonic()` is past the deadline, and OSError.
    """
    single = inodes = 0
    changed_at: float | None = None
    now = time.time()
    links_left: dict[tuple[int, int], int] = {}
    linked: dict[tuple[int, int], int] = {}
    for place in places:
        for nth, state in enumerate(_entries(place, deadline, mounts)):
            if nth and (changed := _changed_at(state, now)) is not None:
                changed_at = max(changed, changed_at or changed)
            size = state.st_blocks * BLOCK_BYTES
            if state.st_nlink == 1 or stat.S_ISDIR(state.st_mode):
                single += size
                inodes += 1
            else:
                file = (state.st_dev, state.st_ino)
                links_left[file] = links_left.get(file, state.st_nlink) - 1
                linked[file] = size
    whole = [size for file, size in linked.items() if links_left[file] <= 0]
    return DiskBytes(single + sum(whole), single + sum(linked.values()), inodes + len(whole), changed_at)


def _changed_at(state: os.stat_result, now: float) -> float | None:
    """Return when a file last changed, None where its times are of the future.

    The status change time is set by the kernel whenever contents change, so that it is the later one; the modification
    time can be set to anything, as archives do.
    """
    return next((at for at in (state.st_ctime, state.st_mtime) if at <= now), None)


def _entries(place: Path, deadline: float, mounts: Collection[str]) -> Iterator[os.stat_result]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        top = os.lstat(place)
        yield top
        waiting = [os.fspath(place)] if stat.S_ISDIR(top.st_mode) else []
        while waiting:
            if time.monotonic() > deadline:
                raise TooLateError
            for path, state in _inside(waiting.pop(), mounts):
                if state.st_dev == top.st_dev:
                    yield state
                    if stat.S_ISDIR(state.st_mode):
                        waiting.append(path)


def _inside(folder: str, mounts: Collection[str]) -> Iterator[tuple[str, os.stat_result]]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.path not in mounts:
                with contextlib.suppress(FileNotFoundError):
                    yield entry.path, entry.stat(follow_symlinks=False)
