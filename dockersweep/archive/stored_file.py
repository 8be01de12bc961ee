"""Files of the archive while they are written: compressed or not, counted, hashed, and stopped without room."""

import os
from collections.abc import Callable, Iterable
from hashlib import sha256
from types import TracebackType
from typing import Self

import zstandard

from dockersweep.model.archive import ArchivedFile

LEVEL = 3
MOST_THREADS = 4
"""With these zstd is faster than anything that fills it, and each takes 20 MB."""
CHECK_BYTES = 16_000_000
"""How often the room is looked at."""
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class StoredFile:
    """A new file of the archive. Raises OSError, and what `check` raises."""

    def __init__(self, path: str, check: Callable[[int], None]) -> None:
        """Make the file; `check` is called with the number of bytes so far, now and then, and raises where there is no
        room for more."""
        self.path = path
        self.size_bytes = 0
        self._hash = sha256()
        self._check = check
        self._checked_at = 0
        check(0)
        self._descriptor = os.open(path, _FLAGS, 0o600)

    def __enter__(self) -> Self:
        """Close it at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        os.close(self._descriptor)

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        if not data:
            return
        self._hash.update(data)
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]
        self.size_bytes += len(data)
        if self.size_bytes - self._checked_at >= CHECK_BYTES:
            self._checked_at = self.size_bytes
            self._check(self.size_bytes)

    def sync(self) -> None:
        """Bring it to the disk."""
        os.fsync(self._descriptor)
        self._check(self.size_bytes)

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was written, in hexadecimal digits."""
        return self._hash.hexdigest()

    def described(self, path: str) -> ArchivedFile:
        """Return it as the index names it, with its path below the run."""
        return ArchivedFile(path=path, size_bytes=self.size_bytes, sha256=self.sha256)


class Compressor:
    """Compresses into a file of the archive."""

    def __init__(self, file: StoredFile) -> None:
        """`file` is written to."""
        threads = min(MOST_THREADS, os.cpu_count() or 1)
        self._file = file
        self._object = zstandard.ZstdCompressor(level=LEVEL, threads=threads, write_checksum=True).compressobj()

    def write(self, data: bytes) -> None:
        """Compress bytes."""
        self._file.write(self._object.compress(data))

    def finish(self) -> None:
        """Write what is left, and bring the file to the disk."""
        self._file.write(self._object.flush())
        self._file.sync()


def store_compressed(path: str, chunks: Iterable[bytes], check: Callable[[int], None]) -> StoredFile:
    """Write a new compressed file; return it, closed."""
    with StoredFile(path, check) as file:
        compressor = Compressor(file)
        for chunk in chunks:
            compressor.write(chunk)
        compressor.finish()
    return file


def store(path: str, content: bytes, check: Callable[[int], None]) -> StoredFile:
    """Write a new file as it is; return it, closed."""
    with StoredFile(path, check) as file:
        file.write(content)
        file.sync()
    return file
