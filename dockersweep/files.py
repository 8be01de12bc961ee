"""Looks for and reads files that somebody else may have created.

A folder that may not be searched may hold the file, so only ENOENT and ENOTDIR mean that it is not there; other errors
are raised. (`Path.exists` and the like return False there since Python 3.14, and raise before.)

There are three sorts of files, each read up to a size:

- A file that a person names (a policy, a plan, an inventory) may be a link or a pipe. A pipe without a writer is waited
  for a few seconds: `read_named`.
- A configuration in its usual place (docker's contexts, daemon.json) must be a plain file, or a link to one, as tools
  for dotfiles create: `read_configuration`.
- A file in an engine's folder, which may belong to a user while root reads it, must be a plain file and no link. On the
  way to it only links of root and of ourselves are followed: `read_inside`, and `FolderInside` for many in one folder.
"""

import errno
import os
import select
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import BinaryIO, Self

AnyPath = str | os.PathLike[str]

WRITER_SECONDS = 10.0
"""How long to wait for a writer of a pipe."""
_MOST_LINKS = 40
_CHUNK_BYTES = 1 << 16
_TO_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
# Elsewhere than on Linux a folder has to be readable to be passed.
_TO_PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CAP_SYS_ADMIN = 21
_IS_LINK = (errno.ENOTDIR, errno.ELOOP)
"""What is said of a link that was to be a folder, by Linux and by macOS."""
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_ODD = {errno.ELOOP: "a link", errno.ENXIO: "a socket", errno.EOPNOTSUPP: "a socket"}
"""The system's error -> what the path is instead of a file; of a socket Linux and macOS give different ones."""


class OddFileError(OSError):
    """The path is not a plain file, is too large, or is behind a link that is not followed."""

    def __init__(self, text: str, path: AnyPath) -> None:
        """`text` says what is odd; it follows the path."""
        super().__init__(errno.EINVAL, text, os.fspath(path))


def what_is_wrong(error: Exception) -> str:
    """Return the text of an error, with its path if it has one, and without the system's error number."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    if error.filename is None:
        return error.strerror
    return f"{error.filename}{' ' if isinstance(error, OddFileError) else ': '}{error.strerror}"


def state_of(path: AnyPath, follow_links: bool = True) -> os.stat_result | None:
    """Return the state of a path, None where nothing is there. Raises OSError where that cannot be known."""
    _refuse_null_byte(path)
    try:
        return os.stat(path, follow_symlinks=follow_links)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _refuse_null_byte(path: AnyPath) -> None:
    """Raise OSError for a path with a null byte: the message differs between versions of Python."""
    if "\0" in os.fspath(path):
        raise OSError(errno.EINVAL, "embedded null byte", path)


def is_there(path: AnyPath) -> bool:
    """Return whether a path exists, even as a dangling link. Raises OSError where that cannot be known."""
    return state_of(path, follow_links=False) is not None


def is_folder(path: AnyPath) -> bool:
    """Return whether a path is a folder or a link to one. Raises OSError where that cannot be known."""
    state = state_of(path)
    return state is not None and stat.S_ISDIR(state.st_mode)


def is_plain_file(path: AnyPath) -> bool:
    """Return whether a path is a plain file or a link to one. Raises OSError where that cannot be known."""
    state = state_of(path)
    return state is not None and stat.S_ISREG(state.st_mode)


def is_writable_by_others(state: os.stat_result) -> bool:
    """Return whether others than the owner may write a file, or replace files in a folder.

    In a folder like /tmp (sticky bit) nobody can replace another user's files.
    """
    if stat.S_ISDIR(state.st_mode) and state.st_mode & stat.S_ISVTX:
        return False
    return lets_others_in(state)


def lets_others_in(state: os.stat_result) -> bool:
    """Return whether others than the owner may write a file, or make new ones in a folder, even one like /tmp."""
    return bool(state.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def shows_trusted_attributes() -> bool:
    """Return whether the kernel shows this thread the extended attributes `trusted.*`, as it does with CAP_SYS_ADMIN
    alone (xattr(7)): without, root sees files as if they had none. Raises OSError where that cannot be known."""
    with open("/proc/thread-self/status", "rb") as file:
        effective = next(line for line in file if line.startswith(b"CapEff:"))
    return bool(int(effective.split()[1], 16) >> _CAP_SYS_ADMIN & 1)


def read_named(path: AnyPath, largest_bytes: int) -> bytes:
    """Return the content of a file or a pipe that a person names. Raises OSError, and OddFileError for too much."""
    with open_named(path) as descriptor:
        return read_bounded(descriptor, path, largest_bytes)


@contextmanager
def open_named(path: AnyPath) -> Iterator[int]:
    """Yield a descriptor of a file or a pipe that a person names, without waiting for a writer. Raises OSError."""
    _refuse_null_byte(path)
    descriptor = os.open(path, _TO_READ)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_configuration(path: AnyPath, largest_bytes: int) -> bytes:
    """Return the content of a plain file, links followed. Raises OSError, and OddFileError for anything else."""
    with open_named(path) as descriptor:
        _refuse_odd(os.fstat(descriptor), path)
        return read_bounded(descriptor, path, largest_bytes)


def read_inside(path: AnyPath, largest_bytes: int) -> bytes:
    """Return the content of a plain file in an engine's folder. Raises OSError, and OddFileError for anything else."""
    with open_inside(path) as descriptor:
        return read_bounded(descriptor, path, largest_bytes)


