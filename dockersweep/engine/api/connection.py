"""Requests to one engine over kept-alive connections.

docker-py opens a connection and spends about 1.5 ms of processor time for each request, because its pools are keyed by
the whole URL: requests for single objects would take longer than the engine's answers. So the connections are our own;
only TLS is docker-py's (`tls_transport`).
"""

import errno
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import quote, urlencode

import msgspec

from dockersweep.engine.api.asked_ahead import AskedAhead
from dockersweep.engine.api.decoding import decode
from dockersweep.engine.api.endpoint import Endpoint
from dockersweep.engine.api.exchange import AnswerTooLargeError, Exchanged, NoAnswerError, exchange, receive, send
from dockersweep.engine.api.idle_sockets import IdleSockets
from dockersweep.engine.api.transport import Transport, tcp_transport, unix_transport
from dockersweep.errors import EngineError, EngineLostError, EngineTimeoutError, EngineTooMuchError
from dockersweep.units import format_size

if TYPE_CHECKING:
    from dockersweep.engine.api.streamed import StreamedAnswer

CONNECT_SECONDS = 10
CONNECTIONS = 16
MOST_REQUESTS = 1000
"""How many may be under way where the transport sets no limit: more than there are threads."""
LONGEST_MESSAGE = 2000
LARGEST_OBJECT_BYTES = 16_000_000
LARGEST_LIST_BYTES = 1 << 30
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_.~/:@-]*")
_TRY_UNIX = {
    errno.ENOENT: "there is no such socket: is the engine running? Start it, or name another with --host or --context",
    errno.EACCES: "permission denied: run as root, or as a member of the group that owns the socket (mostly docker)",
    errno.ECONNREFUSED: "nothing listens on that socket: the engine is not running; start it",
    errno.ENOTSOCK: "that is no socket: name the engine's socket with --host",
}


class Answer(msgspec.Struct, frozen=True):
    """An engine's answer: the HTTP status, the whole body, and the headers by lower-case names."""

    status: int
    body: bytes
    headers: Mapping[bytes, bytes] = msgspec.field(default_factory=dict)

    def message(self) -> str:
        """Return the error message in the body, whatever form it has; never empty."""
        try:
            message = decode(self.body, _ErrorBody).message
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            message = ""
        text = message[:LONGEST_MESSAGE] or self.body[:200].decode("utf-8", "replace").strip()
        return text or f"HTTP status {self.status} without a message"


class _ErrorBody(msgspec.Struct):
    message: str = ""


class Asking(TypedDict, total=False):
    """The optional arguments of a request."""

    params: dict[str, str] | None
    timeout_seconds: float | None
    """None for the connection's time-out."""
    body: bytes
    """JSON, for a POST."""


