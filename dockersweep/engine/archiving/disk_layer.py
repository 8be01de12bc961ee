"""The writable layer of a container, off the engine's disk, as the tar of an OCI layer.

overlay keeps what a container has written in a folder of its own, the upper one. There a deleted file is a device 0:0,
and a folder that was made anew is opaque (Documentation/filesystems/overlayfs.rst of Linux); in an OCI layer both are
files whose names begin with ".wh." (image-spec, layer.md). All else is packed by GNU tar.
"""

import os
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from hashlib import sha256
from typing import IO

from dockersweep.errors import NotArchivedError

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
_OPAQUE, _WHITEOUT = "trusted.overlay.opaque", "trusted.overlay.whiteout"
_ELSEWHERE = frozenset(
    f"{sort}.overlay.{name}" for sort in ("trusted", "user") for name in ("metacopy", "redirect")
) | {"user.overlay.opaque", "user.fuseoverlayfs.opaque"}
"""With one of these the data, or what was in a folder, are in another layer; or it is a driver's of an engine without
root."""
_TAR = (
    "tar",
    "--create",
    "--file=-",
    "--format=posix",
    "--xattrs",
    "--xattrs-include=*",
    "--xattrs-exclude=trusted.overlay.*",
    "--sparse",
    "--numeric-owner",
    "--null",
    "--verbatim-files-from",
    "--no-recursion",
    "--files-from=-",
)
_CHUNK_BYTES = 1 << 20
_LONGEST_MESSAGE_BYTES = 8192
_IS_TO_LOOK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OF_PODMAN = (b"./etc/hosts", b"./etc/hostname", b"./etc/resolv.conf", b"./run/.containerenv", b"./run/secrets")
"""Over these Podman mounts files of its own: it leaves them empty."""
FOLDERS_OF_PODMAN = (b"./dev", b"./proc", b"./sys", b"./etc", b"./run")
"""Podman makes these wherever it has to mount something."""
_MTAB = b"./etc/mtab"
_Entry = tuple[bytes, os.stat_result, Callable[[], list[str]]]


class SpreadLayerError(Exception):
    """Parts of a writable layer are in other folders: it has to be read through the API."""


class DiskLayer:
    """The writable layer in an upper folder. Use it as a context."""

    def __init__(self, folder: int, changed_on_podman: Collection[bytes] | None = None) -> None:
        """Look at all of it; `folder` is the open folder, of a container that does not run. On Podman
        `changed_on_podman` are the paths (b"./etc") of the image that the container has changed, as the engine tells
        them: what only Podman's mounts have changed is left out.

        Raises SpreadLayerError, OSError, and NotArchivedError where it changes meanwhile.
        """
        self._folder = folder
        self._changed_on_podman = changed_on_podman
        self._waiting: list[bytes] = []
        """Folders of Podman's mounts that are left out unless something of the container is in them."""
        self._names: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._whiteouts: list[bytes] = []
        self._sockets = 0
        self._odd_names = 0
        self.entries = 0
        """How many files and folders are in it, deleted ones too, without its own folder."""
        try:
            self._names.write(b".\0")
            self._digest = _digest_of(_walk(folder), self._add)
        except BaseException:
            self._names.close()
            raise

    def __enter__(self) -> "DiskLayer":
        return self

    def __exit__(self, *raised: object) -> None:
        self._names.close()

    @property
    def not_kept(self) -> tuple[str, ...]:
        """What a tar cannot keep, for people: "2 sockets"."""
        counted = ((self._sockets, "socket", ""), (self._odd_names, "file", ' named ".wh.*"'))
        return tuple(f"{count} {what}{'s' * (count != 1)}{which}" for count, what, which in counted if count)

    def check_unchanged(self) -> None:
        """Raise NotArchivedError where something was written since then, as by `docker cp`."""
        try:
            digest = _digest_of(_walk(self._folder))
        except OSError:
            digest = b""
        if digest != self._digest:
            raise NotArchivedError("it changed while it was read")

    def _add(self, path: bytes, state: os.stat_result, attributes: Callable[[], list[str]]) -> None:
        kind = stat.S_IFMT(state.st_mode)
        if kind == stat.S_IFSOCK:
            self._sockets += 1
            return
        if b"/" + WHITEOUT in path:
            # In a layer it would delete another.
            self._odd_names += 1
            return
        names = attributes() if kind in (stat.S_IFREG, stat.S_IFDIR) else []
        if _ELSEWHERE.intersection(names):
            raise SpreadLayerError
        if self._is_of_podman(path, kind, state):
            return
        self.entries += 1
        if (kind == stat.S_IFCHR and state.st_rdev == 0) or (kind == stat.S_IFREG and _WHITEOUT in names):
            folder, _, name = path.rpartition(b"/")
            self._whiteouts.append(folder + b"/" + WHITEOUT + name)
            return
        if kind == stat.S_IFDIR and _OPAQUE in names:
            self._whiteouts.append(path + b"/" + OPAQUE)
        self._names.write(path + b"\0")

    def _is_of_podman(self, path: bytes, kind: int, state: os.stat_result) -> bool:
        """Return whether Podman has made an entry, for its mounts."""
        if self._changed_on_podman is None or path in self._changed_on_podman:
            return False
        if path in FOLDERS_OF_PODMAN and kind == stat.S_IFDIR:
            self._waiting.append(path)
            return True
        if path in _OF_PODMAN and (kind == stat.S_IFDIR or (kind == stat.S_IFREG and state.st_size == 0)):
            return True
        if path == _MTAB and kind == stat.S_IFLNK:
            return True
        for folder in [folder for folder in self._waiting if path.startswith(folder + b"/")]:
            self._waiting.remove(folder)
            self._names.write(folder + b"\0")
        return False

    def tar(self) -> Generator[bytes]:
        """Yield the tar. Raises NotArchivedError where a file cannot be read, or changes meanwhile."""
        for path in self._whiteouts:
            yield _empty_file(path)
        self._names.seek(0)
        with tempfile.TemporaryFile() as said, _tar_in(self._folder, self._names, said) as process:
            try:
                assert process.stdout is not None
                while piece := process.stdout.read(_CHUNK_BYTES):
                    yield piece
                process.wait()
            finally:
                # What reads it may have given up.
                process.kill()
            if process.returncode != 0:
                said.seek(0)
                raise NotArchivedError(_why(said.read(_LONGEST_MESSAGE_BYTES)))