@contextmanager
def open_inside(path: AnyPath) -> Iterator[int]:
    """Yield a descriptor of a plain file in an engine's folder. Raises as `read_inside` does."""
    descriptor = _open_inside(path)
    try:
        _refuse_odd(os.fstat(descriptor), path)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_folder_inside(path: AnyPath) -> Iterator[int]:
    """Yield a descriptor of a folder in an engine's folder. Raises OSError, and OddFileError where the path has a link
    of somebody else."""
    descriptor = _open_inside(path, _TO_PASS)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class FolderInside:
    """A folder in an engine's folder from which many files are read: its path is resolved once."""

    def __init__(self, path: AnyPath) -> None:
        """Open the folder. Raises OSError, and OddFileError where the path has a link of somebody else."""
        self.path = os.fspath(path)
        self._descriptor = _open_inside(path, _TO_PASS)

    def __enter__(self) -> Self:
        """Close it at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        os.close(self._descriptor)

    def read(self, file: str, largest_bytes: int) -> bytes:
        """Return the content of a plain file in it, or in a subfolder ("folder/file"). Raises as `read_inside` does."""
        folder, _, name = file.rpartition("/")
        (content,) = self.read_in(folder, (name,), largest_bytes)
        if content is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{self.path}/{file}")
        return content

    def read_in(self, folder: str, names: Iterable[str], largest_bytes: int) -> list[bytes | None]:
        """Return the contents of plain files in a subfolder ("" for the folder itself); None for each that is not
        there. Raises as `read_inside` does for everything else."""
        path = f"{self.path}/{folder}" if folder else self.path
        if not folder:
            return [_read_at(self._descriptor, name, f"{path}/{name}", largest_bytes) for name in names]
        try:
            # A link in place of a folder may be followed below, where anything but a folder gets the usual error.
            here = None if "/" in folder else os.open(folder, _TO_PASS, dir_fd=self._descriptor)
        except FileNotFoundError:
            return [None for _ in names]
        except OSError:
            here = None
        if here is None:
            return [_read_if_there(f"{path}/{name}", largest_bytes) for name in names]
        try:
            return [_read_at(here, name, f"{path}/{name}", largest_bytes) for name in names]
        finally:
            os.close(here)


def _read_if_there(path: str, largest_bytes: int) -> bytes | None:
    try:
        return read_inside(path, largest_bytes)
    except FileNotFoundError:
        return None


def _read_at(folder: int, name: str, path: str, largest_bytes: int) -> bytes | None:
    """Return the content of a file in an open folder; None where it is not there."""
    try:
        descriptor = os.open(name, _TO_READ | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError:
        return _read_if_there(path, largest_bytes)
    try:
        return _read_small(descriptor, path, largest_bytes)
    finally:
        os.close(descriptor)


def _read_small(descriptor: int, path: AnyPath, largest_bytes: int) -> bytes:
    """Read a file that is probably small with few system calls."""
    state = os.fstat(descriptor)
    _refuse_odd(state, path)
    if 0 < state.st_size <= min(largest_bytes, _CHUNK_BYTES):
        data = os.read(descriptor, state.st_size + 1)
        if len(data) == state.st_size:
            return data
        # Its size has changed meanwhile.
        os.lseek(descriptor, 0, os.SEEK_SET)
    return read_bounded(descriptor, path, largest_bytes)


def read_bounded(descriptor: int, path: AnyPath, largest_bytes: int) -> bytes:
    """Return the rest of a file. Raises OSError, and OddFileError for too much and for a pipe without a writer."""
    state = os.fstat(descriptor)
    if stat.S_ISFIFO(state.st_mode):
        _await_writer(descriptor, path)
    # Plain files do not block, except some in /proc: /proc/kmsg would wait for the next message.
    os.set_blocking(descriptor, not stat.S_ISREG(state.st_mode))
    with open(descriptor, "rb", closefd=False) as file:
        return read_up_to(file, path, largest_bytes, state.st_size)


def read_up_to(file: BinaryIO, path: AnyPath, largest_bytes: int, expected_bytes: int = 0) -> bytes:
    """Return the rest of an open file. Raises OSError, and OddFileError for too much.

    Reads `expected_bytes` in one piece, so that most files need no second copy in memory.
    """
    pieces, length, wanted = [], 0, max(expected_bytes, _CHUNK_BYTES)
    while expected_bytes <= largest_bytes and length <= largest_bytes and (piece := file.read(wanted)):
        pieces.append(piece)
        length, wanted = length + len(piece), _CHUNK_BYTES
    if max(expected_bytes, length) > largest_bytes:
        limit = f"{largest_bytes // 1_000_000} MB" if largest_bytes >= 1_000_000 else f"{largest_bytes} bytes"
        raise OddFileError(f"is larger than {limit}, and read no further", path)
    return b"".join(pieces)


def _await_writer(descriptor: int, path: AnyPath) -> None:
    """Wait for a writer: a pipe that nobody has opened for writing reads like an empty file."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    if waiting.poll(WRITER_SECONDS * 1000):
        return
    try:
        os.read(descriptor, 1)
    except BlockingIOError:
        return
    raise OddFileError(f"is a pipe that nobody has written to for {WRITER_SECONDS:g} seconds", path)