class Connection:
    """Keeps connections to one endpoint. Safe for several threads."""

    def __init__(
        self, endpoint: Endpoint, timeout_seconds: float, may_ask: bool = True, first_seconds: float | None = None
    ) -> None:
        """`may_ask` is whether ssh may ask a person at the terminal; `first_seconds` is the limit for a connection and
        for the first answer, None for the usual ones."""
        self.endpoint = endpoint
        self.timeout_seconds = timeout_seconds
        self.first_answer_seconds = first_seconds or timeout_seconds
        self._connect_seconds = first_seconds or CONNECT_SECONDS
        self.asks_again = True
        """Whether a GET without an answer is sent once more. Not while the same engine must answer: another one may
        have taken its place."""
        self._where = f"the engine at {endpoint.url} (from {endpoint.source})"
        self._transport = _transport_of(endpoint, self.first_answer_seconds, may_ask)
        self._closed_meanwhile: tuple[type[OSError], ...] = (NoAnswerError, *self._transport.closing_errors)
        self._slots = threading.BoundedSemaphore(self._transport.most_connections or MOST_REQUESTS)
        self._idle = IdleSockets(CONNECTIONS)
        self._ahead = AskedAhead()

    def close(self) -> None:
        """Close every connection; those in use by other threads are closed after use."""
        self._ahead.close()
        self._idle.close()
        self._transport.close()

    def ask_ahead(self, path: str, params: Mapping[str, str]) -> str:
        """Send a GET whose answer the next `request` for the same URL reads, within `asked_ahead.LONGEST_SECONDS`;
        return the URL for `answers_all`. Errors are left to that request. Where opening connections costs
        more than this gains, nothing is sent."""
        url = _quoted(path, tuple(params.items()))
        if not self._transport.opens_fast():
            return url
        with suppress(OSError, EngineError):
            connected = self._connect()
            try:
                send(connected, "GET", url, self.timeout_seconds)
            except BaseException:
                connected.close()
                raise
            self._ahead.put(url, connected)
        return url

    def answers_all(self, urls: Collection[str], before: str) -> bool:
        """Wait until all `urls`, which were sent ahead, are being answered; return False if `before` is answered
        sooner, or after the connection's time-out."""
        return self._ahead.answer_all(urls, before, self.timeout_seconds)

    def asked_since(self) -> datetime:
        """Return the earliest instant that the answers to the next requests may describe, by this machine's clock."""
        return self._ahead.earliest() or datetime.now(UTC)

    def request(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        timeout_seconds: float | None = None,
        largest_bytes: int = LARGEST_OBJECT_BYTES,
        body: bytes = b"",
    ) -> Answer:
        """Send one request and read its whole answer; a request that changes something is never sent twice.

        Raises EngineTimeoutError when the answer is not complete within `timeout_seconds`, EngineLostError when the
        engine cannot be reached or the connection breaks, and EngineError when the answer is over `largest_bytes`.
        """
        url = _quoted(path, tuple(params.items()) if params else ())
        seconds = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        try:
            with self._slots:
                answer = self._exchange(method, url, seconds, largest_bytes, body)
        except (OSError, AnswerTooLargeError) as error:
            raise self._error_of(error, f"{method} {path}", seconds, largest_bytes) from error
        return Answer(answer.status, answer.body, answer.headers)

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        idle_seconds: float | None = None,
        tar: bytes | Iterable[bytes] | None = None,
    ) -> Iterator["StreamedAnswer"]:
        """Send one request, with a tar as its body if one is given, and yield its answer, whose body is read as it
        comes.

        The engine may be silent for `idle_seconds` (None for the connection's time-out); how long all of it takes has
        no limit. Raises as `request` does, also while the answer is read.
        """
        # Imported late: few runs need it.
        from dockersweep.engine.api.streamed import StreamedAnswer

        url = _quoted(path, tuple(params.items()) if params else ())
        seconds = self.timeout_seconds if idle_seconds is None else idle_seconds
        with self._slots:
            connected = self._connect()
            answer = StreamedAnswer(
                connected, seconds, lambda error: self._error_of(error, f"{method} {path}", seconds, 0)
            )
            try:
                answer.ask(method, url, tar)
                yield answer
            finally:
                # What was not read must not be taken for another answer.
                connected.close()

    def machine_id(self) -> str | None:
        """Return an id of the machine at the other end; None if it is not known, or before the first request."""
        return self._transport.machine_id()

    def peer_pid(self) -> int | None:
        """Return the pid of the process that listens on the unix socket; None where it is on another machine or not
        visible. With socket activation it is systemd's."""
        # Only Linux has it.
        credentials = getattr(socket, "SO_PEERCRED", None)
        if self.endpoint.socket is None or credentials is None:
            return None
        try:
            connected = self._idle.take() or self._connect()
        except EngineError:
            return None
        try:
            size = struct.calcsize("3i")
            pid, _, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, credentials, size))
            return int(pid) or None
        except OSError:
            return None
        finally:
            self._idle.put(connected)

    def _error_of(self, error: Exception, request: str, seconds: float, largest_bytes: int) -> EngineError:
        """Return the error to raise for a failed request."""
        if isinstance(error, TimeoutError):
            return EngineTimeoutError(f"{self._where} did not answer {request} within {seconds:g} seconds")
        if isinstance(error, AnswerTooLargeError):
            size = format_size(largest_bytes)
            return EngineTooMuchError(
                f"{self._where} answered {request} with more than {size}, which no such answer has: is it an engine?"
            )
        if isinstance(error, self._transport.tls_errors) and not isinstance(error, self._closed_meanwhile):
            # With TLS 1.3 an engine rejects our certificate only after the handshake.
            return EngineLostError(f"{self._where}: {self._why_unreachable(error)}")
        if why := "".join(getattr(error, "__notes__", ())[-1:]):
            # As `Transport.why_ended` told. A removal may have been carried out.
            if request.startswith("GET "):
                return EngineLostError(f"cannot reach {self._where}: {why}")
            return EngineLostError(f"{why}; {self._where} did not answer {request}")
        if isinstance(error, NoAnswerError):
            is_plain_tcp = self.endpoint.is_tcp and not self._transport.tls_errors
            hint = "; does this port need TLS? Then give --tlsverify" if is_plain_tcp else ""
            return EngineLostError(f"{self._where} closed the connection without an answer to {request}{hint}")
        return EngineLostError(f"{self._where} broke off its answer to {request}: {error}")

    def _exchange(self, method: str, url: str, seconds: float, largest_bytes: int, body: bytes) -> Exchanged:
        """Send a request. A GET may use an idle connection that the engine has closed, and is sent once more if no
        answer comes. Other requests use an idle connection only if its end would be noticed."""
        deadline = time.monotonic() + seconds

        def once(connected: socket.socket) -> Exchanged:
            left = deadline - time.monotonic()
            return self._exchanged(connected, lambda: exchange(connected, method, url, left, largest_bytes, body))

        try:
            asked = self._ahead.take(url) if method == "GET" else None
            if asked is not None:
                answer = self._exchanged(asked, lambda: receive(asked, seconds, largest_bytes))
                if answer.status != 200:
                    # It will be sent again, and would then be later than the requests that were sent after it.
                    self._ahead.drop()
                return answer
            return once(self._idle_for(method) or self._connect())
        except self._closed_meanwhile:
            self._ahead.drop()
            if method != "GET" or time.monotonic() >= deadline or not self.asks_again:
                raise
        return once(self._connect())

    def _idle_for(self, method: str) -> socket.socket | None:
        idle = self._idle.take(0.0 if self._transport.opens_fast() else self._transport.wait_seconds)
        # Where its end shows at once a new one is no safer; and an open one still leads to the same engine.
        if idle is not None and method != "GET" and not self._transport.shows_end:
            idle.close()
            return None
        return idle

    def _exchanged(self, connected: socket.socket, exchanged: Callable[[], Exchanged]) -> Exchanged:
        """Return the answer from a connection, and keep the connection for the next request if possible."""
        keeps_alive = False
        try:
            answer = exchanged()
            keeps_alive = answer.keeps_alive
            return answer
        except ConnectionError as error:
            if (why := self._transport.why_ended(connected)) is not None:
                error.add_note(why)
            raise
        finally:
            # The rest of an unread answer must not be taken for the next one.
            if keeps_alive:
                self._idle.put(connected)
            else:
                connected.close()

    def _connect(self) -> socket.socket:
        try:
            return self._transport.connect(self._connect_seconds)
        except (OSError, UnicodeError) as error:
            raise EngineLostError(f"cannot reach {self._where}: {self._why_unreachable(error)}") from error

    def _why_unreachable(self, error: OSError | UnicodeError) -> str:
        if self.endpoint.ssh is not None and not isinstance(error, TimeoutError):
            return str(error)
        if isinstance(error, self._transport.tls_errors):
            return f"TLS failed: {error}; check its certificates, and DOCKER_CERT_PATH or --tlscacert"
        if self.endpoint.socket is not None and isinstance(error, OSError) and error.errno in _TRY_UNIX:
            return _TRY_UNIX[error.errno] + self._elsewhere()
        if isinstance(error, TimeoutError):
            seconds = self._connect_seconds if self.endpoint.ssh is None else self.first_answer_seconds
            hint = "" if self.endpoint.ssh is None else "; check that the host is up and reachable"
            return f"it did not accept a connection within {seconds:g} seconds{hint}"
        return f"{getattr(error, 'strerror', None) or error}; check the address, and that an engine listens there"

    def _elsewhere(self) -> str:
        """Return a hint at another engine's socket of this user, if nothing named an engine."""
        if not self.endpoint.is_default:
            return ""
        from dockersweep.engine.api.other_sockets import other_sockets

        sockets = other_sockets(os.environ)
        return f"; there is a socket at {sockets[0]}: try `dockersweep -H {sockets[0]} ...`" if sockets else ""


def _quoted(path: str, params: tuple[tuple[str, str], ...]) -> str:
    plain = path if _PLAIN_PATH.fullmatch(path) else quote(path, safe="/:@")
    return f"{plain}?{_query(params)}" if params else plain


@lru_cache(maxsize=16)
def _query(params: tuple[tuple[str, str], ...]) -> str:
    """Return the query string; cached because removals always have the same parameters."""
    return urlencode(params)


def _transport_of(endpoint: Endpoint, timeout_seconds: float, may_ask: bool) -> Transport:
    if endpoint.socket is not None:
        return unix_transport(endpoint.socket)
    if endpoint.ssh is not None:
        # Imported late: it imports subprocess.
        from dockersweep.engine.api.ssh_transport import ssh_transport

        return ssh_transport(endpoint.ssh, timeout_seconds, may_ask)
    if endpoint.tls is None:
        return tcp_transport(endpoint.url.removeprefix("tcp://"))
    # Imported late: it imports docker-py.
    from dockersweep.engine.api.tls_transport import tls_transport

    return tls_transport(endpoint, endpoint.tls)
