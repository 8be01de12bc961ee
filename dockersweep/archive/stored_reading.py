"""Reads files of the archive, and checks them against the index on the way."""

import os
from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO, cast

import zstandard

from dockersweep.archive.paths import open_below
from dockersweep.errors import ArchiveError
from dockersweep.model.archive import ArchivedFile

CHUNK_BYTES = 1 << 20


class _Checked:
    """A file that is hashed while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = sha256()
        self.size_bytes = 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.hash.update(data)
        self.size_bytes += len(data)
        return data


def read_stored(run: int, file: ArchivedFile, where: str) -> Iterator[bytes]:
    """Yield the content of a file of a run, an open folder, as it is there; `where` names the run for people.

    Raises ArchiveError where it cannot be read, and at its end where it is not what the index says.
    """
    return _read(run, file, where, is_compressed=False)


def read_compressed(run: int, file: ArchivedFile, where: str) -> Iterator[bytes]:
    """Yield the content of a file of a run that is compressed, as `read_stored` does."""
    return _read(run, file, where, is_compressed=True)


def _read(run: int, file: ArchivedFile, where: str, *, is_compressed: bool) -> Iterator[bytes]:
    named = f"{where}/{file.path}"
    try:
        with open_below(run, file.path) as descriptor, open(descriptor, "rb", buffering=0, closefd=False) as opened:
            if os.fstat(descriptor).st_size != file.size_bytes:
                raise ArchiveError(damaged(named, "its size is not what the index says"))
            checked = _Checked(opened)
            if is_compressed:
                # All that it asks for is `read`.
                source = cast("BinaryIO", checked)
                yield from zstandard.ZstdDecompressor().read_to_iter(source, CHUNK_BYTES, CHUNK_BYTES)
            while data := checked.read(CHUNK_BYTES):
                if not is_compressed:
                    yield data
    except OSError as error:
        raise ArchiveError(damaged(named, error.strerror or str(error))) from None
    except zstandard.ZstdError:
        raise ArchiveError(damaged(named, "what is in it is not what was written")) from None
    if checked.hash.hexdigest() != file.sha256:
        raise ArchiveError(damaged(named, "its SHA-256 is not what the index says"))


def decompressed(path: str) -> Iterator[bytes]:
    """Yield what is in a compressed file that we have just written. Raises OSError."""
    with open(path, "rb") as file:
        yield from zstandard.ZstdDecompressor().read_to_iter(file, CHUNK_BYTES, CHUNK_BYTES)


def damaged(named: str, text: str) -> str:
    """Return the sentence for a damaged file."""
    return f"the archive is damaged: {named}: {text}"
