"""Ends the process when docker's client closes its plugin socket.

Since 26.0 the client does not forward signals. If it is to end while its output is not a terminal, it closes the socket
that it has given to the plugin, and waits until the plugin has ended.
"""

import signal
import socket
import threading
import time

GRACE_SECONDS = 0.2
"""Ctrl-C reaches both docker and this process: how long this process may take to handle it."""


def end_with_docker(address: str) -> None:
    """Interrupt this process, as Ctrl-C does, when docker closes the socket of this address: a path, or @NAME for an
    abstract one.

    Does nothing if there is no socket: then the terminal ends both.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(f"\0{address[1:]}" if address.startswith("@") else address)
    except OSError:
        connection.close()
        return
    # A thread instead of a signal from the kernel: of two simultaneous signals, one may reach a thread that does not
    # wake the main thread.
    threading.Thread(target=_interrupt_at_end, args=(connection,), daemon=True).start()


def _interrupt_at_end(connection: socket.socket) -> None:
    with connection:
        try:
            while connection.recv(1024):
                pass
        except OSError:
            pass
    time.sleep(GRACE_SECONDS)
    # The handler of the first interrupt resets the signal's default action: if it has run already, another interrupt
    # would kill the process before it has ended properly.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_DFL:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
