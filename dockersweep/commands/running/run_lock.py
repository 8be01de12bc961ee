"""One run at a time on an engine: locks on files, which die with their process.

One lies beside the ledger and is for all runs that share it, whatever way they reach the engine. Of an engine with a
socket on this machine there is another that all who can reach that socket share.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from dockersweep.commands.running.shared_lock import NotSharedError, engine_socket, open_shared_lock, shared_lock_path
from dockersweep.errors import RefusedError
from dockersweep.file_lock import lock_within
from dockersweep.model.inventory import Engine
from dockersweep.model.naming import engine_identity
from dockersweep.units import format_instant

FOLDER = "locks"
SETTLING_SECONDS = 0.2


class Holder(msgspec.Struct, frozen=True):
    """Who holds the lock, as it stands in its file."""

    pid: int
    started_at: datetime


class RunLock(msgspec.Struct, frozen=True):
    """What is held while a run removes."""

    is_alone: bool
    """Whether no other run with the same ledger is at work on the engine."""
    problem: str | None
    """Which other runs would not be noticed, and why; None where all that matter are."""


class LockFolders(msgspec.Struct, frozen=True):
    """Where the lock files lie."""

    own: Path
    """The folder of the ledger."""
    shared: Path


@contextmanager
def run_lock(engine: Engine, folders: LockFolders, timeout_seconds: float) -> Iterator[RunLock]:
    """Hold the locks of an engine, as far as their files can be made.

    Raises RefusedError, which names the other run, where that does not end within the time-out.
    """
    deadline = time.monotonic() + timeout_seconds
    # Always in this order, so that no two runs wait for each other.
    with ExitStack() as held:
        no_own = _take_own(held, engine, folders.own, deadline)
        is_shared, not_shared = _take_shared(held, engine, folders.shared, deadline)
        if no_own is not None and not is_shared:
            yield RunLock(is_alone=False, problem=f"{no_own}: another run on this engine would not be noticed")
        elif not_shared is not None:
            yield RunLock(is_alone=True, problem=f"{not_shared}: a run of another user would not be noticed")
        else:
            yield RunLock(is_alone=True, problem=None)


def _take_own(held: ExitStack, engine: Engine, folder: Path, deadline: float) -> str | None:
    """Take the lock beside the ledger; return why there can be none."""
    path = folder / FOLDER / sha256(engine_identity(engine).encode()).hexdigest()[:16]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        return f"{path} cannot be written ({error.strerror})"
    problem = _hold(held, descriptor, deadline, engine)
    return None if problem is None else f"{path} cannot be locked ({problem})"


def _take_shared(held: ExitStack, engine: Engine, folder: Path, deadline: float) -> tuple[bool, str | None]:
    """Take the lock of all who can reach the engine's socket; return whether it is held, and if not, why not, where
    others can reach it."""
    try:
        socket = engine_socket(engine)
    except OSError as error:
        return False, f"{engine.endpoint} cannot be looked at ({error.strerror})"
    if socket is None:
        return False, None
    path = shared_lock_path(socket, folder)
    try:
        problem = _hold(held, open_shared_lock(path, socket), deadline, engine)
    except NotSharedError as error:
        return False, None if socket.is_mine_alone else str(error)
    if problem is None:
        return True, None
    return False, None if socket.is_mine_alone else f"{path} cannot be locked ({problem})"


def _hold(held: ExitStack, descriptor: int, deadline: float, engine: Engine) -> str | None:
    """Take the lock of an open file; return why there is none to be had, as on some file systems of a network."""
    # The file stays: to remove it would let two runs lock two files of the same name.
    held.callback(os.close, descriptor)
    try:
        lock_within(descriptor, max(0.0, deadline - time.monotonic()))
    except BlockingIOError:
        raise RefusedError(_refusal(descriptor, engine)) from None
    except OSError as error:
        return error.strerror
    _write_holder(descriptor)
    held.callback(_forget_holder, descriptor)
    return None


def _refusal(descriptor: int, engine: Engine) -> str:
    # A run writes its name a moment after it took the lock; until then the previous holder's may stand there.
    time.sleep(SETTLING_SECONDS)
    holder = _holder(descriptor)
    who = "another run" if holder is None else f"process {holder.pid}, which began {format_instant(holder.started_at)},"
    return (
        f"{who} is at work on the engine at {engine.endpoint}; wait for it with --lock-timeout, like --lock-timeout 10m"
    )


def _holder(descriptor: int) -> Holder | None:
    try:
        holder = msgspec.json.decode(os.pread(descriptor, 1000, 0), type=Holder)
        os.kill(holder.pid, 0)
    except PermissionError:
        # A process of another user.
        return holder
    except (OSError, OverflowError, msgspec.DecodeError, UnicodeDecodeError):
        # The file is empty for a moment after the lock was taken, and a run that was killed leaves its name.
        return None
    return holder


def _write_holder(descriptor: int) -> None:
    """A full disk does not matter: the lock holds, and only its holder's name is missing."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(Holder(os.getpid(), datetime.now(UTC))), 0)


def _forget_holder(descriptor: int) -> None:
    """Remove our name: the next run may be able to lock the file and not to write it."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
