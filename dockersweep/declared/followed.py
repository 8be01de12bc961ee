"""The files that were looked at on the way, and what they looked like: as long as none has changed, what was read of
them still holds."""

import os
import stat
from collections.abc import Iterable

from dockersweep.declared.faults import fault
from dockersweep.files import is_writable_by_others, read_configuration, state_of, what_is_wrong

LARGEST_FILE_BYTES = 2_000_000
MOST_FILES = 1000
"""So many files one project may lead to, and so often one may be read: those that are included twice are."""
MOST_QUADLET_FILES = 50_000
"""So many may be looked for for all quadlets: each has drop-ins in several places."""
MOST_BYTES = 16_000_000
"""So many bytes they may have together."""

Stamp = tuple[int, ...] | None
"""Inode, times and size of a file; None where there is none."""


def stamp_of(state: os.stat_result | None) -> Stamp:
    """Return what changes when a file does. A folder counts for its entries, so its size and links do not matter."""
    if state is None:
        return None
    return (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_mode)


def stamps_of(paths: Iterable[str]) -> dict[str, Stamp] | None:
    """Return what files look like now; None where that cannot be known of one."""
    try:
        return {path: stamp_of(state_of(path)) for path in paths}
    except OSError:
        return None


class Followed:
    """Reads files, and remembers each that was looked for, those that are not there as well."""

    def __init__(self, most_files: int = MOST_FILES) -> None:
        """So many files may be looked for, and read."""
        self._most_files = most_files
        self.stamps: dict[str, Stamp] = {}
        self.is_settled = True
        """Whether the same is read again of the same files; False where something else had a hand in it."""
        self._bytes = 0
        self._reads = 0

    def has_file(self, path: str) -> bool:
        """Return whether there is a file. Raises DeclaredFileError where that cannot be known."""
        state = self._state(path)
        return state is not None and not stat.S_ISDIR(state.st_mode)

    def has_folder(self, path: str) -> bool:
        """Return whether there is a folder. Raises DeclaredFileError where that cannot be known."""
        state = self._state(path)
        return state is not None and stat.S_ISDIR(state.st_mode)

    def read(self, path: str) -> bytes:
        """Return what a plain file holds. Raises DeclaredFileError where it cannot be read, is odd, or is too much."""
        self._state(path)
        self._reads += 1
        if self._reads > self._most_files:
            raise self._too_many(path)
        try:
            data = read_configuration(path, LARGEST_FILE_BYTES)
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None
        self.count(path, len(data))
        return data

    def count(self, path: str, size: int, line: int | None = None) -> None:
        """Count so many bytes as read. Raises DeclaredFileError where they become too many."""
        self._bytes += size
        if self._bytes > MOST_BYTES:
            limit = f"{MOST_BYTES // 1_000_000} MB"
            raise fault(path, line, f"larger than {limit} with the files that it refers to and its variables replaced")

    def is_of_root_alone(self) -> bool:
        """Return whether everything that was looked at lies in folders that root owns and no other can write."""
        folders: set[str] = set()
        for path in self.stamps:
            folders.update(_folders_above(path), _folders_above(os.path.realpath(path)))
        return all(map(_is_roots, [*folders, *(path for path, stamp in self.stamps.items() if stamp is not None)]))

    def _state(self, path: str) -> os.stat_result | None:
        try:
            # What is told of it goes into documents.
            path.encode()
            state = state_of(path)
        except UnicodeEncodeError:
            raise fault(path, None, "its path is not UTF-8") from None
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None
        # What it looked like first: a file that changes while it is read is read again.
        self.stamps.setdefault(path, stamp_of(state))
        if len(self.stamps) > self._most_files:
            raise self._too_many(path)
        return state

    def _too_many(self, path: str) -> Exception:
        return fault(path, None, f"it leads to more than {self._most_files} files")


def _unreadable(path: str, error: Exception) -> Exception:
    text = what_is_wrong(error).removeprefix(path).removeprefix(":").strip()
    return fault(path, None, f"cannot be read: {text}")


def _folders_above(path: str) -> Iterable[str]:
    here = os.path.dirname(path)
    while here != os.path.dirname(here):
        yield here
        here = os.path.dirname(here)
    yield here


def _is_roots(path: str) -> bool:
    try:
        state = state_of(path)
    except OSError:
        return False
    # A folder that is not there is nobody's.
    return state is None or (state.st_uid == 0 and not is_writable_by_others(state))