def _tar_in(folder: int, names: IO[bytes], said: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Run tar in an open folder, on these names. Raises NotArchivedError where it is not installed."""
    try:
        return subprocess.Popen(
            _TAR,
            stdin=names,
            stdout=subprocess.PIPE,
            stderr=said,
            cwd=f"/proc/self/fd/{folder}",
            env={**os.environ, "LC_ALL": "C", "TAR_OPTIONS": ""},
        )
    except FileNotFoundError:
        raise NotArchivedError("the archive needs GNU tar, which is not installed here") from None


def _digest_of(entries: Iterable[_Entry], take: Callable[..., None] = lambda *_: None) -> bytes:
    """Return a hash that changes with anything in a folder; call `take` with each of its entries."""
    digest = sha256()
    for entry in entries:
        path, state, _ = entry
        # The time of the last change is the kernel's own: nobody can set it back.
        digest.update(b"%s\0%d %d %d" % (path, state.st_ino, state.st_size, state.st_ctime_ns))
        take(*entry)
    return digest.digest()


def _walk(folder: int) -> Iterator[_Entry]:
    """Yield the path (b"./a/b") and state of each entry, a folder before what is in it, with a way to ask for the names
    of its extended attributes. However deep it is, one folder is open at a time."""
    here = os.open(".", _IS_TO_LOOK, dir_fd=folder)
    waiting: list[tuple[bytes, os.stat_result, list[bytes]]] = []
    waiting.append((b".", os.fstat(here), _names_in(here)))
    try:
        while waiting:
            path, _, names = waiting[-1]
            if not names:
                waiting.pop()
                if waiting:
                    here = _moved(here, "..", waiting[-1][1])
                continue
            name = names.pop()
            state = os.stat(name, dir_fd=here, follow_symlinks=False)
            yield path + b"/" + name, state, lambda here=here, name=name: _attributes(here, name)  # type: ignore[misc]
            if stat.S_ISDIR(state.st_mode):
                here = _moved(here, name, state)
                waiting.append((path + b"/" + name, state, _names_in(here)))
    finally:
        os.close(here)


def _names_in(folder: int) -> list[bytes]:
    return sorted(map(os.fsencode, os.listdir(folder)), reverse=True)


def _moved(here: int, name: bytes | str, expected: os.stat_result) -> int:
    """Return another folder, open, and close the first. Raises NotArchivedError where it is not the expected one."""
    there = os.open(name, _IS_TO_LOOK, dir_fd=here)
    os.close(here)
    state = os.fstat(there)
    if (state.st_dev, state.st_ino) != (expected.st_dev, expected.st_ino):
        os.close(there)
        raise NotArchivedError("it changed while it was read")
    return there


def _attributes(folder: int, name: bytes) -> list[str]:
    try:
        return os.listxattr(b"/proc/self/fd/%d/%s" % (folder, name), follow_symlinks=False)
    except OSError:
        # The file system has none.
        return []


def _empty_file(path: bytes) -> bytes:
    info = tarfile.TarInfo(path.decode("utf-8", "surrogateescape"))
    info.mode = 0
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _why(said: bytes) -> str:
    """Return what tar said first, without its own name."""
    lines = said.decode("utf-8", "replace").splitlines()
    told = next((line.removeprefix("tar: ") for line in lines if line.startswith("tar: ")), "tar failed")
    if "file changed as we read it" in told or "File removed before we read it" in told:
        return f"it changed while it was read ({told})"
    return f"a file cannot be read ({told})"
