"""The audit log: a JSON line for each removal, appended as it ends, to a file or to the systemd journal."""

import errno
import fcntl
import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from dockersweep.errors import OutputError
from dockersweep.model.inventory import Engine
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Decision, ObjectRef, Plan, Removal
from dockersweep.report.text import printable

JOURNAL = "journal"
JOURNAL_SOCKET = "/run/systemd/journal/socket"
JOURNAL_SECONDS = 5.0
# A datagram holds about 200 kB, and an object may have reasons by the thousand.
LONGEST_FIELD = 8000
_WARNING, _NOTICE, _INFORMATION = 4, 5, 6
_PRIORITY = {"removed": _NOTICE, "failed": _WARNING}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one removal: a line of the audit log."""

    at: datetime
    run: int | None
    """The number of the run in the ledger; None where that is not written."""
    pid: int
    engine: str | None
    """The engine's name."""
    engine_id: str | None
    endpoint: str
    kind: str
    id: str
    name: str
    action: str
    status: str
    detail: str | None
    reasons: tuple[str, ...]
    """Each with its rule: "stopped containers: stopped for 10 days, over 24 hours"."""
    size_bytes: int | None
    freed_bytes: int | None


class Lines(Protocol):
    """Where entries go; raises OSError."""

    def write(self, entry: Entry) -> None: ...
    def close(self) -> None: ...


class _File:
    def __init__(self, path: str) -> None:
        # A pipe that nobody reads is an error, and not to be waited for.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        self._descriptor = os.open(path, flags, 0o600)

    def write(self, entry: Entry) -> None:
        """Append a line; where the disk is full, none of it."""
        # Escaped, because people look at logs on terminals.
        line = json.dumps(msgspec.to_builtins(entry)).encode() + b"\n"
        with self._alone():
            written = os.write(self._descriptor, line)
            if written < len(line):
                with suppress(OSError):
                    os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Runs on other engines may write to the same file."""
        with suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._descriptor)


class _Journal:
    """Speaks the journal's own protocol: a datagram of fields, a value of several lines with its length before it."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(JOURNAL_SECONDS)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def write(self, entry: Entry) -> None:
        why = f": {entry.detail or '; '.join(entry.reasons)}"
        fields = {
            "MESSAGE": printable(f"{entry.action} {entry.kind} {entry.name}: {entry.status}{why}")[:LONGEST_FIELD],
            "PRIORITY": str(_PRIORITY.get(entry.status, _INFORMATION)),
            "SYSLOG_IDENTIFIER": "dockersweep",
        }
        for name, value in msgspec.to_builtins(entry).items():
            if value not in (None, (), []):
                text = "; ".join(value) if isinstance(value, list | tuple) else str(value)
                fields[f"DOCKERSWEEP_{name.upper()}"] = text[:LONGEST_FIELD]
        self._socket.send(b"".join(_journal_field(*field) for field in fields.items()))

    def close(self) -> None:
        self._socket.close()


def _journal_field(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"


class AuditLog:
    """Writes an entry for each removal of a run. Safe for several threads.

    Where it cannot be written any more, `problem` says why, and the run goes on.
    """

    def __init__(self, target: str | None, engine: Engine) -> None:
        """`target` is a path, or "journal"; None for no log. Raises OutputError where it cannot be opened."""
        self.problem: str | None = None
        self.run: int | None = None
        self._target = target
        self._engine = engine
        self._lines = None if target is None else _opened(target)
        self._lock = threading.Lock()
        self._decisions: dict[ObjectRef, Decision] = {}

    def close(self) -> None:
        """Close it; what was written stays."""
        if self._lines is not None:
            self._lines.close()

    def plan(self, plan: Plan) -> None:
        """Take the reasons from a plan that is about to be carried out."""
        if self._lines is not None:
            self._decisions |= {ObjectRef(kind=one.kind, id=one.id): one for one in plan.decisions}

    def ended(self, removal: Removal, outcome: Outcome) -> None:
        """Write what became of a removal."""
        if self._lines is None or self.problem is not None:
            return
        try:
            with self._lock:
                self._lines.write(self._entry(removal, outcome))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            self.problem = f"{self._target} cannot be written any more: {why}"

    def _entry(self, removal: Removal, outcome: Outcome) -> Entry:
        decision = self._decisions.get(ObjectRef(kind=removal.kind, id=removal.id))
        return Entry(
            at=datetime.now(UTC),
            run=self.run,
            pid=os.getpid(),
            engine=self._engine.name,
            engine_id=self._engine.id,
            endpoint=self._engine.endpoint,
            kind=removal.kind,
            id=removal.id,
            name=removal.name,
            action=removal.action,
            status=outcome.status,
            detail=outcome.detail,
            reasons=tuple(f"{one.rule}: {one.text}" for one in decision.reasons) if decision else (),
            size_bytes=decision.size_bytes if decision else None,
            freed_bytes=outcome.freed_bytes,
        )


def _opened(target: str) -> Lines:
    try:
        return _Journal(JOURNAL_SOCKET) if target == JOURNAL else _File(target)
    except (OSError, ValueError) as error:
        where = f"the journal at {JOURNAL_SOCKET}" if target == JOURNAL else target
        why = getattr(error, "strerror", None) or error
        raise OutputError(f"nothing was removed: the audit log {where} cannot be written: {why}") from None
