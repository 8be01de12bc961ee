"""An engine that does what no real one does on demand: stalls, lies, breaks off, is old.

It listens on a unix socket and answers like an empty Docker 28.5 engine, except where a test puts something else.
"""

import json
import shutil
import socketserver
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

Reply = tuple[int, bytes]
"""HTTP status and body."""


def reply(body: object, status: int = 200) -> Reply:
    """Return a body as JSON."""
    return status, json.dumps(body).encode()


EMPTY: dict[str, Reply] = {
    "/version": reply({"Version": "28.5.2", "ApiVersion": "1.51", "MinAPIVersion": "1.24"}),
    "/info": reply(
        {"ID": "FAKE", "Name": "box", "Driver": "overlay2", "DockerRootDir": "/d", "SystemTime": "2026-11-24T12:00:00Z"}
    ),
    "/containers/json": reply([]),
    "/images/json": reply([]),
    "/volumes": reply({"Volumes": []}),
    "/networks": reply([]),
    "/system/df": reply({}),
    "/events": (200, b""),
}


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64
    engine: "FakeEngine"


@dataclass
class FakeEngine:
    """What the engine answers, by path without the version; an answer may be a callable that does as it likes."""

    url: str
    replies: dict[str, Reply | Callable[["Handler"], Reply | None]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    """Set at the end: what stalls should wait for it."""


class Handler(BaseHTTPRequestHandler):
    """Serves one connection."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        engine = self.server.engine
        path = urlsplit(self.path).path
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        engine.asked.append((self.command, path))
        answer = engine.replies.get(path, EMPTY.get(path, reply({"message": f"no such thing: {path}"}, 404)))
        told = answer(self) if callable(answer) else answer
        if told is None:
            self.close_connection = True
            return
        status, body = told
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        """A unix socket has no address."""
        return ""


def stall(handler: Handler) -> Reply | None:
    """Answer nothing until the test is over."""
    handler.server.engine.release.wait(60)
    return None


def break_off(handler: Handler) -> Reply | None:
    """Announce more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'[{"Id": "')
    return None


@contextmanager
def fake_engine(**replies: Reply | Callable[[Handler], Reply | None]) -> Iterator[FakeEngine]:
    """Serve; further answers are put into `.replies` by path."""
    folder = tempfile.mkdtemp(prefix="dsf-", dir="/tmp")
    server = _Server(f"{folder}/s", Handler)
    server.engine = FakeEngine(url=f"unix://{folder}/s")
    server.engine.replies.update({f"/{name}": answer for name, answer in replies.items()})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.engine
    finally:
        server.engine.release.set()
        server.shutdown()
        thread.join()
        server.server_close()
        shutil.rmtree(folder)


def wait_for_request(engine: FakeEngine, method: str, path: str) -> None:
    """Return once the engine has been asked for this."""
    deadline = time.monotonic() + 20
    while (method, path) not in engine.asked:
        assert time.monotonic() < deadline, engine.asked
        time.sleep(0.01)
