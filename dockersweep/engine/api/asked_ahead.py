"""Requests whose answers are read later: the engine works on them in the meantime, without a thread of ours."""

import select
import socket
import threading
import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

LONGEST_SECONDS = 5.0
"""An answer to a request older than this is too old to use."""


class _Sent(NamedTuple):
    connected: socket.socket
    at: datetime
    monotonic: float


class AskedAhead:
    """Sockets with a request on its way, by URL. Safe for several threads.

    The order of the requests matters: whoever has to repeat one drops the others.
    """

    def __init__(self) -> None:
        self._sent: dict[str, _Sent] = {}
        self._is_closed = False
        self._lock = threading.Lock()

    def put(self, url: str, connected: socket.socket) -> None:
        """Keep a socket over which a GET of `url` has just been sent; close it if there is one for that URL already, or
        after `close`."""
        with self._lock:
            if not self._is_closed:
                self._sent.setdefault(url, _Sent(connected, datetime.now(UTC), time.monotonic()))
            is_kept = url in self._sent and self._sent[url].connected is connected
        if not is_kept:
            connected.close()

    def take(self, url: str) -> socket.socket | None:
        """Return the socket for the answer to `url`; None if it was not requested, or too long ago."""
        with self._lock:
            sent = self._sent.pop(url, None)
        if sent is None:
            return None
        if time.monotonic() - sent.monotonic < LONGEST_SECONDS:
            return sent.connected
        sent.connected.close()
        self.drop()
        return None

    def earliest(self) -> datetime | None:
        """Return when the earliest pending request was sent, by this machine's clock; None if none is pending."""
        with self._lock:
            return min((sent.at for sent in self._sent.values()), default=None)

    def answer_all(self, urls: Collection[str], before: str, seconds: float) -> bool:
        """Wait until the answers to all `urls` have begun (an engine begins when its answer is complete). Return False
        if the answer to `before` begins sooner, if that takes over `seconds`, or if one is not pending."""
        with self._lock:
            if not {*urls, before} <= self._sent.keys():
                return False
            numbers = {self._sent[url].connected.fileno() for url in urls}
            end = self._sent[before].connected.fileno()
        waiting = select.poll()
        for number in (*numbers, end):
            waiting.register(number, select.POLLIN)
        deadline = time.monotonic() + seconds
        while numbers:
            begun = {number for number, _ in waiting.poll(max(0.0, deadline - time.monotonic()) * 1000)}
            if not begun or end in begun:
                return numbers <= begun
            for number in begun:
                waiting.unregister(number)
            numbers -= begun
        return True

    def drop(self) -> None:
        """Close all pending requests; they have to be sent again."""
        with self._lock:
            sent, self._sent = self._sent, {}
        for request in sent.values():
            request.connected.close()

    def close(self) -> None:
        """Close all pending requests, and every socket put here from now on."""
        with self._lock:
            self._is_closed = True
        self.drop()
