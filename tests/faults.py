"""A proxy in front of an engine's socket that lets every answer through, except those that a test wants to go wrong.

A fault strikes one request. It may strike before the engine hears of it or after the engine has done it, which for a
removal is all the difference. dockersweep's requests have no bodies; an answer is taken in whole before any of it is
passed on, so that "half of it" means half.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import select
import shutil
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httptools

from tests.allowed import allows
from tests.recorder import Request

_CHUNK = 262_144
_PADDING = b" " * 1_000_000
_FOR_EVER = 3600.0


@dataclass(frozen=True)
class Answer:
    """What an engine answered: the head as it came, with the empty line, and the body without its transfer coding."""

    status: int
    head: bytes
    body: bytes
    raw: bytes
    """All of it as it came."""


Parts = Iterable[bytes | float]
"""What a client gets: bytes, and for how many seconds nothing comes."""


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong with one request."""

    name: str
    parts: Callable[[Answer], Parts]
    """What is sent in place of the engine's answer; of one that was not asked for it, this gets `UNHEARD`."""
    acts: bool = True
    """Whether the engine gets the request, and does what it says, before the fault strikes."""
    ends: bool = True
    """Whether the connection ends behind it."""
    gone_seconds: float = 0.0
    """For how long nothing listens at the socket from then on, and every connection is broken off."""

    def __str__(self) -> str:
        return self.name


UNHEARD = Answer(0, b"", b"", b"")


@dataclass(frozen=True)
class Strike:
    """Which request a fault strikes: the nth of those that match, counted from 1. Patterns match in full."""

    fault: Fault
    method: str
    path: str
    params: str = ".*"
    """Of the parameters as JSON with sorted keys."""
    nth: int = 1

    def matches(self, request: Request) -> bool:
        """Return whether it is one of those that are counted."""
        told = json.dumps(request.params, sort_keys=True)
        return (
            request.method == self.method
            and re.fullmatch(self.path, request.path) is not None
            and re.fullmatch(self.params, told, re.DOTALL) is not None
        )


# What can go wrong.


def answer(status: int, body: bytes, kind: str = "application/json") -> bytes:
    """Return a whole answer as it goes over the wire."""
    length = b"" if status == 204 else f"Content-Length: {len(body)}\r\n".encode()
    return f"HTTP/1.1 {status} Told\r\nContent-Type: {kind}\r\n".encode() + length + b"\r\n" + body


def _with_a_body(true: Answer) -> int:
    """Return the status of the same answer where it is to have a body."""
    return 200 if true.status in (0, 204) else true.status


def _nothing(_: Answer) -> Parts:
    return ()


