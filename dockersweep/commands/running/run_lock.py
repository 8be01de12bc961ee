"""One run at a time on an engine: file locks, which end with their process.

One lock file is beside the ledger, for all runs that share the ledger, however they reach the engine. For an engine
with a socket on this machine there is a second one, shared by all users who can reach that socket.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from dockersweep.commands.running.shared_lock import NotSharedError, engine_socket, open_shared_lock, shared_lock_path
from dockersweep.errors import BusyError
from dockersweep.file_lock import forget_holder, holder_of, lock_within, write_holder
from dockersweep.ledger.folder import run_lock_file
from dockersweep.model.inventory import Engine
from dockersweep.model.naming import engine_identity
from dockersweep.units import format_instant

SETTLING_SECONDS = 0.2


class RunLock(msgspec.Struct, frozen=True):
    """The locks that a run holds."""

    is_alone: bool
    """Whether no other run with the same ledger is in progress on the engine."""
    problem: str | None
    """Which other runs would not be noticed, and why; None if all relevant ones would be."""


class LockFolders(msgspec.Struct, frozen=True):
    """The folders of the lock files."""

    own: Path
    """The folder of the ledger."""
    shared: Path


@contextmanager
def run_lock(engine: Engine, folders: LockFolders, timeout_seconds: float) -> Iterator[RunLock]:
    """Hold the locks of an engine, as far as their files can be created.

    Raises BusyError, naming the other run, if that does not end within the time-out.
    """
    deadline = time.monotonic() + timeout_seconds
    # Always in this order, to avoid deadlocks.
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
    """Take the lock beside the ledger; return why that is impossible, else None."""
    path = run_lock_file(folder, engine_identity(engine))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        return f"{path} cannot be written ({error.strerror})"
    problem = _hold(held, descriptor, deadline, engine)
    return None if problem is None else f"{path} cannot be locked ({problem})"


def _take_shared(held: ExitStack, engine: Engine, folder: Path, deadline: float) -> tuple[bool, str | None]:
    """Take the lock that all users of the engine's socket share. Return whether it is held; if not, also the reason,
    unless nobody else can reach the socket."""
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
    """Lock an open file; return why it cannot be locked (some network file systems), else None."""
    # The file is never removed: otherwise two runs could lock two files of the same name.
    held.callback(os.close, descriptor)
    try:
        lock_within(descriptor, max(0.0, deadline - time.monotonic()))
    except BlockingIOError:
        raise BusyError(_refusal(descriptor, engine)) from None
    except OSError as error:
        return error.strerror
    write_holder(descriptor)
    held.callback(forget_holder, descriptor)
    return None


def _refusal(descriptor: int, engine: Engine) -> str:
    # A run writes its pid just after it has taken the lock; until then the file may name the previous holder.
    time.sleep(SETTLING_SECONDS)
    holder = holder_of(descriptor)
    who = "another run" if holder is None else f"process {holder.pid}, which began {format_instant(holder.started_at)},"
    return (
        f"{who} is at work on the engine at {engine.endpoint}; wait for it with --lock-timeout, like --lock-timeout 10m"
    )
