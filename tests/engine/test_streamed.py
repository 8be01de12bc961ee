"""Answers that are read as they come."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import resolve_endpoint
from dockersweep.errors import EngineLostError, EngineTimeoutError

LARGE = 3_000_000


@contextmanager
def engine_that(answers: Callable[[socket.socket], None], folder: Path) -> Iterator[Connection]:
    """Return a connection to what answers one request like that."""
    path = folder / "s"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        served, _ = listener.accept()
        with served:
            try:
                answers(served)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    connection = Connection(resolve_endpoint(f"unix://{path}", None, {}), 1.0)
    try:
        yield connection
    finally:
        connection.close()
        listener.close()
        thread.join()


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def test_the_body_comes_in_pieces(tmp_path: Path) -> None:
    def large(served: socket.socket) -> None:
        served.recv(10_000)
        served.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(LARGE // 1000):
            served.sendall(chunked(b"x" * 1000))
        served.sendall(b"0\r\n\r\n")

    with engine_that(large, tmp_path) as connection, connection.stream("GET", "/x") as answer:
        sizes = [len(piece) for piece in answer.pieces()]
    assert (sum(sizes), max(sizes) < LARGE / 2) == (LARGE, True)


def test_of_an_answer_without_end_the_beginning_is_enough(tmp_path: Path) -> None:
    def endless(served: socket.socket) -> None:
        served.recv(10_000)
        served.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            served.sendall(b"x" * 100_000)

    with engine_that(endless, tmp_path) as connection, connection.stream("GET", "/x") as answer:
        assert answer.beginning(1_234_567) == b"x" * 1_234_567


@pytest.mark.parametrize("head", [b"Content-Length: 100\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_an_answer_that_breaks_off_is_an_error(tmp_path: Path, head: bytes) -> None:
    def half(served: socket.socket) -> None:
        served.recv(10_000)
        served.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + chunked(b"half"))

    with engine_that(half, tmp_path) as connection, connection.stream("GET", "/x") as answer:
        assert answer.status == 200
        with pytest.raises(EngineLostError, match="broke off its answer to GET /x"):
            list(answer.pieces())


def test_silence_is_an_error_and_slowness_is_none(tmp_path: Path) -> None:
    silent = threading.Event()

    def slow_then_silent(served: socket.socket) -> None:
        served.recv(10_000)
        served.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in range(8):
            served.sendall(b".")
            silent.wait(0.1)
        silent.wait(3)

    with (
        engine_that(slow_then_silent, tmp_path) as connection,
        connection.stream("GET", "/x", idle_seconds=0.5) as answer,
    ):
        pieces = answer.pieces()
        assert sum(len(next(pieces)) for _ in range(8)) == 8
        with pytest.raises(EngineTimeoutError):
            next(pieces)
        silent.set()


def test_a_tar_is_sent_in_pieces(tmp_path: Path) -> None:
    received = b""

    def read(served: socket.socket) -> None:
        nonlocal received
        while not received.endswith(b"0\r\n\r\n"):
            received += served.recv(100_000)
        served.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")

    with engine_that(read, tmp_path) as connection, connection.stream("PUT", "/x", tar=[b"one", b"", b"two"]) as answer:
        assert (answer.status, b"".join(answer.pieces())) == (201, b"ok")
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /x HTTP/1.1\r\n")
    assert b"Content-Type: application/x-tar" in head
    assert body == chunked(b"one", b"two") + b"0\r\n\r\n"


def test_the_refusal_of_a_tar_is_told_though_not_all_was_sent(tmp_path: Path) -> None:
    refused = threading.Event()

    def refuse(served: socket.socket) -> None:
        served.recv(100)
        served.sendall(b'HTTP/1.1 400 Bad\r\nContent-Length: 23\r\n\r\n{"message":"too large"}')
        served.shutdown(socket.SHUT_RD)
        refused.wait(3)

    with (
        engine_that(refuse, tmp_path) as connection,
        connection.stream("POST", "/x", tar=(bytes(100_000) for _ in range(1000))) as answer,
    ):
        assert (answer.status, answer.message()) == (400, "too large")
        refused.set()
