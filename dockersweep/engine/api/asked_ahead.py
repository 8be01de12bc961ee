"""Requests whose answers are read later: the engine works on them while something else is done, without a thread."""

import select
import socket
import threading
import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

LONGEST_SECONDS = 5.0
"""An answer that was asked for so long ago is not of now."""


class _Sent(NamedTuple):
    connected: socket.socket
    at: datetime
    monotonic: float


class AskedAhead:
    """Sockets over which a request was sent, by its URL. Safe to be used by several threads.

    Who has to ask for one of them again drops the others, as they were asked in an order that counts.
    """

    def __init__(self) -> None:
        self._sent: dict[str, _Sent] = {}
        self._is_closed = False
        self._lock = threading.Lock()

    def put(self, url: str, connected: socket.socket) -> None:
        """Keep a socket over which this has just been asked; it is closed where that was asked
        already, or `close` was called."""
        with self._lock:
            if not self._is_closed:
                self._sent.setdefault(url, _Sent(connected, datetime.now(UTC), time.monotonic()))
            is_kept = url in self._sent and self._sent[url].connected is connected
        if not is_kept:
            connected.close()

    def take(self, url: str) -> socket.socket | None:
        """Return the socket over which the answer to it comes; None where it was not asked, or too long ago."""
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
        """Return when the first of those was asked that still wait, on the clock of this machine."""
        with self._lock:
            return min((sent.at for sent in self._sent.values()), default=None)

    def answer_all(self, urls: Collection[str], before: str, seconds: float) -> bool:
        """Wait till an answer to each has begun, which it does when the engine has all of it; False where that to
        `before` comes sooner, or none within so many seconds, or one was not asked."""
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
        """Close all that still wait: they are to be asked again."""
        with self._lock:
            sent, self._sent = self._sent, {}
        for one in sent.values():
            one.connected.close()

    def close(self) -> None:
        """Close all that still wait, and what is put here from now on."""
        with self._lock:
            self._is_closed = True
        self.drop()
