"""Opens connections to an endpoint: unix sockets and plain TCP; `tls_transport` adds TLS."""

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

    return Transport(connect)


def tcp_transport(address: str) -> Transport:
    """Connect to HOST:PORT in plain text; an IPv6 address has brackets."""
    host, _, port = address.rpartition(":")

    def connect(seconds: float) -> socket.socket:
        connected = socket.create_connection((host.strip("[]"), int(port)), seconds)
        # A request is sent in one piece, and must not wait for an acknowledgement (Nagle's algorithm).
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    return Transport(connect)
