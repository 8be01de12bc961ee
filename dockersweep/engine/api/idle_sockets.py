"""Connections that wait for the next request."""

import select
import socket
import threading


class IdleSockets:
    """Keeps up to so many connected sockets that nobody uses. Safe to be used by several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle: list[socket.socket] | None = []
        """The one that was used last is the last; None once it is closed."""
        self._lock = threading.Lock()

    def take(self) -> socket.socket | None:
        """Return a socket that the other end has not closed, as far as can be seen; None where there is none."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                idle = self._idle.pop()
            if not _has_something_to_read(idle):
                return idle
            idle.close()

    def put(self, idle: socket.socket) -> None:
        """Keep a socket for the next who takes one, or close it where enough are kept."""
        with self._lock:
            if self._idle is not None and len(self._idle) < self._most:
                self._idle.append(idle)
                return
        idle.close()

    def close(self) -> None:
        """Close all, and what is put here from now on."""
        with self._lock:
            idle, self._idle = self._idle or [], None
        for one in idle:
            one.close()


def _has_something_to_read(idle: socket.socket) -> bool:
    """Whether there is anything on a socket where nothing was asked: its end, mostly."""
    waiting = select.poll()
    waiting.register(idle, select.POLLIN)
    return bool(waiting.poll(0))
