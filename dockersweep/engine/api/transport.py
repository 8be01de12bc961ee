"""How an endpoint is connected to. Over a unix socket and plain TCP all it takes is a socket."""

import socket
from collections.abc import Callable

from msgspec import Struct


class Transport(Struct, frozen=True):
    """What makes the connections to one endpoint, and what errors of these mean."""

    connect: Callable[[float], socket.socket]
    """Returns a connected socket within so many seconds; raises OSError, or UnicodeError for a host that is no name."""
    closing_errors: tuple[type[OSError], ...] = (BrokenPipeError, ConnectionResetError)
    """What a socket raises where the other end has closed it."""
    tls_errors: tuple[type[OSError], ...] = ()
    """What a socket raises where TLS fails."""


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
    """Connect to HOST:PORT in plain text; an address of IPv6 has its brackets."""
    host, _, port = address.rpartition(":")

    def connect(seconds: float) -> socket.socket:
        connected = socket.create_connection((host.strip("[]"), int(port)), seconds)
        # A request is one piece, which must not wait for the answer to the one before.
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    return Transport(connect)
