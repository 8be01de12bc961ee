"""How many blocks files and folders take: holes, hard links and rounding as the file system has them."""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 512
"""What st_blocks counts, whatever the file system's own blocks are."""


@dataclass(frozen=True)
class DiskBytes:
    """What comes back when places go: between the two, as a file that is linked from elsewhere too stays."""

    low: int
    high: int


def measure(places: Iterable[Path]) -> DiskBytes:
    """Return the disk bytes of files and of folders with all that is in them.

    A hard-linked file counts once, and for certain only where all its links are in these places. Other file systems
    that are mounted there are left out. What has gone by now counts nothing. Raises PermissionError.
    """
    single = 0
    links_left: dict[tuple[int, int], int] = {}
    linked: dict[tuple[int, int], int] = {}
    for place in places:
        for seen in _entries(place):
            size = seen.st_blocks * BLOCK_BYTES
            if seen.st_nlink == 1 or stat.S_ISDIR(seen.st_mode):
                single += size
            else:
                file = (seen.st_dev, seen.st_ino)
                links_left[file] = links_left.get(file, seen.st_nlink) - 1
                linked[file] = size
    low = single + sum(size for file, size in linked.items() if links_left[file] <= 0)
    return DiskBytes(low, single + sum(linked.values()))


def _entries(place: Path) -> Iterator[os.stat_result]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        top = os.lstat(place)
        yield top
        waiting = [os.fspath(place)] if stat.S_ISDIR(top.st_mode) else []
        while waiting:
            for path, seen in _inside(waiting.pop()):
                if seen.st_dev == top.st_dev:
                    yield seen
                    if stat.S_ISDIR(seen.st_mode):
                        waiting.append(path)


def _inside(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                yield entry.path, entry.stat(follow_symlinks=False)
