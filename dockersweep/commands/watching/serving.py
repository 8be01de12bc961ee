"""Serves /metrics and /healthz: prometheus_client's WSGI application in the standard library's server.

Who connects is not trusted to be quick, or to send anything: a connection has a few seconds, its head a few kilobytes,
and where there are too many the oldest are closed, so that a new one is always served.
"""

import http
import io
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import make_wsgi_app
from prometheus_client.metrics_core import Metric

from dockersweep.commands.watching.listening import Listener
from dockersweep.report.watch_health import Health

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MOST_CONNECTIONS = 16
IDLE_SECONDS = 5.0
"""How long a client may send or take nothing."""
CONNECTION_SECONDS = 10.0
"""How long a connection may last, whatever it sends."""
LARGEST_HEAD_BYTES = 16_384
_ROUND_SECONDS = 1.0
"""How often connections that have lasted too long are looked for."""
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"


class MetricsServer:
    """Answers on each socket of a listener from threads of its own, until it is closed."""

    def __init__(
        self, listener: Listener, metrics: Callable[[], Iterable[Metric]], health: Callable[[], Health]
    ) -> None:
        """`metrics` and `health` are called for each request, by several threads at once."""
        self._listener = listener
        application = _Application(metrics, health, listener.name if listener.is_local else None)
        connections = _Connections()
        self._servers = [_Server(one, application, connections) for one in listener.sockets]
        self._connections = connections
        self._threads = [
            threading.Thread(target=one.serve_forever, args=(_ROUND_SECONDS,), name="metrics", daemon=True)
            for one in self._servers
        ]

    def start(self) -> None:
        """Begin to answer."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Answer no more; close what is open."""
        for server, thread in zip(self._servers, self._threads, strict=True):
            if thread.ident is not None:
                # Wakes a thread that waits for connections; otherwise it looks at the end of a round.
                with suppress(OSError):
                    server.socket.shutdown(socket.SHUT_RDWR)
                server.shutdown()
                thread.join()
        self._connections.close_those_before(None)
        self._listener.close()