def _refuse_odd(state: os.stat_result, path: AnyPath) -> None:
    kind = stat.S_IFMT(state.st_mode)
    if kind != stat.S_IFREG:
        raise OddFileError(f"is {_KINDS.get(kind, 'something else')}, not a plain file", path)


def _open_inside(path: AnyPath, flags: int = _TO_READ | os.O_NOFOLLOW) -> int:
    """Open a file, or with `flags` a folder, one path component at a time, so that links of others are not followed."""
    waiting = [name for name in os.path.abspath(path).split("/") if name][::-1]
    here, links = os.open("/", _TO_PASS), 0
    try:
        while waiting:
            name = waiting.pop()
            try:
                further = os.open(name, _TO_PASS if waiting else flags, dir_fd=here)
            except OSError as error:
                if not waiting and not flags & os.O_DIRECTORY and error.errno in _ODD:
                    raise OddFileError(f"is {_ODD[error.errno]}, not a plain file", path) from None
                target = _trusted_target(name, here, path) if error.errno in _IS_LINK else None
                links += 1
                if target is None or links > _MOST_LINKS:
                    raise OSError(error.errno, error.strerror, os.fspath(path)) from None
                waiting += [name for name in target.split("/") if name][::-1]
                further = os.open("/" if target.startswith("/") else ".", _TO_PASS, dir_fd=here)
            os.close(here)
            here = further
    except BaseException:
        os.close(here)
        raise
    return here


def _trusted_target(name: str, folder: int, path: AnyPath) -> str | None:
    """Return the target of a link, None for anything else. Raises OSError, and OddFileError for a link of others."""
    state = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISLNK(state.st_mode):
        return None
    if state.st_uid not in (0, os.geteuid()):
        raise OddFileError(f"is behind a link of the user {state.st_uid}, which is not followed", path)
    return os.readlink(name, dir_fd=folder)
