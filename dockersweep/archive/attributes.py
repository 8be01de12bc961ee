r"""What GNU find does not tell of a file: its extended attributes, ACLs among them, and the numbers of a device.

A record for each entry that has any, with two fields that end with a null byte each: PATH\0VALUE\0. VALUE is
`xattr SHA256`, over the names and values in order, or `device MAJOR:MINOR`, or both.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256

from dockersweep.archive.comparing import Batch
from dockersweep.archive.manifest import FIELDS, fields_of
from dockersweep.errors import NotArchivedError

_FIELDS = 2
_LONGEST_BYTES = 4000
"""Of a path that one system call takes behind that of the folder."""
_PASS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC if hasattr(os, "O_PATH") else 0


def attributes_in(folder: int, manifest: Iterable[bytes]) -> Iterator[Batch]:
    """Yield path and value of the entries of a manifest, which is of this open folder.

    Raises NotArchivedError where they cannot be read.
    """
    for fields in fields_of(manifest):
        paths: list[bytes] = []
        values: list[object] = []
        for numbers, path in zip(fields[0::FIELDS], fields[1::FIELDS], strict=True):
            try:
                with _reached(folder, path) as reached:
                    value = b" ".join(_values(reached, is_device=numbers.startswith((b"b", b"c"))))
            except OSError as error:
                name = path.decode(errors="backslashreplace")
                raise NotArchivedError(f"it cannot be read in full: ./{name}: {error.strerror}") from None
            if value:
                paths.append(path)
                values.append(value)
        yield paths, values


def _values(path: bytes, *, is_device: bool) -> Iterator[bytes]:
    names = os.listxattr(path, follow_symlinks=False)
    if names:
        all_of_it = sha256()
        for name in sorted(map(os.fsencode, names)):
            value = os.getxattr(path, name, follow_symlinks=False)
            all_of_it.update(b"%s\0%d\0%s" % (name, len(value), value))
        yield b"xattr " + all_of_it.hexdigest().encode()
    if is_device:
        number = os.stat(path, follow_symlinks=False).st_rdev
        yield b"device %d:%d" % (os.major(number), os.minor(number))


@contextmanager
def _reached(folder: int, path: bytes) -> Iterator[bytes]:
    """Yield a path for system calls, through open folders where it is too long."""
    if len(path) <= _LONGEST_BYTES:
        yield b"/proc/self/fd/%d/%s" % (folder, path)
        return
    *folders, name = path.split(b"/")
    here = os.dup(folder)
    try:
        for component in folders:
            below = os.open(component, _PASS, dir_fd=here)
            os.close(here)
            here = below
        yield b"/proc/self/fd/%d/%s" % (here, name)
    finally:
        os.close(here)


def written(batches: Iterable[Batch]) -> Iterator[bytes]:
    """Yield attributes as they are kept."""
    for paths, values in batches:
        yield b"".join(b"%s\0%s\0" % pair for pair in zip(paths, values, strict=True))


def read(chunks: Iterable[bytes]) -> Iterator[Batch]:
    """Yield attributes that were kept."""
    for fields in fields_of(chunks, _FIELDS):
        yield fields[0::_FIELDS], fields[1::_FIELDS]
