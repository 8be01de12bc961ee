"""Notices another watcher on the same engine, by a lock beside those of the runs. It only tells: both go on."""

import os
from contextlib import suppress

from dockersweep.file_lock import Holder, forget_holder, holder_of, lock_within, write_holder
from dockersweep.ledger.folder import state_folder, watch_lock_file
from dockersweep.model.inventory import Engine
from dockersweep.model.naming import engine_identity
from dockersweep.units import format_instant


class WatchLock:
    """The lock of the engine that is watched; it goes with the process."""

    def __init__(self) -> None:
        self._descriptor: int | None = None

    def take(self, engine: Engine) -> str | None:
        """Take the lock of an engine, in place of that of an earlier one. Return who else watches it, in words; None
        for nobody, and where that cannot be known."""
        self.close()
        folder = state_folder(os.environ, os.geteuid())
        path = watch_lock_file(folder, engine_identity(engine))
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                lock_within(descriptor, 0)
            except OSError as error:
                holder = holder_of(descriptor)
                os.close(descriptor)
                return _words(holder) if isinstance(error, BlockingIOError) else None
            write_holder(descriptor)
            self._descriptor = descriptor
        return None

    def close(self) -> None:
        """Let it go."""
        if self._descriptor is not None:
            forget_holder(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


def _words(holder: Holder | None) -> str:
    return "another process" if holder is None else f"process {holder.pid}, since {format_instant(holder.started_at)},"
