"""Paths in the archive: names of folders, and files that are opened without ever leaving the folder of their run."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from dockersweep.errors import ArchiveError, NoRoomError, NotArchivedError
from dockersweep.files import what_is_wrong

INDEX = "index.json"
"""The document about a run, in its folder."""
OBJECT = "object.json"
"""The document about an object, in its folder."""
PARTIAL = ".partial-"
"""What the names begin with below which something is written."""
DELETED = ".deleted-"
"""What the name of the folder of a run begins with while it is deleted."""
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_RUN = re.compile(r"\d{4,}-\d\d-\d\dT\d{6}Z-[0-9a-z]{1,20}")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def run_name(begun_at: datetime, end: str) -> str:
    """Return the name of the folder of a run; `end` is the number of the run, or makes it unique."""
    return f"{begun_at.astimezone(UTC):%Y-%m-%dT%H%M%SZ}-{end}"


def is_run_name(name: str) -> bool:
    """Whether the folder of a run may have this name."""
    return _RUN.fullmatch(name) is not None


def folder_name(name: str) -> str:
    """Return the name of the folder of an object: its own, or where that is not safe as one, a hash of it."""
    if _SAFE.fullmatch(name):
        return name
    return "sha256-" + hash_of(name)[:32]


def hash_of(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal digits."""
    # It loads all of OpenSSL.
    from hashlib import sha256

    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_inside(path: str) -> tuple[str, ...]:
    """Return the components of a path that an index names; raises ArchiveError where it may lead out of its folder."""
    components = tuple(path.split("/"))
    if any(component in ("", ".", "..") or "\0" in component for component in components):
        raise ArchiveError(f"the archive names the file {path!r}, which is not a path below its run; it is not read")
    return components


@contextmanager
def open_below(folder: int, path: str) -> Iterator[int]:
    """Yield a descriptor of a file at a path that an index names below an open folder; no link is followed.

    Raises ArchiveError where the path leads elsewhere, and OSError.
    """
    *folders, name = check_inside(path)
    with open_folder_below(folder, *folders) as here:
        descriptor = os.open(name, _FILE, dir_fd=here)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def open_folder_below(folder: int, *names: str) -> Iterator[int]:
    """Yield a descriptor of a folder below an open one, or of that itself without names; no link is followed. Raises
    OSError."""
    here = os.dup(folder)
    try:
        for name in names:
            here = _replaced(here, os.open(name, _FOLDER, dir_fd=here))
        yield here
    finally:
        os.close(here)


def _replaced(descriptor: int, by: int) -> int:
    os.close(descriptor)
    return by


def make_folder(path: str) -> None:
    """Make a folder for us alone, if it is not there. Raises OSError."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    sync_folder(os.path.dirname(path))


def make_folders(folder: str, path: str) -> None:
    """Make the folders of a path below a folder, for us alone, as far as they are not there. Raises OSError."""
    for name in path.split("/"):
        folder = f"{folder}/{name}"
        make_folder(folder)


def sync_folder(path: str) -> None:
    """Bring the names in a folder to the disk. Raises OSError."""
    descriptor = os.open(path, _FOLDER)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: str, content: bytes) -> None:
    """Write or replace a small file in one step, and bring it to the disk. Raises OSError."""
    folder, name = os.path.split(path)
    partial = f"{folder}/{PARTIAL}{name}"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    os.replace(partial, path)
    sync_folder(folder)


def not_written(error: OSError) -> NotArchivedError:
    """Return what to raise for an object that cannot be written: a disk may be full before anybody looks again."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoomError(f"the archive has no room: {error.strerror}")
    return NotArchivedError(f"the archive cannot be written: {what_is_wrong(error)}")


def cannot(do: str, path: str, error: OSError) -> ArchiveError:
    """Return the error for a file or a folder of the archive with which something cannot be done."""
    text = what_is_wrong(error) if error.filename is not None else f"{path}: {what_is_wrong(error)}"
    return ArchiveError(f"the archive cannot be {do}: {text}")
