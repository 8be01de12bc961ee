"""A proxy in front of an engine's socket that lets every answer through, except those that a test wants to go wrong.

An answer is taken in whole before any of it is passed on, so that "half of it" means half.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import shutil
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.rig.allowed import allows
from tests.rig.faults import UNHEARD, Fault, with_status
from tests.rig.faulty_http import hung_up, parse_request, read_answer, read_request
from tests.rig.recorder import Request


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


def params_pattern(params: Mapping[str, str]) -> str:
    """Return a pattern for just these parameters."""
    return re.escape(json.dumps(dict(params), sort_keys=True))


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
    """The calls that are let through, as in `tests.rig.allowed`; None is all. The rest is forbidden, in plain text."""
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
        head = read_request(client)
        if head is None:
            return False
        request = parse_request(head)
        fault = self._fault_of(request)
        if fault is None:
            engine.sendall(head)
            told, stays = read_answer(engine)
            request.status = told.status
            client.sendall(told.raw)
            return stays
        if fault.acts:
            engine.sendall(head)
            told, _ = read_answer(engine)
        else:
            told = UNHEARD
        if fault.gone_seconds:
            self.gone(fault.gone_seconds)
        for part in fault.parts(told):
            if isinstance(part, bytes):
                client.sendall(part)
                self.sent_bytes += len(part)
            elif hung_up(client, part):
                return False
        return not fault.ends

    def _fault_of(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            if self.allowed is not None and not allows(self.allowed, request.method, request.path):
                return Fault("forbidden", with_status(403, b"Forbidden\n", "text/plain"), acts=False, ends=False)
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
