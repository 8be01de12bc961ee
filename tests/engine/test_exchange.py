"""One request and its answer: how long it may take in all, and how large it may be."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dockersweep.engine.api.exchange import AnswerTooLargeError, Exchanged, exchange


@contextmanager
def engine_that(answers: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """Return a socket whose other end answers the first request like that."""
    near, far = socket.socketpair()

    def serve() -> None:
        with far:
            far.recv(10_000)
            try:
                answers(far)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield near
    finally:
        near.close()
        thread.join()


def test_an_answer_that_comes_whole_in_time_may_come_in_pieces() -> None:
    def in_pieces(far: socket.socket) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\nContent-", b"Length: 5\r\n\r\n", b"wh", b"ole"):
            far.sendall(piece)
            time.sleep(0.05)

    with engine_that(in_pieces) as near:
        told = exchange(near, "GET", "/x", 5, 1000)
    assert (told.status, told.body) == (200, b"whole")


def test_a_drip_does_not_outlast_the_time_out() -> None:
    def drip(far: socket.socket) -> None:
        far.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            far.sendall(b".")
            time.sleep(0.02)

    begun = time.monotonic()
    with engine_that(drip) as near, pytest.raises(TimeoutError):
        exchange(near, "GET", "/x", 0.5, 10_000)
    assert 0.4 < time.monotonic() - begun < 3


@pytest.mark.parametrize("head", [b"Content-Length: 100000000\r\n", b""])
def test_what_is_too_large_is_not_read_on(head: bytes) -> None:
    sent = [0]

    def flood(far: socket.socket) -> None:
        far.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        for _ in range(100):
            far.sendall(b" " * 1_000_000)
            sent[0] += 1

    with engine_that(flood) as near, pytest.raises(AnswerTooLargeError):
        exchange(near, "GET", "/x", 10, 2_000_000)
    assert sent[0] < 10


def test_headers_without_end_are_too_large_as_well() -> None:
    def flood(far: socket.socket) -> None:
        far.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            far.sendall(b"X-%d: %s\r\n" % (number, b"x" * 1000))

    with engine_that(flood) as near, pytest.raises(AnswerTooLargeError):
        exchange(near, "GET", "/x", 10, 2_000_000)


def answered(sent: bytes) -> Exchanged:
    with engine_that(lambda far: far.sendall(sent)) as near:
        return exchange(near, "GET", "/x", 5, 1000)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("early", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"])
def test_what_comes_before_the_answer_is_not_the_answer(early: bytes) -> None:
    assert answered(early + OK) == Exchanged(200, {b"content-length": b"2"}, b"ok", keeps_alive=True)
    # Without a length the answer ends with the connection, whatever the other one had.
    assert answered(early + b"HTTP/1.1 200 OK\r\n\r\nok") == Exchanged(200, {}, b"ok", keeps_alive=False)


@pytest.mark.parametrize("more", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nfoo", b"HTTP/1.1 404 Not"])
def test_what_comes_behind_the_answer_is_not_the_answer_and_ends_the_connection(more: bytes) -> None:
    assert answered(OK + more) == Exchanged(200, {b"content-length": b"2"}, b"ok", keeps_alive=False)
