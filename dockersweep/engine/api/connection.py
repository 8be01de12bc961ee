"""Requests to one engine over kept-alive connections; the only place that imports docker-py.

docker-py supplies the transport: the pool of unix sockets, and TLS from its files. Its own request path opens a
connection and spends about 1.5 ms of processor time per request, because its pools are keyed by the whole URL; what is
asked once an object would then take longer than the engine's answer. So there is one pool for all paths, and it is
asked directly. The user's docker configuration (proxies, credentials) has no part in it.
"""

import errno
import socket
import ssl
import struct
import time
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import quote, urlencode

import docker.errors
import docker.tls
import msgspec
import requests
import requests.adapters
import urllib3
import urllib3.exceptions
from docker.transport.unixconn import UnixHTTPConnectionPool

from dockersweep.engine.api.decoding import decode
from dockersweep.engine.api.endpoint import Endpoint, TlsFiles
from dockersweep.engine.api.exchange import AnswerTooLargeError, Exchanged, NoAnswerError, exchange
from dockersweep.errors import EngineError, EngineLostError, EngineTimeoutError, EngineTooMuchError
from dockersweep.units import format_size

CONNECT_SECONDS = 10
CONNECTIONS = 16
LONGEST_MESSAGE = 2000
LARGEST_OBJECT_BYTES = 16_000_000
LARGEST_LIST_BYTES = 1 << 30
_BROKEN_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_CLOSED_MEANWHILE = (NoAnswerError, BrokenPipeError, ConnectionResetError, *_BROKEN_TLS)
_TRY_UNIX = {
    errno.ENOENT: "there is no such socket: is the engine running? Start it, or name another with --host or --context",
    errno.EACCES: "permission denied: run as root, or as a member of the group that owns the socket (mostly docker)",
    errno.ECONNREFUSED: "nothing listens on that socket: the engine is not running; start it",
    errno.ENOTSOCK: "that is no socket: name the engine's socket with --host",
}


@dataclass(frozen=True)
class Answer:
    """What an engine answered: the HTTP status and the whole body."""

    status: int
    body: bytes

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
    """What a request may say beside its path."""

    params: dict[str, str] | None
    timeout_seconds: float | None
    """None for that of the connection."""


