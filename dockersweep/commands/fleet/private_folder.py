"""A folder that only this user can enter, for the documents of hosts; what a killed run has left goes with the next."""

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dockersweep.file_lock import lock_within

_PREFIX = "dockersweep-hosts-"
_SETTLING_SECONDS = 60.0
"""A folder is younger than this between its making and its lock."""


@contextmanager
def private_folder() -> Iterator[str]:
    """Yield the path of a new folder, which is removed at the end.

    It stays locked as long as this process or one that is forked from it lives.
    """
    base = tempfile.gettempdir()
    _remove_stale(base)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=base) as folder:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with suppress(OSError):
                lock_within(descriptor, 0)
            yield folder
        finally:
            os.close(descriptor)


def _remove_stale(base: str) -> None:
    """Remove the folders of runs that were killed, with all that they had begun."""
    with suppress(OSError):
        names = [name for name in os.listdir(base) if name.startswith(_PREFIX)]
        for name in names:
            with suppress(OSError):
                _remove_if_stale(os.path.join(base, name))


def _remove_if_stale(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        state = os.fstat(descriptor)
        is_ours = state.st_uid == os.geteuid() and stat.S_IMODE(state.st_mode) == 0o700
        if is_ours and time.time() - state.st_mtime > _SETTLING_SECONDS:
            lock_within(descriptor, 0)
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)
