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
from typing import Protocol

import msgspec

from dockersweep.commands.removal_entry import LoggedRemoval
from dockersweep.errors import OutputError
from dockersweep.file_lock import lock_within

JOURNAL = "journal"
JOURNAL_SOCKET = "/run/systemd/journal/socket"
JOURNAL_SECONDS = 5.0
STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
LOCK_SECONDS = 5.0
# A datagram holds about 200 kB, and an object may have reasons by the thousand.
LONGEST_FIELD = 8000


class Lines(Protocol):
    """A destination for entries; both methods raise OSError."""

    def write(self, removal: LoggedRemoval) -> None: ...
    def close(self) -> None: ...


class _File:
    def __init__(self, path: str) -> None:
        # O_NONBLOCK: a pipe that nobody reads is an error, not something to wait for.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        # Opening a standard stream by its name would overwrite what the caller has written there.
        own = STREAMS.get(path)
        self._descriptor = os.open(path, flags, 0o600) if own is None else os.dup(own)

    def write(self, removal: LoggedRemoval) -> None:
        """Append a line, or nothing of it if the disk is full."""
        # Escaped, because people look at logs on terminals.
        line = json.dumps(msgspec.to_builtins(removal.entry)).encode() + b"\n"
        with self._alone():
            written = os.write(self._descriptor, line)
            if written < len(line):
                with suppress(OSError):
                    os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock the file: runs on other engines may write to it."""
        try:
            lock_within(self._descriptor, LOCK_SECONDS)
        except BlockingIOError:
            raise OSError(errno.EAGAIN, "another process keeps it locked") from None
        except OSError:
            # A pipe, or a file system without locks.
            pass
        try:
            yield
        finally:
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._descriptor)


class _Journal:
    """Speaks the journal's native protocol: a datagram of fields; a multi-line value is preceded by its length."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(JOURNAL_SECONDS)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def write(self, removal: LoggedRemoval) -> None:
        fields = {
            "MESSAGE": removal.message[:LONGEST_FIELD],
            "PRIORITY": str(removal.priority),
            "SYSLOG_IDENTIFIER": "dockersweep",
        }
        for name, value in msgspec.to_builtins(removal.entry).items():
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

    If it can no longer be written, `problem` says why, and the run goes on.
    """

    def __init__(self, target: str | None) -> None:
        """`target` is a path or "journal"; None for no log. Raises OutputError if it cannot be opened."""
        self.problem: str | None = None
        self._target = target
        self._lines = None if target is None else _opened(target)
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether anything is written."""
        return self._lines is not None

    def close(self) -> None:
        """Close the log."""
        if self._lines is not None:
            self._lines.close()

    def write(self, removal: LoggedRemoval) -> None:
        """Write the outcome of a removal."""
        if self._lines is None or self.problem is not None:
            return
        try:
            with self._lock:
                self._lines.write(removal)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            self.problem = f"{self._target} cannot be written any more: {why}"


def _opened(target: str) -> Lines:
    try:
        return _Journal(JOURNAL_SOCKET) if target == JOURNAL else _File(target)
    except (OSError, ValueError) as error:
        where = f"the journal at {JOURNAL_SOCKET}" if target == JOURNAL else target
        why = getattr(error, "strerror", None) or error
        raise OutputError(f"nothing removed: the audit log {where} cannot be written: {why}") from None