class Connection:
    """Keeps connections to one endpoint. Safe to be used by several threads."""

    def __init__(self, endpoint: Endpoint, timeout_seconds: float) -> None:
        self.endpoint = endpoint
        self.timeout_seconds = timeout_seconds
        self.asks_again = True
        """Whether what changes nothing is sent once more where no answer comes. Not where it matters that the same
        engine answers, as another may have taken its place."""
        self._where = f"the engine at {endpoint.url} (from {endpoint.source})"
        self._pool = _pool_of(endpoint)

    def close(self) -> None:
        """Close every connection that is not in use by another thread."""
        self._pool.close()

    def request(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        timeout_seconds: float | None = None,
        largest_bytes: int = LARGEST_OBJECT_BYTES,
    ) -> Answer:
        """Send one request and read its whole answer; what changes something is never sent twice.

        Raises EngineTimeoutError when the answer is not whole within `timeout_seconds`, EngineLostError when the engine
        cannot be reached or breaks the answer off, and EngineError when the answer is of more than `largest_bytes`.
        """
        url = quote(path, safe="/:@") + ("?" + urlencode(params) if params else "")
        seconds = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        # Past urllib3's own request: its retries, redirects and decoding cost more than the answer.
        connection: Any = self._pool._get_conn()
        keeps_alive = False
        try:
            answer = self._exchange(connection, method, url, seconds, largest_bytes)
            keeps_alive = answer.keeps_alive
            return Answer(status=answer.status, body=answer.body)
        except (OSError, AnswerTooLargeError) as error:
            raise self._error_of(error, f"{method} {path}", seconds, largest_bytes) from error
        finally:
            # An answer that was not read to its end must not become the next request's.
            if not keeps_alive:
                connection.close()
            self._pool._put_conn(connection)

    def peer_pid(self) -> int | None:
        """Return the process that listens on a unix socket; None where that is elsewhere, or not to be seen from here.
        Under systemd's socket activation it is systemd's."""
        if self.endpoint.socket is None:
            return None
        connection: Any = self._pool._get_conn()
        try:
            if connection.is_closed:
                self._connect(connection)
            size = struct.calcsize("3i")
            pid, _, _ = struct.unpack("3i", connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
            return int(pid) or None
        except (EngineError, OSError):
            return None
        finally:
            self._pool._put_conn(connection)

    def _error_of(self, error: Exception, request: str, seconds: float, largest_bytes: int) -> EngineError:
        """Return what to raise for what went wrong with a request."""
        if isinstance(error, TimeoutError):
            return EngineTimeoutError(f"{self._where} did not answer {request} within {seconds:g} seconds")
        if isinstance(error, AnswerTooLargeError):
            size = format_size(largest_bytes)
            return EngineTooMuchError(
                f"{self._where} answered {request} with more than {size}, which no such answer has: is it an engine?"
            )
        if isinstance(error, ssl.SSLError) and not isinstance(error, _BROKEN_TLS):
            # With TLS 1.3 the engine's word on our certificate comes only after the connection stands.
            return EngineLostError(f"{self._where}: {self._why_unreachable(error)}")
        return EngineLostError(f"{self._where} broke off the answer to {request}: {error}")

    def _exchange(self, connection: Any, method: str, url: str, seconds: float, largest_bytes: int) -> Exchanged:
        """Send a request. What changes something gets a connection of its own; what changes nothing takes one that may
        have been closed as it lay idle, and is sent once more where no answer comes."""
        if method != "GET":
            connection.close()
        begun = time.monotonic()
        try:
            return self._exchange_once(connection, method, url, seconds, largest_bytes)
        except _CLOSED_MEANWHILE:
            left = seconds - (time.monotonic() - begun)
            if method != "GET" or left <= 0 or not self.asks_again:
                raise
            connection.close()
        return self._exchange_once(connection, method, url, left, largest_bytes)

    def _exchange_once(self, connection: Any, method: str, url: str, seconds: float, largest_bytes: int) -> Exchanged:
        if connection.is_closed:
            self._connect(connection)
        return exchange(connection.sock, method, url, seconds, largest_bytes)

    def _connect(self, connection: Any) -> None:
        connection.timeout = CONNECT_SECONDS
        try:
            connection.connect()
        except (urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            raise EngineLostError(f"cannot reach {self._where}: {self._why_unreachable(error)}") from error

    def _why_unreachable(self, error: Exception) -> str:
        cause = _first_os_error(error)
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause}; check its certificates and DOCKER_CERT_PATH"
        if cause is not None and cause.errno in _TRY_UNIX and self.endpoint.socket is not None:
            return _TRY_UNIX[cause.errno]
        if isinstance(cause, TimeoutError):
            return f"it did not accept a connection within {CONNECT_SECONDS} seconds"
        why = (cause.strerror or cause) if cause is not None else error
        return f"{why}; check the address, and that an engine listens there"


def _pool_of(endpoint: Endpoint) -> urllib3.HTTPConnectionPool:
    """Return the pool that docker-py's transport uses for an endpoint, once for all paths."""
    if endpoint.socket is not None:
        return UnixHTTPConnectionPool("http+docker://localhost", endpoint.socket, maxsize=CONNECTIONS)
    tls = None if endpoint.tls is None else _tls_config(endpoint.tls, endpoint)
    url = endpoint.url.replace("tcp:", "http:" if tls is None else "https:")
    verify = (tls.ca_cert or True) if tls is not None and tls.verify else False
    try:
        request = requests.Request("GET", f"{url}/").prepare()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS)
        pool = adapter.get_connection_with_tls_context(request, verify=verify, cert=tls.cert if tls else None)
    except (requests.RequestException, OSError) as error:
        raise EngineError(f"cannot use the engine at {endpoint.url} (from {endpoint.source}): {error}") from error
    assert isinstance(pool, urllib3.HTTPConnectionPool)
    return pool


def _tls_config(files: TlsFiles, endpoint: Endpoint) -> docker.tls.TLSConfig:
    pair = None if files.cert is None or files.key is None else (str(files.cert), str(files.key))
    ca = str(files.ca) if files.ca and files.verify else None
    try:
        return docker.tls.TLSConfig(client_cert=pair, ca_cert=ca, verify=files.verify)
    except docker.errors.TLSParameterError as error:
        raise EngineError(f"the TLS files for {endpoint.url} cannot be used: {error}") from error


def _first_os_error(error: BaseException) -> OSError | None:
    """Return what the operating system said; urllib3 wraps it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        inner = [argument for argument in cause.args if isinstance(argument, BaseException)]
        cause = cause.__cause__ or cause.__context__ or (inner[0] if inner else None)
    return cause
