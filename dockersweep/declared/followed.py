"""The files that a reading looked at, with their stamps: the reading stays valid until one of them changes."""

import os
import stat
from collections.abc import Iterable

from dockersweep.declared.faults import fault
from dockersweep.files import is_writable_by_others, read_configuration, state_of, what_is_wrong

LARGEST_FILE_BYTES = 2_000_000
MOST_FILES = 1000
"""The most files that one project may refer to, and the most reads (a file that is included twice is read twice)."""
MOST_QUADLET_FILES = 50_000
"""The most files that all quadlets together may refer to: each has drop-ins in several places."""
MOST_BYTES = 16_000_000
"""The most bytes that the files of one project may have together."""

Stamp = tuple[int, ...] | None
"""Inode, times and size of a file; None where there is none."""


def stamp_of(state: os.stat_result | None) -> Stamp:
    """Return the stamp of a file, which changes when the file does; None where there is no file."""
    if state is None:
        return None
    return (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_mode)


def stamps_of(paths: Iterable[str]) -> dict[str, Stamp] | None:
    """Return the present stamps of files; None where one of them cannot be looked at."""
    try:
        return {path: stamp_of(state_of(path)) for path in paths}
    except OSError:
        return None


class Followed:
    """Reads files, and records the stamp of each that was looked for, missing ones too."""

    def __init__(self, most_files: int = MOST_FILES) -> None:
        """`most_files` limits how many files may be looked for, and how many reads there may be."""
        self._most_files = most_files
        self.stamps: dict[str, Stamp] = {}
        self.is_settled = True
        """Whether the same files give the same reading again; False if something else influenced it."""
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
        """Return the contents of a plain file. Raises DeclaredFileError where it cannot be read, is not plain, or
        is too large."""
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
        """Count `size` bytes as read. Raises DeclaredFileError when the total exceeds MOST_BYTES."""
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
            # Paths go into JSON documents.
            path.encode()
            state = state_of(path)
        except UnicodeEncodeError:
            raise fault(path, None, "its path is not UTF-8") from None
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None
        # The first stamp counts: a file that changes while it is read is read again next time.
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
    # A missing folder belongs to nobody.
    return state is None or (state.st_uid == 0 and not is_writable_by_others(state))
