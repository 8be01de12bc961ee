"""Stands between dockersweep and an engine on a unix socket, passes everything on, and writes down what was asked."""

import contextlib
import os
import selectors
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """One request: the method, the path without the version, and the parameters."""

    method: str
    path: str
    params: dict[str, str]


@dataclass
class Recorder:
    """What was asked so far. `before` is called with each request before it is passed on: the place to interfere."""

    url: str
    requests: list[Request] = field(default_factory=list)
    before: Callable[[Request], None] = lambda request: None

    def of(self, *methods: str) -> list[Request]:
        """Return the requests with these methods, in the order in which they came."""
        return [request for request in self.requests if request.method in methods]


@contextmanager
def recording(upstream: Path) -> Iterator[Recorder]:
    """Listen in front of the engine's socket; yields what is recorded, with the URL to use instead."""
    folder = tempfile.mkdtemp(prefix="dsr-", dir="/tmp")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/s")
    listener.listen(64)
    recorder = Recorder(url=f"unix://{folder}/s")
    wake, closing = os.pipe()
    workers: list[threading.Thread] = []
    accepting = threading.Thread(target=_accept, args=(listener, upstream, recorder, wake, workers))
    accepting.start()
    try:
        yield recorder
    finally:
        os.write(closing, b"x")
        for thread in [accepting, *workers]:
            thread.join()
        listener.close()
        os.close(wake)
        os.close(closing)
        shutil.rmtree(folder)


def _accept(
    listener: socket.socket, upstream: Path, recorder: Recorder, wake: int, workers: list[threading.Thread]
) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if wake in ready:
                return
            client, _ = listener.accept()
            worker = threading.Thread(target=_serve, args=(client, upstream, recorder, wake))
            workers.append(worker)
            worker.start()


def _serve(client: socket.socket, upstream: Path, recorder: Recorder, wake: int) -> None:
    """Pass bytes on both ways; dockersweep's requests have no bodies, so each ends with an empty line."""
    pending = b""
    with client, socket.socket(socket.AF_UNIX) as engine, selectors.DefaultSelector() as selector:
        engine.connect(str(upstream))
        for fileobj in (client, engine, wake):
            selector.register(fileobj, selectors.EVENT_READ)
        with contextlib.suppress(ConnectionError):
            while True:
                for key, _ in selector.select():
                    if key.fileobj is wake:
                        return
                    source, target = (client, engine) if key.fileobj is client else (engine, client)
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is client:
                        pending = _note(pending + data, recorder)
                    target.sendall(data)


def _note(pending: bytes, recorder: Recorder) -> bytes:
    while b"\r\n\r\n" in pending:
        head, _, pending = pending.partition(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        url = urlsplit(target)
        path = unquote(url.path)
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        params = {key: values[-1] for key, values in parse_qs(url.query).items()}
        request = Request(method, path, params)
        recorder.requests.append(request)
        recorder.before(request)
    return pending
