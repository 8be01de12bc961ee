"""docker's way to end a plugin that no terminal ends: it closes a socket that it has told the plugin of.

Since 26.0 its client passes on no signal; where it is told to end itself while its output is no terminal, it closes the
socket, and waits until the plugin has ended.
"""

import fcntl
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def end_with_docker(address: str) -> Iterator[None]:
    """Be interrupted, as by Ctrl-C, when docker closes the socket of this address: a path, or @NAME without a file.

    Nothing happens where the socket is not there: a terminal then ends both.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        except OSError:
            yield
            return

        def interrupt(number: int, frame: FrameType | None) -> None:
            # Ctrl-C has reached us by ourselves where it has been taken already: a second one would break off the end.
            if signal.getsignal(signal.SIGINT) is not signal.SIG_DFL and _is_closed(connection):
                os.kill(os.getpid(), signal.SIGINT)

        before = signal.signal(signal.SIGIO, interrupt)
        # The kernel tells us, so that no thread has to wait.
        fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(connection, fcntl.F_SETFL, fcntl.fcntl(connection, fcntl.F_GETFL) | os.O_ASYNC)
        try:
            interrupt(signal.SIGIO, None)
            yield
        finally:
            signal.signal(signal.SIGIO, before)


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
