"""One run at a time on an engine: a lock on a file of the engine's own, which dies with its process."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from dockersweep.commands.file_lock import lock_within
from dockersweep.errors import RefusedError
from dockersweep.model.inventory import Engine
from dockersweep.model.naming import engine_identity
from dockersweep.units import format_instant

FOLDER = "locks"
SETTLING_SECONDS = 0.2


class Holder(msgspec.Struct, frozen=True):
    """Who holds the lock, as it stands in its file."""

    pid: int
    started_at: datetime


@contextmanager
def run_lock(engine: Engine, folder: Path, timeout_seconds: float) -> Iterator[str | None]:
    """Hold the lock of an engine; yield None, or why there can be none, where its file cannot be made.

    Raises RefusedError, which names the other run, where that does not end within the time-out.
    """
    path = folder / FOLDER / hashlib.sha256(engine_identity(engine).encode()).hexdigest()[:16]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        yield f"{path} cannot be written ({error.strerror}): another run on this engine would not be noticed"
        return
    try:
        problem = _wait_for(descriptor, timeout_seconds, engine)
        if problem is None:
            _write_holder(descriptor)
        yield None if problem is None else f"{path} cannot be locked ({problem}): another run would not be noticed"
    finally:
        # The file stays: to remove it would let two runs lock two files of the same name.
        os.close(descriptor)


def _wait_for(descriptor: int, timeout_seconds: float, engine: Engine) -> str | None:
    """Take the lock; return why there is none to be had, as on some file systems of a network."""
    try:
        lock_within(descriptor, timeout_seconds)
    except BlockingIOError:
        raise RefusedError(_refusal(descriptor, engine)) from None
    except OSError as error:
        return error.strerror
    return None


def _refusal(descriptor: int, engine: Engine) -> str:
    # It writes its name a moment after it took the lock; until then that of the one before may stand there.
    time.sleep(SETTLING_SECONDS)
    holder = _holder(descriptor)
    who = "another run" if holder is None else f"process {holder.pid}, which began {format_instant(holder.started_at)},"
    return (
        f"nothing was removed: {who} is at work on the engine at {engine.endpoint}; "
        "wait for it with --lock-timeout, like --lock-timeout 10m"
    )


def _holder(descriptor: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 1000, 0), type=Holder)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        # Between its taking the lock and its writing there is a moment.
        return None


def _write_holder(descriptor: int) -> None:
    """A full disk does not matter: the lock holds, and only its holder's name is missing."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(Holder(os.getpid(), datetime.now(UTC))), 0)
    except OSError:
        pass
