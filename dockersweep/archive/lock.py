"""The lock of an archive, held by whoever begins a run, makes room or deletes; never for long."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from dockersweep.archive.paths import cannot
from dockersweep.errors import ArchiveError
from dockersweep.file_lock import lock_within
from dockersweep.files import is_there

LOCK = "lock"
"""Its file, which is in every archive that anything was put into."""
LOCK_SECONDS = 60.0
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def locked(archive: str) -> Iterator[None]:
    """Hold the lock of the archive in a folder. Raises ArchiveError where somebody else holds it for long."""
    try:
        descriptor = os.open(f"{archive}/{LOCK}", _FLAGS, 0o600)
    except OSError as error:
        raise cannot("locked", archive, error) from None
    try:
        try:
            lock_within(descriptor, LOCK_SECONDS)
        except BlockingIOError:
            raise ArchiveError(
                f"the archive {archive} has been locked by another dockersweep for {LOCK_SECONDS:g} seconds: "
                "run this again when that has ended"
            ) from None
        except OSError as error:
            raise cannot("locked", archive, error) from None
        yield
    finally:
        os.close(descriptor)


def was_begun(archive: str) -> bool:
    """Whether anything was ever put into the archive in a folder: the lock is there from then on. Raises OSError."""
    return is_there(f"{archive}/{LOCK}")
