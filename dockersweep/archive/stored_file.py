"""Files of the archive while they are written: compressed or not, counted, hashed, and stopped without room."""

import os
from collections.abc import Callable, Iterable
from hashlib import sha256
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import Self

import zstandard

from dockersweep.archive.paths import not_written
from dockersweep.model.archive import ArchivedFile

LEVEL = 3
MOST_THREADS = 4
"""With these zstd is faster than anything that fills it."""
JOB_BYTES = 2 << 20
"""What each of zstd's threads gets at once; by itself it takes four times as much, which costs memory."""
QUEUED_PIECES = 8
CHECK_BYTES = 8 << 20
"""How often the room is looked at, and the disk begins to write."""
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class StoredFile:
    """A new file of the archive. Raises OSError where it cannot be made, NotArchivedError where it cannot be written,
    and what `check` raises."""

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
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            # What is read at the same time has errors of its own.
            raise not_written(error) from None
        self.size_bytes += len(data)
        if self.size_bytes - self._checked_at >= CHECK_BYTES:
            self._begin_writing()
            self._checked_at = self.size_bytes
            self._check(self.size_bytes)

    def _begin_writing(self) -> None:
        """Have the disk write what came since the last time, so that little is left when it is synced."""
        if hasattr(os, "posix_fadvise"):
            length = self.size_bytes - self._checked_at
            os.posix_fadvise(self._descriptor, self._checked_at, length, os.POSIX_FADV_DONTNEED)

    def sync(self) -> None:
        """Bring it to the disk."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise not_written(error) from None
        self._check(self.size_bytes)

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was written, in hexadecimal digits."""
        return self._hash.hexdigest()

    def described(self, path: str) -> ArchivedFile:
        """Return it as the index names it, with its path below the run."""
        return ArchivedFile(path=path, size_bytes=self.size_bytes, sha256=self.sha256)


class Compressor:
    """Compresses into a file of the archive, which a thread of its own hashes and writes. A context."""

    def __init__(self, file: StoredFile) -> None:
        """`file` is written to by nobody else."""
        self._file = file
        parameters = zstandard.ZstdCompressionParameters.from_level(
            LEVEL, threads=threads(os.cpu_count() or 1), job_size=JOB_BYTES, write_checksum=True
        )
        self._object = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        self._queue: Queue[bytes | None] = Queue(QUEUED_PIECES)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._write_all, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """End the thread at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the thread, whatever is written."""
        self._end()

    def write(self, data: bytes | memoryview) -> None:
        """Compress bytes. Raises what writing earlier ones has raised."""
        self._put(self._object.compress(data))

    def finish(self) -> None:
        """Write what is left, and bring the file to the disk."""
        self._put(self._object.flush())
        self._end()
        if self._error is not None:
            raise self._error
        self._file.sync()

    def _put(self, data: bytes) -> None:
        if self._error is not None:
            raise self._error
        if data:
            self._queue.put(data)

    def _end(self) -> None:
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _write_all(self) -> None:
        for data in iter(self._queue.get, None):
            if self._error is None:
                try:
                    self._file.write(data)
                except BaseException as error:
                    self._error = error


def threads(processors: int) -> int:
    """Return how many threads compress beside the one that feeds them; 0 for that alone.

    Two processors are busy with reading and compressing as it is: there zstd's threads only take more of both.
    """
    return 0 if processors <= 2 else min(MOST_THREADS, processors - 1)


def store_compressed(path: str, chunks: Iterable[bytes], check: Callable[[int], None]) -> StoredFile:
    """Write a new compressed file; return it, closed."""
    with StoredFile(path, check) as file, Compressor(file) as compressor:
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
