"""An engine as if it were far away: behind a TCP port, where nobody can read its disk."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rig.recorder import known_as


@contextmanager
def far_away(upstream: Path) -> Iterator[str]:
    """Listen on a port of this machine and pass everything on to a socket, such as a recorder's; yields the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=_accept, args=(listener, upstream))
        accepting.start()
        url = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with known_as(url, upstream):
                yield url
        finally:
            # To close a socket does not wake the thread that waits on it; to shut it down does.
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _accept(listener: socket.socket, upstream: Path) -> None:
    served: list[threading.Thread] = []
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            break
        served.append(threading.Thread(target=_serve, args=(client, upstream)))
        served[-1].start()
    for thread in served:
        thread.join()


def _serve(client: socket.socket, upstream: Path) -> None:
    with client, socket.socket(socket.AF_UNIX) as engine:
        engine.connect(str(upstream))
        back = threading.Thread(target=_pump, args=(engine, client))
        back.start()
        _pump(client, engine)
        back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    # Whichever side ends first, the other has nothing more to say to it.
    for side in (source, target):
        try:
            side.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue
