"""docker's way to end a plugin that no terminal ends: it closes a socket that it has told the plugin of.

Since 26.0 its client passes on no signal; where it is told to end itself while its output is no terminal, it closes the
socket, and waits until the plugin has ended.
"""

import signal
import socket
import threading
import time

GRACE_SECONDS = 0.2
"""Ctrl-C reaches both docker and us: so long it may take until ours is handled."""


def end_with_docker(address: str) -> None:
    """Be interrupted, as by Ctrl-C, when docker closes the socket of this address: a path, or @NAME without a file.

    Nothing happens where the socket is not there: a terminal then ends both.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(f"\0{address[1:]}" if address.startswith("@") else address)
    except OSError:
        connection.close()
        return
    # A thread, and no signal from the kernel: of two kinds that come at once one may reach a thread that does not wake
    # the main one.
    threading.Thread(target=_interrupt_at_end, args=(connection,), daemon=True).start()


def _interrupt_at_end(connection: socket.socket) -> None:
    with connection:
        try:
            while connection.recv(1024):
                pass
        except OSError:
            pass
    time.sleep(GRACE_SECONDS)
    # Whoever takes the first interrupt leaves the next one to the system: where it has come already, another one would
    # break off the end.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_DFL:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
