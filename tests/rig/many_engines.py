"""A thousand engines in one process: each listens on a socket of its own and answers what one real engine did, under a
name and an id of its own."""

import multiprocessing
import os
import re
import resource
import selectors
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

Recorded = Mapping[bytes, bytes]
"""Path and query of a GET -> the whole answer."""
_ID, _NAME, _FOLDER = rb'"ID":"([^"]*)"', rb'"Name":"([^"]*)"', rb'"DockerRootDir":"([^"]*)"'


def record(engine: str, scan: Callable[[str], object]) -> Recorded:
    """Return what the engine with the socket at `engine` answers while `scan` asks the socket that it is given."""
    answers: dict[bytes, bytes] = {}
    path = f"{engine}.recording"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        threading.Thread(target=_pass_on, args=(listening, engine, answers), daemon=True).start()
        try:
            scan(path)
        finally:
            os.unlink(path)
    return answers


def _pass_on(listening: socket.socket, engine: str, answers: dict[bytes, bytes]) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_pass_on_all, args=(client, engine, answers), daemon=True).start()


def _pass_on_all(client: socket.socket, engine: str, answers: dict[bytes, bytes]) -> None:
    with client:
        while asked := client.recv(65536):
            target = asked.split(b" ", 2)[1]
            with socket.socket(socket.AF_UNIX) as upstream:
                upstream.connect(engine)
                upstream.sendall(b"GET " + target + b" HTTP/1.0\r\nHost: docker\r\n\r\n")
                answer = b"".join(iter(lambda: upstream.recv(1 << 20), b""))
            head, _, body = answer.partition(b"\r\n\r\n")
            kept = [
                line
                for line in head.split(b"\r\n")[1:]
                if not re.match(rb"(?i)(content-length|transfer-enc|conn)", line)
            ]
            lines = [head.split(b"\r\n")[0].replace(b"HTTP/1.0", b"HTTP/1.1"), *kept, b"Content-Length: %d" % len(body)]
            answers[target] = b"\r\n".join(lines) + b"\r\n\r\n" + body
            client.sendall(answers[target])


@contextmanager
def many_engines(folder: Path, recorded: Recorded, count: int, hang: int = 0, refuse: int = 0) -> Iterator[list[str]]:
    """Serve `count` engines, of which `hang` accept and never answer, and `refuse` have a socket that nobody listens
    on, spread among the others; yield their URLs."""
    paths = [str(folder / f"{number}.sock") for number in range(count)]
    odd = [round(number * count / max(1, hang + refuse)) for number in range(hang + refuse)]
    hanging, refusing = set(odd[::2][:hang]), set(odd[1::2][:refuse])
    ready = multiprocessing.get_context("fork").Event()
    process = multiprocessing.get_context("fork").Process(
        target=_serve, args=(paths, recorded, hanging, refusing, ready), daemon=True
    )
    process.start()
    try:
        assert ready.wait(60)
        yield [f"unix://{path}" for path in paths]
    finally:
        process.terminate()
        process.join()


def _serve(paths: list[str], recorded: Recorded, hanging: set[int], refusing: set[int], ready: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    selector = selectors.DefaultSelector()
    for number, path in enumerate(paths):
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        if number in refusing:
            listening.close()
            continue
        listening.listen(64)
        listening.setblocking(False)
        selector.register(listening, selectors.EVENT_READ, (None, number))
    by_path = {target.partition(b"?")[0]: answer for target, answer in recorded.items()}
    held: list[socket.socket] = []
    ready.set()  # type: ignore[attr-defined]
    while True:
        for key, _ in selector.select():
            kind, number = key.data
            asking = key.fileobj
            assert isinstance(asking, socket.socket)
            if kind is None:
                client, _ = asking.accept()
                if number in hanging:
                    held.append(client)
                else:
                    selector.register(client, selectors.EVENT_READ, ("client", number))
                continue
            try:
                asked = asking.recv(65536)
            except OSError:
                asked = b""
            if not asked:
                selector.unregister(asking)
                asking.close()
                continue
            target = asked.split(b" ", 2)[1]
            answer = recorded.get(target) or by_path.get(target.partition(b"?")[0]) or _NOT_RECORDED
            if target.endswith(b"/info"):
                answer = _renamed(answer, number)
            asking.setblocking(True)
            try:
                asking.sendall(answer)
            except OSError:
                continue


_NOT_RECORDED = b'HTTP/1.1 404 Not Found\r\nContent-Length: 27\r\n\r\n{"message": "not recorded"}\n'


def _renamed(answer: bytes, number: int) -> bytes:
    """Return an answer about the engine, of the same length, with an id, a name and a folder of its own."""
    for pattern in (_ID, _NAME, _FOLDER):
        found = re.search(pattern, answer)
        assert found is not None
        own = (b"/none/" if pattern == _FOLDER else b"") + b"%d-" % number
        answer = answer[: found.start(1)] + own.ljust(len(found[1]), b"x")[: len(found[1])] + answer[found.end(1) :]
    return answer
