"""Connections that wait for the next request."""

import select
import socket
import threading


class IdleSockets:
    """Keeps up to `most` idle connected sockets. Safe for several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle: list[socket.socket] | None = []
        """The most recently used one is last; None after `close`."""
        self._had_any = False
        self._changed = threading.Condition()

    def take(self, wait_seconds: float = 0.0) -> socket.socket | None:
        """Return a socket that the other end has not visibly closed; None if there is none, and none is put here within
        `wait_seconds`. There is no wait for the very first."""
        while True:
            with self._changed:
                if self._had_any and wait_seconds:
                    self._changed.wait_for(lambda: self._idle is None or self._idle, wait_seconds)
                if not self._idle:
                    return None
                idle = self._idle.pop()
            if not _has_something_to_read(idle):
                return idle
            idle.close()

    def put(self, idle: socket.socket) -> None:
        """Keep a socket for the next `take`, or close it if there are enough."""
        with self._changed:
            if self._idle is not None and len(self._idle) < self._most:
                self._idle.append(idle)
                self._had_any = True
                self._changed.notify()
                return
        idle.close()

    def close(self) -> None:
        """Close all sockets, and every one put here from now on."""
        with self._changed:
            idle, self._idle = self._idle or [], None
            self._changed.notify_all()
        for connected in idle:
            connected.close()


def _has_something_to_read(idle: socket.socket) -> bool:
    """Whether an idle socket is readable, which mostly means that the other end has closed it."""
    waiting = select.poll()
    waiting.register(idle, select.POLLIN)
    return bool(waiting.poll(0))