def _half_of_headers(true: Answer) -> Parts:
    yield true.head[: len(true.head) // 2] or b"HTTP/1.1 200 OK\r\nContent-Ty"


def _half_of_body(true: Answer) -> Parts:
    whole = answer(_with_a_body(true), true.body or b"{}")
    yield whole[: -(len(true.body or b"{}") + 1) // 2]


def _stall(_: Answer) -> Parts:
    yield _FOR_EVER


def _drip(true: Answer) -> Parts:
    for one in answer(_with_a_body(true), true.body + b" " * 10_000):
        yield bytes((one,))
        yield 0.02


def _large(true: Answer) -> Parts:
    """White space behind what is meant: who reads on to the end, however much comes, gets a right answer."""
    size = 200_000_000
    head = f"HTTP/1.1 {_with_a_body(true)} Told\r\nContent-Length: {size}\r\n\r\n".encode()
    yield head + true.body
    left = size - len(true.body)
    while left > 0:
        yield _PADDING[:left]
        left -= len(_PADDING)


def _with_status(status: int, body: bytes, kind: str = "application/json") -> Callable[[Answer], Parts]:
    return lambda _: (answer(status, body, kind),)


def _with_body(change: Callable[[bytes], bytes]) -> Callable[[Answer], Parts]:
    """The answer with another body. A removal that answers with nothing gets one that is no better."""
    return lambda true: (answer(200, change(true.body)),)


def _each_object(told: Any, change: Callable[[dict[str, Any], str], None]) -> Any:
    """Change every object that has an id or a name of its own, by the key of that."""
    if isinstance(told, list):
        for one in told:
            _each_object(one, change)
    elif isinstance(told, dict):
        key = next((key for key in ("ApiVersion", "Id", "ID", "Name", "CachesDeleted", "Deleted") if key in told), None)
        if key is not None:
            change(told, key)
        else:
            for one in told.values():
                _each_object(one, change)
    return told


def _changed(change: Callable[[dict[str, Any], str], None]) -> Callable[[bytes], bytes]:
    return lambda body: json.dumps(_each_object(json.loads(body), change)).encode() if body.strip() else b"{}"


def _without(told: dict[str, Any], key: str) -> None:
    del told[key]


def _of_another_type(told: dict[str, Any], key: str) -> None:
    told[key] = 7


def _error(text: str) -> bytes:
    return json.dumps({"message": text}).encode()


_HTML = b"<html>\n<body><h1>Bad Gateway</h1></body>\n</html>\n"
CLOSED_UNHEARD = Fault("closed, not heard", _nothing, acts=False)
CLOSED_DONE = Fault("closed, done", _nothing)
FORBIDDEN = Fault("403", _with_status(403, b"<html><body>403 Forbidden</body></html>", "text/html"), False, ends=False)
LOSING = (
    Fault("half of headers", _half_of_headers),
    Fault("half of body", _half_of_body),
    Fault("stall", _stall),
    Fault("drip", _drip),
    Fault("200 MB", _large),
    Fault("500 JSON", _with_status(500, _error("it broke")), ends=False),
    Fault("gone 0.6 s", _nothing, gone_seconds=0.6),
    Fault("gone for good", _nothing, gone_seconds=math.inf),
)
"""Faults by which one does not learn what became of a request: for a removal each strikes before and after the act."""
TELLING = (
    Fault("500 HTML", _with_status(500, _HTML, "text/html"), acts=False, ends=False),
    Fault("500 empty", _with_status(500, b""), acts=False, ends=False),
    Fault("404", _with_status(404, _error("no such thing")), acts=False, ends=False),
    Fault("409", _with_status(409, _error("conflict: it is in use")), acts=False, ends=False),
    FORBIDDEN,
)
"""Faults by which somebody says that nothing was done."""
DAMAGED = (
    Fault("garbage", _with_body(lambda body: b"\x00\xff\xfe{"), ends=False),
    Fault("cut-off JSON", _with_body(lambda body: body[: len(body) // 2] or b'{"a'), ends=False),
    Fault("missing key", _with_body(_changed(_without)), ends=False),
    Fault("null", _with_body(lambda body: b"null"), ends=False),
    Fault("a text", _with_body(lambda body: b'"text"'), ends=False),
    Fault("wrong type", _with_body(_changed(_of_another_type)), ends=False),
)
"""Answers with status 200, after the act, that are not what they should be."""


def before(fault: Fault) -> Fault:
    """Return the fault as it strikes before the engine hears of the request."""
    return Fault(f"{fault.name}, not heard", fault.parts, False, fault.ends, fault.gone_seconds)


def after(fault: Fault) -> Fault:
    """Return the fault as it strikes after the engine has done what was asked for."""
    return Fault(f"{fault.name}, done", fault.parts, True, fault.ends, fault.gone_seconds)


READING_FAULTS = (CLOSED_UNHEARD, CLOSED_DONE, *LOSING, *TELLING, *DAMAGED)
REMOVING_FAULTS = (
    CLOSED_UNHEARD,
    CLOSED_DONE,
    *(variant for fault in LOSING for variant in (before(fault), after(fault))),
    *TELLING,
    *DAMAGED,
)


# The proxy.


@dataclass
class Proxy:
    """Listens at `url`; what it let through and what it struck is in `requests` and `struck`."""

    path: Path
    upstream: Path
    requests: list[Request] = field(default_factory=list)
    struck: list[Fault] = field(default_factory=list)
    sent_bytes: int = 0
    """How much of the answers of its faults it got rid of."""
    allowed: tuple[tuple[str, str], ...] | None = None
    """The calls that are let through, as in `tests.allowed`; None is all. The rest is forbidden, in plain text."""
    _strikes: list[Strike] = field(default_factory=list)
    _seen: Counter[int] = field(default_factory=Counter)
    _clients: set[socket.socket] = field(default_factory=set)
    _threads: set[threading.Thread] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _listener: socket.socket | None = None
    _back_at: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where dockersweep is to look for the engine."""
        return f"unix://{self.path}"

    def begin(self, *strikes: Strike) -> None:
        """Forget what was, be there again, and let these faults strike from now on."""
        with self._lock:
            self._strikes, self._seen = list(strikes), Counter()
            self._back_at = 0.0
            self.requests, self.struck, self.sent_bytes = [], [], 0
        self._listen()

    def gone(self, seconds: float) -> None:
        """Break off every connection, and listen no more for so long: the engine ended, and starts again."""
        with self._lock:
            self._back_at = time.monotonic() + seconds
            if self._listener is not None:
                # The end of a listening socket does not wake who waits at it; this does.
                self._listener.shutdown(socket.SHUT_RDWR)
                self._listener.close()
                self._listener = None
            clients = list(self._clients)
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        if seconds < math.inf:
            self._start(self._come_back)

    def close(self) -> None:
        """End it, and every thread of it."""
        self._over.set()
        self.gone(math.inf)
        for thread in list(self._threads):
            thread.join()

    def _come_back(self) -> None:
        self._over.wait(max(0.0, self._back_at - time.monotonic()))
        if not self._over.is_set() and time.monotonic() >= self._back_at:
            self._listen()

    def _listen(self) -> None:
        with self._lock:
            if self._listener is not None:
                return
            self.path.unlink(missing_ok=True)
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(self.path))
            self._listener.listen(64)
            listener = self._listener
        self._start(lambda: self._accept(listener))

    def _start(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                if self._listener is not listener:
                    client.close()
                    return
                self._clients.add(client)
            self._start(lambda client=client: self._serve(client))  # type: ignore[misc]

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, socket.socket(socket.AF_UNIX) as engine, contextlib.suppress(OSError):
                engine.connect(str(self.upstream))
                while self._exchange(client, engine):
                    pass
        finally:
            with self._lock:
                self._clients.discard(client)

    def _exchange(self, client: socket.socket, engine: socket.socket) -> bool:
        """Pass on one request and its answer; return whether another may follow."""
        head = _head(client)
        if head is None:
            return False
        request = _request(head)
        fault = self._fault_of(request)
        if fault is None:
            engine.sendall(head)
            told, stays = _answer_of(engine)
            request.status = told.status
            client.sendall(told.raw)
            return stays
        if fault.acts:
            engine.sendall(head)
            told, _ = _answer_of(engine)
        else:
            told = UNHEARD
        if fault.gone_seconds:
            self.gone(fault.gone_seconds)
        for part in fault.parts(told):
            if isinstance(part, bytes):
                client.sendall(part)
                self.sent_bytes += len(part)
            elif _hung_up(client, part):
                return False
        return not fault.ends

    def _fault_of(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            if self.allowed is not None and not allows(self.allowed, request.method, request.path):
                return Fault("forbidden", _with_status(403, b"Forbidden\n", "text/plain"), acts=False, ends=False)
            matching = [number for number, strike in enumerate(self._strikes) if strike.matches(request)]
            self._seen.update(matching)
            for number in matching:
                if self._seen[number] == self._strikes[number].nth:
                    self.struck.append(self._strikes[number].fault)
                    return self.struck[-1]
        return None


@contextmanager
def faulty(upstream: Path, allowed: tuple[tuple[str, str], ...] | None = None) -> Iterator[Proxy]:
    """Stand in front of an engine's socket; nothing strikes before `Proxy.begin` says so."""
    folder = tempfile.mkdtemp(prefix="dsx-", dir="/tmp")
    proxy = Proxy(Path(folder, "s"), upstream, allowed=allowed)
    proxy.begin()
    try:
        yield proxy
    finally:
        proxy.close()
        shutil.rmtree(folder)


# HTTP, as far as it is needed.


def _head(client: socket.socket) -> bytes | None:
    """Return the next request, whole with its empty line; None where no other comes."""
    told = b""
    while not told.endswith(b"\r\n\r\n"):
        data = client.recv(_CHUNK)
        if not data:
            return None
        told += data
    return told


def _request(head: bytes) -> Request:
    method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
    url = urlsplit(target)
    path = re.sub(r"^/v1\.\d+(?=/)", "", unquote(url.path))
    return Request(method, path, {key: values[-1] for key, values in parse_qs(url.query).items()}, os.getpid())


class _Reader:
    """What httptools calls."""

    def __init__(self) -> None:
        self.body: list[bytes] = []
        self.is_complete = False

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.is_complete = True


def _answer_of(engine: socket.socket) -> tuple[Answer, bool]:
    """Return the next answer, and whether the connection stays; raises OSError where it ends before."""
    reader = _Reader()
    parser = httptools.HttpResponseParser(reader)
    raw = bytearray()
    while not reader.is_complete:
        data = engine.recv(_CHUNK)
        if not data:
            raise ConnectionResetError("the engine broke off")
        raw += data
        parser.feed_data(data)
    head = bytes(raw[: raw.index(b"\r\n\r\n") + 4])
    told = Answer(parser.get_status_code(), head, b"".join(reader.body), bytes(raw))
    return told, re.search(rb"\r\nconnection: *close", head, re.IGNORECASE) is None


def _hung_up(client: socket.socket, seconds: float) -> bool:
    """Wait; return whether the client went meanwhile. It sends nothing while it waits for an answer."""
    readable, _, _ = select.select([client], [], [], seconds)
    return bool(readable)


def params_pattern(params: Mapping[str, str]) -> str:
    """Return a pattern for just these parameters."""
    return re.escape(json.dumps(dict(params), sort_keys=True))
