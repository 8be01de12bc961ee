"""What the archive takes."""

import os
import stat
from collections.abc import Iterator


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
