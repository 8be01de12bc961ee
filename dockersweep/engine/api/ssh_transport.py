"""Connections to an engine on another machine, over ssh: to a forwarded socket, if it is certain which one the client
there would use, or if there is no client; else to docker's or Podman's client, as docker has it (docker/cli,
cli/connhelper). A client takes as long to start as an engine to list everything."""

import os
import shlex
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from typing import BinaryIO, cast

from dockersweep.engine.api.ssh_address import SshAddress
from dockersweep.engine.api.ssh_errors import SshError, TurnedAwayError, explained, last_line
from dockersweep.engine.api.ssh_master import SshMaster
from dockersweep.engine.api.transport import Transport

_MOST_SESSIONS = 8
"""An sshd allows 10 on one connection by default (MaxSessions), and one is held."""
_START_SECONDS = 0.1
"""About what a client takes to start there: it is worth the wait for one that is at work."""
_PAUSES_SECONDS = (0.5, 1.0, 2.0)
"""About how long to wait before another login, after one that was turned away."""
_END_SECONDS = 1.0
"""How long a process of ssh may take to end after its output has."""
_CUT_SECONDS = 0.3
"""How long the connection to a host may take to end after a forwarded one that it cut off."""


class SshSocket(socket.socket):
    """A socket whose other end is the standard input and output of a process of ssh, which ends with it."""

    _master: SshMaster | None = None
    _process: subprocess.Popen[bytes] | None = None
    _errors: BinaryIO | None = None

    def start(self, master: SshMaster, command: str, other: socket.socket) -> None:
        """Start the process that runs a command over a connection."""
        self._master = master
        self._errors = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - closed with the socket.
        # In a session of its own it neither asks on the terminal nor gets its signals.
        self._process = subprocess.Popen(
            master.command(command),
            stdin=other.fileno(),
            stdout=other.fileno(),
            stderr=self._errors,
            start_new_session=True,
        )

    def failure(self) -> tuple[int, str | None] | None:
        """Return the exit status and the last line of a process that failed; None for any other."""
        if self._process is None or self._errors is None or self._master is None:
            return None
        try:
            status = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        line = last_line(self._errors)
        if line is None or line.startswith("mux_client"):
            # The end of the connection that it went over.
            line = self._master.last_words or line
        return (status, line) if status else None

    def close(self) -> None:
        """Close the socket and end the process."""
        super().close()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        if self._errors is not None:
            self._errors.close()


class ForwardedSocket(socket.socket):
    """A socket whose other end ssh joins to the engine's there."""

    def __init__(self, master: SshMaster, path: str) -> None:
        """`path` is that of the socket that `master` has made here."""
        super().__init__(socket.AF_UNIX)
        self._master = master
        self._path = path

    def reach(self, seconds: float) -> None:
        """Connect. Raises OSError."""
        self.settimeout(seconds)
        self.connect(self._path)

    def failure(self) -> tuple[int, str | None] | None:
        """Return the exit status and the last line of ssh, if that is why the socket has been closed: with status 0 the
        connection to the host goes on. The host's client is used from now on, if it has one."""
        if self._master.look.client != "none":
            self._master.forwarded = None
        line = self._master.last_words
        if line is not None and "open failed" in line:
            return 0, line
        status = self._master.ended(_CUT_SECONDS)
        return None if status is None else (status, self._master.last_words)


class _Ssh:
    """The connections to one host. Safe for several threads."""

    def __init__(self, address: SshAddress, timeout_seconds: float, may_ask: bool) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._may_ask = may_ask
        self._master: SshMaster | None = None
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def connect(self, seconds: float) -> socket.socket:
        """Return a connected socket; the time-out is the engine's, as a person may be asked. Raises OSError."""
        master = self._opened()
        if (path := master.forwarded) is not None:
            forwarded = ForwardedSocket(master, path)
            try:
                forwarded.reach(seconds)
            except BaseException:
                forwarded.close()
                raise
            return forwarded
        ours, other = socket.socketpair()
        connected = SshSocket(fileno=ours.detach())
        try:
            with other:
                connected.start(master, _dial(master.look.client, self._address.path), other)
        except BaseException:
            connected.close()
            raise
        return connected

    def machine_id(self) -> str | None:
        """Return the id of the host, if it is known."""
        return None if self._master is None else self._master.look.machine_id

    def opens_fast(self) -> bool:
        """Whether a further connection needs no client of an engine to start."""
        return self._master is not None and self._master.forwarded is not None

    def why_ended(self, connected: socket.socket) -> str | None:
        """Return why a connection has ended, as far as ssh or the host has told."""
        if not isinstance(connected, SshSocket | ForwardedSocket) or (failure := connected.failure()) is None:
            return None
        status, line = failure
        return explained(line, status, self._address)

    def close(self) -> None:
        """End all of it."""
        self._closed.set()
        # Without the lock, which whoever is connecting holds.
        if self._master is not None:
            self._master.close()

    def _opened(self) -> SshMaster:
        with self._lock:
            if self._master is not None and self._master.is_open:
                return self._master
            if self._master is not None:
                self._master.close()
            for pause in _PAUSES_SECONDS:
                with suppress(TurnedAwayError):
                    return self._logged_in()
                # Others that were turned away at the same time are not to come back at the same time.
                self._closed.wait(pause * (0.5 + os.urandom(1)[0] / 256))
            return self._logged_in()

    def _logged_in(self) -> SshMaster:
        if self._closed.is_set():
            raise SshError("the connection is closed")
        self._master = SshMaster(self._address, self._timeout_seconds, self._may_ask)
        try:
            self._master.log_in()
        except BaseException:
            self._master.close()
            raise
        return self._master


def ssh_transport(address: SshAddress, timeout_seconds: float, may_ask: bool) -> Transport:
    """Connect to the engine of a host over ssh; `timeout_seconds` is for reaching the host. `may_ask` is whether a
    person at the terminal may be asked for passphrases and unknown keys of hosts."""
    ssh = _Ssh(address, timeout_seconds, may_ask)
    return Transport(
        ssh.connect,
        shows_end=True,
        opens_fast=ssh.opens_fast,
        most_connections=_MOST_SESSIONS,
        wait_seconds=_START_SECONDS,
        why_ended=ssh.why_ended,
        machine_id=ssh.machine_id,
        close=ssh.close,
    )


def _dial(client: str, path: str | None) -> str:
    """Return the command that joins its input and output to the engine's socket."""
    if path is None:
        return f"{client} system dial-stdio"
    option = "-H" if client == "docker" else "--url"
    return f"{client} {option} {shlex.quote(f'unix://{path}')} system dial-stdio"
