"""Opens connections to an endpoint: unix sockets and plain TCP; `tls_transport` adds TLS, `ssh_transport` ssh."""

import socket
from collections.abc import Callable

from msgspec import Struct


class Transport(Struct, frozen=True):
    """Opens connections to one endpoint, and classifies their errors."""

    connect: Callable[[float], socket.socket]
    """Takes the time-out in seconds, returns a connected socket; raises OSError, or UnicodeError for an invalid
    host."""
    closing_errors: tuple[type[OSError], ...] = (BrokenPipeError, ConnectionResetError)
    """Raised by a socket that the other end has closed."""
    tls_errors: tuple[type[OSError], ...] = ()
    """Raised by a socket if TLS fails."""
    shows_end: bool = False
    """Whether it shows at once that the other end has closed an idle socket."""
    opens_fast: Callable[[], bool] = lambda: False
    """Return whether opening a connection costs less than what asking for lists ahead gains."""
    most_connections: int | None = None
    """How many may be open at once; None for any number."""
    wait_seconds: float = 0.0
    """How long to wait for a connection that is in use, before another is opened, where that is not fast."""
    why_ended: Callable[[socket.socket], str | None] = lambda connected: None
    """Return why the other end has closed a socket, if that is known."""
    machine_id: Callable[[], str | None] = lambda: None
    """Return what tells the machine at the other end from others, if that is known; after the first connection."""
    close: Callable[[], None] = lambda: None
    """End what the connections share."""


def unix_transport(path: str) -> Transport:
    """Connect to the unix socket at a path."""

    def connect(seconds: float) -> socket.socket:
        connecting = socket.socket(socket.AF_UNIX)
        try:
            connecting.settimeout(seconds)
            connecting.connect(path)
        except BaseException:
            connecting.close()
            raise
        return connecting

    return Transport(connect, shows_end=True, opens_fast=lambda: True)


def tcp_transport(address: str) -> Transport:
    """Connect to HOST:PORT in plain text; an IPv6 address has brackets."""
    host, _, port = address.rpartition(":")

    def connect(seconds: float) -> socket.socket:
        connected = socket.create_connection((host.strip("[]"), int(port)), seconds)
        # A request is sent in one piece, and must not wait for an acknowledgement (Nagle's algorithm).
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    return Transport(connect)
