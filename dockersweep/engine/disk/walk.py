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
    """What comes back when places go: between the two, as a file that is linked from elsewhere too stays."""

    low: int
    high: int
    inodes: int = 0
    """How many files and folders certainly go."""


def measure(places: Iterable[Path], deadline: float = float("inf"), mounts: Collection[str] = ()) -> DiskBytes:
    """Return the disk bytes of files and of folders with all that is in them.

    A hard-linked file counts once, and for certain only where all its links are in these places. What is mounted
    there, on one of `mounts` or as another file system, is left out. What has gone by now counts nothing. Raises
    TooLateError once `time.monotonic()` is past the deadline, and OSError.
    """
    single = inodes = 0
    links_left: dict[tuple[int, int], int] = {}
    linked: dict[tuple[int, int], int] = {}
    for place in places:
        for seen in _entries(place, deadline, mounts):
            size = seen.st_blocks * BLOCK_BYTES
            if seen.st_nlink == 1 or stat.S_ISDIR(seen.st_mode):
                single += size
                inodes += 1
            else:
                file = (seen.st_dev, seen.st_ino)
                links_left[file] = links_left.get(file, seen.st_nlink) - 1
                linked[file] = size
    whole = [size for file, size in linked.items() if links_left[file] <= 0]
    return DiskBytes(single + sum(whole), single + sum(linked.values()), inodes + len(whole))


def mount_points() -> frozenset[str]:
    """Return where something is mounted; to ask for the state of a mount whose server is gone can take for ever."""
    with contextlib.suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return frozenset(_unescaped(line.split(" ")[4]) for line in file)
    return frozenset()


def _unescaped(path: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path


def _entries(place: Path, deadline: float, mounts: Collection[str]) -> Iterator[os.stat_result]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        top = os.lstat(place)
        yield top
        waiting = [os.fspath(place)] if stat.S_ISDIR(top.st_mode) else []
        while waiting:
            if time.monotonic() > deadline:
                raise TooLateError
            for path, seen in _inside(waiting.pop(), mounts):
                if seen.st_dev == top.st_dev:
                    yield seen
                    if stat.S_ISDIR(seen.st_mode):
                        waiting.append(path)


def _inside(folder: str, mounts: Collection[str]) -> Iterator[tuple[str, os.stat_result]]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.path not in mounts:
                with contextlib.suppress(FileNotFoundError):
                    yield entry.path, entry.stat(follow_symlinks=False)
