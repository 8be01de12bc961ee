"""Which files processes of this machine have mapped for writing: what they write there need not show in any time of the
file, since the kernel notes only the first write to a page until that is on the disk."""

import os
import time
from collections.abc import Iterator
from threading import Lock

from msgspec import Struct

MOST_SECONDS = 5.0
"""How long what was seen is believed: whoever maps a file works with it for longer."""
_WRITABLE_SHARED = (b"rw-s", b"rwxs", b"-w-s")


class FileId(Struct, frozen=True):
    """A file, whatever its path."""

    device: int
    inode: int


class MappedFiles:
    """The files that are mapped for writing by now, looked for anew now and then. Several threads may ask."""

    def __init__(self) -> None:
        """Nothing is looked for yet."""
        self._lock = Lock()
        self._seen_at: float | None = None
        self._files: dict[FileId, int] = {}

    def on(self, device: int) -> dict[int, int]:
        """Return inode -> process of those on a device. Processes that this user may not look at are left out."""
        with self._lock:
            if self._seen_at is None or time.monotonic() - self._seen_at > MOST_SECONDS:
                self._seen_at = time.monotonic()
                self._files = dict(_mapped())
            return {file.inode: process for file, process in self._files.items() if file.device == device}


def _mapped() -> Iterator[tuple[FileId, int]]:
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            with open(f"/proc/{name}/maps", "rb") as file:
                maps = file.read()
        except OSError:
            # It has ended, or is another user's.
            continue
        if not any(mode in maps for mode in _WRITABLE_SHARED):
            continue
        for line in (line.split(None, 5) for line in maps.splitlines()):
            if line[1] in _WRITABLE_SHARED and line[4] != b"0":
                yield _file_of(name, *map(bytes.decode, (line[0], line[3], line[4]))), int(name)


def _file_of(process: str, addresses: str, device: str, inode: str) -> FileId:
    """Return the file of a line in the list of what a process has mapped."""
    try:
        # Some file systems have another device in the list than stat tells.
        state = os.stat(f"/proc/{process}/map_files/{addresses}")
    except OSError:
        # That takes more than being root (proc(5)), and the mapping may be gone by now.
        major, _, minor = device.partition(":")
        return FileId(os.makedev(int(major, 16), int(minor, 16)), int(inode))
    return FileId(state.st_dev, state.st_ino)