class _Connections:
    """The connections that are open, the oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: dict[socket.socket, float] = {}

    def add(self, connection: socket.socket) -> None:
        """Add one; where there are too many the oldest is cut off, which ends its thread."""
        with self._lock:
            while len(self._since) >= MOST_CONNECTIONS:
                self._cut_off(next(iter(self._since)))
            self._since[connection] = time.monotonic()

    def remove(self, connection: socket.socket) -> None:
        """Forget one that has ended."""
        with self._lock:
            self._since.pop(connection, None)

    def close_those_before(self, instant: float | None) -> None:
        """Cut off those that began before an instant of the monotonic clock; all for None."""
        with self._lock:
            for connection in [one for one, since in self._since.items() if instant is None or since < instant]:
                self._cut_off(connection)

    def _cut_off(self, connection: socket.socket) -> None:
        del self._since[connection]
        # Not closed: its thread has yet to see that, and the descriptor would be another one's by then.
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


class _Server(WSGIServer):
    """The standard library's server on a socket that listens already, with a thread for each connection."""

    def __init__(self, listening: socket.socket, application: "WSGIApplication", connections: _Connections) -> None:
        super().__init__(("", 0), _Request, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        # Without the lookup of this machine's name that the server would do.
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()
        self.set_app(application)
        self._connections = connections
        self._room = threading.BoundedSemaphore(2 * MOST_CONNECTIONS)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Return a connection; one on a unix socket has no address."""
        connection, address = super().get_request()
        return connection, address or ("", 0)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread. One that was cut off may still have to end, so there is room for more threads than
        connections."""
        if not self._room.acquire(timeout=_ROUND_SECONDS):
            self.shutdown_request(request)
            return
        self._connections.add(request)
        try:
            threading.Thread(target=self._answer, args=(request, client_address), name="scrape", daemon=True).start()
        except RuntimeError:
            self._end(request)

    def _answer(self, request: socket.socket, client_address: Any) -> None:
        try:
            # What a client does wrong, or does not wait for, is told to nobody.
            with suppress(OSError, ValueError):
                self.finish_request(request, client_address)
        finally:
            self._end(request)

    def _end(self, request: socket.socket) -> None:
        self._connections.remove(request)
        self.shutdown_request(request)
        self._room.release()

    def service_actions(self) -> None:
        """Cut off what has lasted too long."""
        self._connections.close_those_before(time.monotonic() - CONNECTION_SECONDS)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing."""


class _LargeHeadError(OSError):
    """More came than a head may have."""


class _BoundedReader(io.RawIOBase):
    """What a connection sends, up to the size of a head."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._left = LARGEST_HEAD_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._left <= 0:
            raise _LargeHeadError
        read = self._connection.recv_into(buffer, min(len(buffer), self._left))
        self._left -= read
        return read


class _Request(WSGIRequestHandler):
    """One request; the connection ends with its answer."""

    timeout = IDLE_SECONDS
    error_content_type = _TEXT
    error_message_format = "%(code)d %(message)s\n"

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_BoundedReader(self.connection), 2048)

    def handle(self) -> None:
        """Read the head, answer."""
        try:
            self.raw_requestline = self.rfile.readline()
            if not self.raw_requestline or not self.parse_request():
                return
        except _LargeHeadError:
            self.requestline, self.request_version, self.command = "", "HTTP/1.0", "GET"
            self.send_error(http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        if self.request_version == "HTTP/0.9":
            # It has no headers, not even empty ones from Python 3.14 on.
            self.send_error(http.HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
            return
        # Nothing of the body is read: a GET has none that means anything.
        handler = _Answer(io.BytesIO(), self.wfile, io.StringIO(), self.get_environ(), multithread=True)  # type: ignore[arg-type]
        handler.request_handler = self  # type: ignore[attr-defined]
        handler.run(self.server.get_app())  # type: ignore[attr-defined]

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send an error without what the client sent."""
        super().send_error(code)

    def version_string(self) -> str:
        """Name no version."""
        return "dockersweep"

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


class _Answer(ServerHandler):
    """Runs the application for one request."""

    server_software = "dockersweep"

    def log_exception(self, exc_info: Any) -> None:
        """Print nothing: the client gets a 500."""


class _Application:
    """Routes a request: GET and HEAD of /metrics and /healthz."""

    def __init__(
        self,
        metrics: Callable[[], Iterable[Metric]],
        health: Callable[[], Health],
        local_name: str | None,
    ) -> None:
        """`local_name` is what else a client may call this machine; None where any name is right."""
        registry = CollectorRegistry()
        registry.register(_Collected(metrics))
        self._metrics = make_wsgi_app(registry)
        self._health = health
        self._local_name = local_name

    def __call__(self, request: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request."""
        path, method = request["PATH_INFO"], request["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            allow = [("Allow", "GET, HEAD")]
            return _respond(start_response, "405 Method Not Allowed", "use GET or HEAD\n", allow)
        # A page of the web could give its own name this machine's address, and read what is here.
        if self._local_name is not None and not _is_called(request.get("HTTP_HOST", ""), self._local_name):
            return _respond(start_response, "421 Misdirected Request", "use localhost or its address\n")
        if path == "/metrics":
            body = self._metrics_of(request, start_response)
        elif path == "/healthz":
            health = self._health()
            status = "200 OK" if health.healthy else "503 Service Unavailable"
            body = _respond(start_response, status, health.as_json(), content_type=_JSON)
        else:
            body = _respond(start_response, "404 Not Found", "there are /metrics and /healthz\n")
        return body if method == "GET" else []

    def _metrics_of(self, request: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        # A selection by name[] would be of nothing: the names are not known before the metrics are made.
        asked: WSGIEnvironment = {**request, "REQUEST_METHOD": "GET", "QUERY_STRING": ""}
        began: list[tuple[str, list[tuple[str, str]]]] = []
        body = b"".join(self._metrics(asked, lambda status, headers: began.append((status, headers))))
        [(status, headers)] = began
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]


def _respond(
    start_response: "StartResponse",
    status: str,
    body: str | bytes,
    headers: Iterable[tuple[str, str]] = (),
    content_type: str = _TEXT,
) -> list[bytes]:
    data = body.encode() if isinstance(body, str) else body
    about = [("Content-Type", content_type), ("Content-Length", str(len(data))), ("Cache-Control", "no-store")]
    start_response(status, [*about, *headers])
    return [data]


def _is_called(host: str, local_name: str) -> bool:
    """Whether a Host header is an address, or a name that no page of the web can have; one may lack it."""
    name = host.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    if name in ("", "localhost", local_name.lower()) or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class _Collected:
    """A collector of metrics that are made for each request; those without a sample are left out."""

    def __init__(self, metrics: Callable[[], Iterable[Metric]]) -> None:
        self._metrics = metrics

    def describe(self) -> Iterator[Metric]:
        """Yield nothing, so that nothing is collected before a request."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield from (metric for metric in self._metrics() if metric.samples)
