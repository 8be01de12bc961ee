"""Stands in front of an engine's socket for as long as the engine runs, passes everything on, and writes it down.

What it writes down goes to whoever records at the time; see `Recorder.recording`. What is never allowed is kept in any
case, so that no test can overlook it.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import httptools

from tests.rig.traffic import is_allowed

_CHUNK = 262_144


@dataclass(eq=False)
class Request:
    """One request: the method, the path without the version, and the parameters; and what was answered."""

    method: str
    path: str
    params: dict[str, str]
    pid: int
    """The process that asked; our own where it asked from afar."""
    at: float = field(default_factory=time.monotonic)
    status: int | None = None
    """None as long as no answer has come."""
    answer: bytes = b""
    """The body of the answer, except to a GET."""

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.params} -> {self.status}"


class BreakOffError(Exception):
    """Raised by `before`: the request is not passed on, and its connection ends, as if the engine had done that."""


@dataclass(eq=False)
class Recording:
    """What was asked so far. `before` is called with each request before it is passed on: the place to interfere."""

    url: str
    requests: list[Request] = field(default_factory=list)
    before: Callable[[Request], None] = lambda request: None
    swallows: Callable[[Request], bool] = lambda request: False
    """Called with each request whose answer begins to come: whether the connection is to end in its place."""
    failures: list[BaseException] = field(default_factory=list)
    """What `before` raised; the request was then not passed on."""

    def of(self, *methods: str) -> list[Request]:
        """Return the requests with these methods, in the order in which they came."""
        return [request for request in self.requests if request.method in methods]


class Recorder:
    """Listens at `path` while it is open, and passes on to `upstream`. It may be opened and closed many times."""

    def __init__(self, path: Path, upstream: Path) -> None:
        """Name both sockets; nothing listens yet."""
        self.path = path
        self.url = f"unix://{path}"
        self.forbidden: list[Request] = []
        """Every request that nothing of this project may ever send."""
        self._upstream = upstream
        self._recordings: list[Recording] = []
        self._workers: set[threading.Thread] = set()
        self._accepting: threading.Thread | None = None
        self._listener: socket.socket | None = None
        self._closing: tuple[int, int] | None = None

    def open(self) -> None:
        """Listen from now on."""
        self.close()
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(128)
        self._closing = os.pipe()
        # None of the threads keeps a process alive that ends without closing: its engine ends when it does.
        self._accepting = threading.Thread(target=self._accept, args=(self._listener, self._closing[0]), daemon=True)
        self._accepting.start()
        _BY_URL[self.url] = self

    def close(self) -> None:
        """Break off what is under way and listen no longer; the socket stays, as that of an engine that was killed."""
        if self._listener is None or self._closing is None or self._accepting is None:
            return
        _BY_URL.pop(self.url, None)
        woken, waking = self._closing
        os.write(waking, b"x")
        self._accepting.join()
        for worker in list(self._workers):
            worker.join()
        self._listener.close()
        os.close(woken)
        os.close(waking)
        self._listener = self._closing = self._accepting = None

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """Write down what is asked meanwhile; what its `before` raised is raised at the end."""
        recording = Recording(self.url)
        self._recordings.append(recording)
        try:
            yield recording
        finally:
            self._recordings.remove(recording)
        if recording.failures:
            raise recording.failures[0]

    # How it is done.

    def _accept(self, listener: socket.socket, woken: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                if woken in [key.fileobj for key, _ in selector.select()]:
                    return
                client, _ = listener.accept()
                worker = threading.Thread(target=self._serve, args=(client, woken), daemon=True)
                self._workers.add(worker)
                worker.start()

    def _serve(self, client: socket.socket, woken: int) -> None:
        try:
            with client, socket.socket(socket.AF_UNIX) as engine, contextlib.suppress(OSError):
                engine.connect(str(self._upstream))
                self._pass_on(client, engine, woken)
        finally:
            self._workers.discard(threading.current_thread())

    def _pass_on(self, client: socket.socket, engine: socket.socket, woken: int) -> None:
        """Pass bytes on both ways."""
        exchange = _Exchange(_peer(client))
        with selectors.DefaultSelector() as selector:
            for fileobj in (client, engine, woken):
                selector.register(fileobj, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is woken or key.fd == woken:
                        return
                    source, target = (client, engine) if key.fileobj is client else (engine, client)
                    data = source.recv(_CHUNK)
                    if not data:
                        return
                    if source is client:
                        if not all(self._note(request) for request in exchange.asked(data)):
                            return
                    elif exchange.answered(data, self._swallows):
                        return
                    target.sendall(data)

    def _swallows(self, request: Request) -> bool:
        return any(recording.swallows(request) for recording in list(self._recordings))

    def _note(self, request: Request) -> bool:
        """Write a request down, and return whether it may be passed on."""
        if not is_allowed(request.method, request.path, request.params):
            self.forbidden.append(request)
        for recording in list(self._recordings):
            recording.requests.append(request)
            try:
                recording.before(request)
            except BreakOffError:
                return False
            except BaseException as failure:
                recording.failures.append(failure)
                return False
        return True


class _Exchange:
    """The requests and the answers of one connection, matched to each other."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._pending = b""
        self._in_chunks = False
        """Whether a body in chunks goes on."""
        self._of_chunk = 0
        """How many bytes of its last chunk are to come."""
        self._waiting: deque[Request] = deque()
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def asked(self, data: bytes) -> Iterator[Request]:
        """Return the requests whose last bytes these are; a body has the length that its head says. One in chunks is as
        long as it is sent, so its request is returned once its head is there."""
        self._pending += data
        while self._skip_chunks() and b"\r\n\r\n" in self._pending:
            head, _, rest = self._pending.partition(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            body_bytes = int(length[1]) if length else 0
            if len(rest) < body_bytes:
                return
            self._pending = rest[body_bytes:]
            self._in_chunks = re.search(rb"\r\ntransfer-encoding: *chunked", head, re.IGNORECASE) is not None
            request = _request(head, self._pid)
            self._waiting.append(request)
            yield request

    def _skip_chunks(self) -> bool:
        """Drop what has come of a body in chunks; return whether all of it has, or there is none."""
        while self._in_chunks or self._of_chunk:
            taken = min(self._of_chunk, len(self._pending))
            self._pending, self._of_chunk = self._pending[taken:], self._of_chunk - taken
            if self._of_chunk:
                return False
            if self._in_chunks:
                line, end, rest = self._pending.partition(b"\r\n")
                if not end:
                    return False
                size = int(line, 16)
                # Each chunk ends with a line, and the last one is empty.
                self._pending, self._of_chunk, self._in_chunks = rest, size + 2, size > 0
        return True

    def answered(self, data: bytes, swallows: Callable[[Request], bool]) -> bool:
        """Take in bytes of an answer, and return whether it is to be swallowed.

        One that is not HTTP ends the understanding, and the rest is only passed on.
        """
        answers = self._waiting[0] if self._waiting else None
        if self._parser is not None:
            try:
                self._parser.feed_data(data)
            except (httptools.HttpParserError, httptools.HttpParserUpgrade):
                self._parser = None
        return answers is not None and swallows(answers)

    # What the parser calls.

    def on_headers_complete(self) -> None:
        """The status is known."""
        assert self._parser is not None
        if self._waiting:
            self._waiting[0].status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """A part of the body has come."""
        if self._waiting and self._waiting[0].method != "GET":
            self._waiting[0].answer += body

    def on_message_complete(self) -> None:
        """The next answer is to the next request."""
        if self._waiting:
            self._waiting.popleft()


def _request(head: bytes, pid: int) -> Request:
    method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
    url = urlsplit(target)
    path = unquote(url.path)
    if path.startswith("/v1."):
        path = "/" + path.split("/", 2)[2]
    return Request(method, path, {key: values[-1] for key, values in parse_qs(url.query).items()}, pid)


def _peer(client: socket.socket) -> int:
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


_BY_URL: dict[str, Recorder] = {}


def recorder_at(url: str | None) -> Recorder | None:
    """Return the recorder that listens there, if one does."""
    return _BY_URL.get(url or "")


@contextmanager
def known_as(url: str, path: Path) -> Iterator[None]:
    """Meanwhile, know the recorder at that socket, if one is there, by another URL too."""
    recorder = recorder_at(f"unix://{path}")
    if recorder is None:
        yield
        return
    _BY_URL[url] = recorder
    try:
        yield
    finally:
        del _BY_URL[url]
