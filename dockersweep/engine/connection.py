"""Requests to one engine over kept-alive connections; the only place that imports docker-py.

docker-py builds the transport (the unix socket, TLS from its files). Its own request path opens a connection and spends
about 1.5 ms of processor time per request, because its pools are keyed by the whole URL; what is asked once an
object would then take longer than the engine's answer. So its connection pool is taken out of its adapter once, and
asked directly.
"""

import errno
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import docker
import docker.errors
import docker.tls
import msgspec
import requests
import requests.adapters
import urllib3
import urllib3.exceptions

from dockersweep.engine.endpoint import Endpoint, TlsFiles
from dockersweep.engine.exchange import exchange
from dockersweep.errors import EngineError, EngineLostError, EngineTimeoutError

CONNECT_SECONDS = 10
CONNECTIONS = 16
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
            message = msgspec.json.decode(self.body, type=_ErrorBody).message
        except (msgspec.DecodeError, UnicodeDecodeError):
            message = ""
        text = message or self.body[:200].decode("utf-8", "replace").strip()
        return text or f"HTTP status {self.status} without a message"


class _ErrorBody(msgspec.Struct):
    message: str = ""


class Connection:
    """Keeps connections to one endpoint. Safe to be used by several threads."""

    def __init__(self, endpoint: Endpoint, timeout_seconds: float) -> None:
        self.endpoint = endpoint
        self.timeout_seconds = timeout_seconds
        self._client = _docker_client(endpoint)
        self._pool = _pool_of(self._client)

    def close(self) -> None:
        """Close every connection that is not in use by another thread."""
        self._pool.close()
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> Answer:
        """Send one request and read its whole answer; nothing is ever sent twice.

        Raises EngineTimeoutError when the engine stays silent for `timeout_seconds`, EngineError when it cannot be
        reached or breaks the answer off.
        """
        url = quote(path, safe="/:@") + ("?" + urlencode(params) if params else "")
        seconds = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        try:
            return self._exchange(method, url, seconds)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._error(method, path, error, seconds) from error

    def _exchange(self, method: str, url: str, seconds: float) -> Answer:
        """Ask over one of the pool's connections, but past urllib3's own request: its retries, redirects and decoding
        cost more than the answer and are not wanted here."""
        connection: Any = self._pool._get_conn()
        keeps_alive = False
        try:
            if connection.is_closed:
                connection.timeout = min(CONNECT_SECONDS, seconds)
                connection.connect()
            connection.sock.settimeout(seconds)
            answer = exchange(connection.sock, method, url)
            keeps_alive = answer.keeps_alive
            return Answer(status=answer.status, body=answer.body)
        finally:
            # An answer that was not read to its end must not become the next request's.
            if not keeps_alive:
                connection.close()
            self._pool._put_conn(connection)

    def _error(self, method: str, path: str, error: Exception, seconds: float) -> EngineError:
        where = f"the engine at {self.endpoint.url} (from {self.endpoint.source})"
        cause = _first_os_error(error)
        # urllib3 counts a refused connection among its connect time-outs.
        refused = isinstance(error, urllib3.exceptions.NewConnectionError)
        if isinstance(error, urllib3.exceptions.ConnectTimeoutError) and not refused:
            return EngineTimeoutError(f"{where} did not accept a connection within {CONNECT_SECONDS} seconds")
        if isinstance(cause, TimeoutError):
            return EngineTimeoutError(f"{where} did not answer {method} {path} within {seconds:g} seconds")
        if isinstance(cause, ssl.SSLError):
            return EngineError(f"cannot talk TLS to {where}: {error}; check its certificates and DOCKER_CERT_PATH")
        code = cause.errno if cause is not None else None
        if self.endpoint.url.startswith("unix:") and code in _TRY_UNIX:
            return EngineLostError(f"cannot reach {where}: {_TRY_UNIX[code]}")
        if refused:
            why = cause.strerror if cause is not None and cause.strerror else _innermost(error)
            return EngineLostError(f"cannot reach {where}: {why}; check the address, and that it listens there")
        return EngineLostError(f"{where} broke off the answer to {method} {path}: {_innermost(error)}")


def _docker_client(endpoint: Endpoint) -> docker.APIClient:
    url = endpoint.url
    tls = None if endpoint.tls is None else _tls_config(endpoint.tls)
    try:
        # The version is a placeholder that keeps docker-py from asking the engine: ours goes into every path.
        return docker.APIClient(base_url=url, version="1.40", tls=tls or False, max_pool_size=CONNECTIONS)
    except (docker.errors.DockerException, ValueError, OSError) as error:
        raise EngineError(f"cannot use the engine at {url} (from {endpoint.source}): {error}") from error


def _tls_config(files: TlsFiles) -> docker.tls.TLSConfig:
    pair = None if files.cert is None or files.key is None else (str(files.cert), str(files.key))
    try:
        return docker.tls.TLSConfig(
            client_cert=pair, ca_cert=str(files.ca) if files.ca and files.verify else None, verify=files.verify
        )
    except docker.errors.TLSParameterError as error:
        raise EngineError(f"the TLS files cannot be used: {error}") from error


def _pool_of(client: docker.APIClient) -> urllib3.HTTPConnectionPool:
    adapter = client.get_adapter(client.base_url)
    assert isinstance(adapter, requests.adapters.HTTPAdapter)
    request = requests.Request("GET", client.base_url + "/").prepare()
    pool = adapter.get_connection_with_tls_context(request, verify=client.verify, cert=client.cert)
    assert isinstance(pool, urllib3.HTTPConnectionPool)
    return pool


def _innermost(error: BaseException) -> BaseException:
    """urllib3 wraps what went wrong as the last argument of an error of its own."""
    inner = error.args[-1] if error.args else None
    return _innermost(inner) if isinstance(inner, BaseException) else error


def _first_os_error(error: BaseException) -> OSError | None:
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, OSError):
        inner = [argument for argument in seen.args if isinstance(argument, BaseException)]
        seen = seen.__cause__ or seen.__context__ or (inner[0] if inner else None)
    return seen
