"""The one connection of ssh that a run has to a host; all that follows goes over it, without a handshake.

The process holds a session that looks at the host (`ssh_look`), and then waits for the end of its input: so both ends
go away with this process, whatever ends it. Keys, agents, jumps and known hosts are the user's.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import BinaryIO, cast

from dockersweep.engine.api.ssh_address import SshAddress
from dockersweep.engine.api.ssh_errors import SshError, error_of, explained, last_line
from dockersweep.engine.api.ssh_look import PING, Look, look_command, read_look

ASKING_SECONDS = 180.0
"""How long a person may take for passphrases and questions of ssh; sshd itself waits for 120 seconds by default."""
_END_SECONDS = 2.0
_LONGEST_ANSWER = 65_536
_LONGEST_FOLDER = 50
"""Of characters: the path of a socket has 104 at most, of which ssh takes 17 for itself."""
# The terminal sends these to all its processes; what a run has begun it finishes.
_UNINTERRUPTED = ["sh", "-c", 'trap "" HUP INT QUIT; exec "$@"', "sh"]


class SshMaster:
    """A connection to a host, over which others go, once `log_in` has returned. `close` may come any time."""

    def __init__(self, address: SshAddress, timeout_seconds: float, may_ask: bool) -> None:
        """`may_ask` is whether a person at the terminal may be asked."""
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._asks = may_ask and (sys.stdin.isatty() or sys.stderr.isatty())
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None
        self._held: socket.socket | None = None
        self._errors = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - closed with the connection.
        self._last_words: str | None = None
        self._is_closed = False
        self._lock = threading.Lock()
        self.look = Look("none")
        """What the host has."""
        self.forwarded: str | None = None
        """The path of a socket here that leads to the engine's there; None if it is reached by its client."""

    @property
    def is_open(self) -> bool:
        """Whether connections can go over it, as far as can be seen."""
        return self._process is not None and self._process.poll() is None

    @property
    def last_words(self) -> str | None:
        """The last line that ssh has said."""
        with self._lock:
            return self._last_words if self._errors.closed else last_line(self._errors)

    def ended(self, seconds: float) -> int | None:
        """Return the exit status of ssh, if it ends within so long; otherwise None."""
        assert self._process is not None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def log_in(self) -> None:
        """Connect, over a connection that the user keeps (ControlPath) where there is one.

        Raises SshError if the host cannot be reached (TurnedAwayError if another try may do), and TimeoutError.
        """
        try:
            is_kept = self._run("-O", "check") == 0
        except FileNotFoundError:
            raise SshError("there is no ssh on the PATH: install the client of OpenSSH") from None
        self._start([] if is_kept else self._own())
        self.look = self._looked()
        if is_kept and self.look.client == "none":
            self._end()
            self._start(self._own())
            self.look = self._looked()
        # In a connection that the user keeps it would stay.
        if self._folder is not None and self.look.socket is not None:
            self.forwarded = self._forward(self._folder, self.look.socket)

    def command(self, *words: str) -> list[str]:
        """Return a command line of ssh that runs `words` on the host, without asking anybody anything."""
        over = [] if self._folder is None else ["-S", self._control]
        return ["ssh", *over, "-o", "ControlMaster=no", *self._options(asks=False), *self._address.words, *words]

    def close(self) -> None:
        """End the connection and all that goes over it."""
        self._is_closed = True
        self._end()
        self._last_words = self.last_words
        with self._lock:
            self._errors.close()

    def _own(self) -> list[str]:
        """Return the options of a connection that others can go over, in a folder that only this user can enter."""
        base = tempfile.gettempdir()
        self._folder = tempfile.mkdtemp(prefix="dockersweep-ssh-", dir=base if len(base) <= _LONGEST_FOLDER else "/tmp")
        return ["-M", "-S", self._control, "-o", "ControlPersist=no"]

    @property
    def _control(self) -> str:
        # ssh replaces %h and the like.
        return os.path.join(self._folder or "", "ssh").replace("%", "%%")

    def _start(self, options: list[str]) -> None:
        asks = self._asks
        words = ["ssh", *options, *self._options(asks), *self._address.words, look_command(self._address.path)]
        self._held, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [*_UNINTERRUPTED, *words] if asks else words,
                stdin=other.fileno(),
                stdout=other.fileno(),
                stderr=self._errors,
                # Without a terminal there is nobody to ask, and no signal of it.
                start_new_session=not asks,
                env=None if asks else os.environ | {"SSH_ASKPASS_REQUIRE": "never"},
            )
        self._held.settimeout(max(ASKING_SECONDS, self._timeout_seconds) if asks else self._timeout_seconds)
        if self._is_closed:
            self._end()

    def _options(self, asks: bool) -> list[str]:
        seconds = max(1, round(self._timeout_seconds))
        settings = (
            f"ConnectTimeout={seconds}",
            # So a connection that is dead ends before a request does.
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
            # What a user has for shells would be in the way, or spoil the answers.
            "ClearAllForwardings=yes",
            "RemoteCommand=none",
            "PermitLocalCommand=no",
            *([] if asks else ["BatchMode=yes"]),
        )
        return ["-T", "-a", "-x", "-e", "none", *(word for setting in settings for word in ("-o", setting))]

    def _run(self, *options: str) -> int:
        """Run a command about the connection, and return its exit status."""
        words = ["ssh", *options, "-o", "BatchMode=yes", *self._address.words]
        with subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if "check" in options else self._errors,
            start_new_session=True,
        ) as process:
            try:
                return process.wait(self._timeout_seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise TimeoutError from None
            except BaseException:
                process.kill()
                raise

    def _forward(self, folder: str, path: str) -> str | None:
        """Return the path of a socket here that leads to the one at `path` there. If that fails, return None where a
        client can be used instead. Raises SshError, and TimeoutError."""
        local = os.path.join(folder, "engine")
        status = self._run("-S", self._control, "-O", "forward", "-L", f"{local}:{path}")
        if status and self.look.client == "none":
            raise SshError(explained(self.last_words, status, self._address))
        return None if status else local

    def _looked(self) -> Look:
        """Return what the host has. Raises SshError if that cannot be told."""
        assert self._held is not None
        assert self._process is not None
        answer = b""
        deadline = time.monotonic() + (self._held.gettimeout() or 0)
        with suppress(BrokenPipeError, ConnectionResetError):
            self._held.sendall(PING)
            while b"\n" not in answer and len(answer) < _LONGEST_ANSWER and (data := self._held.recv(4096)):
                answer += data
                self._held.settimeout(max(0.001, deadline - time.monotonic()))
        first = answer.partition(b"\n")[0].strip()
        if (look := read_look(first)) is not None:
            return look
        if answer:
            text = first.decode("utf-8", "replace")[:200]
            raise SshError(
                f'the login shell of {self._address.host} says "{text}" before it runs a command; '
                "its startup files must be silent without a terminal"
            )
        raise error_of(self.last_words, self._ended(self._process), self._address)

    def _ended(self, process: subprocess.Popen[bytes]) -> int:
        """Return the exit status of a process that is about to end."""
        try:
            return process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _end(self) -> None:
        if self._held is not None:
            self._held.close()
        if self._process is not None:
            self._process.terminate()
            self._ended(self._process)
        # Whoever interrupts a login closes it at the same time as the thread that it fails in.
        folder, self._folder = self._folder, None
        if folder is not None:
            from shutil import rmtree

            rmtree(folder, ignore_errors=True)
