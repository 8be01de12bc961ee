"""How long a connection is kept, and what is sent again where the other end has closed it meanwhile."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import Endpoint
from dockersweep.errors import EngineLostError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Listener:
    """Answers so many requests on each connection in turn, and then ends it when the next has come."""

    def __init__(self, path: Path, answers: list[int]) -> None:
        self.asked: list[tuple[int, str]] = []
        """The connection, counted from 1, and the method of each request."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._answers = answers
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for number, answers in enumerate(self._answers, 1):
            client, _ = self._socket.accept()
            with client:
                for nth in range(answers + 1):
                    asked = client.recv(10_000)
                    if not asked:
                        break
                    self.asked.append((number, asked.split()[0].decode()))
                    if nth < answers:
                        client.sendall(OK)

    def join(self) -> None:
        """Wait till it has served all its connections."""
        self._thread.join(10)
        self._socket.close()
        assert not self._thread.is_alive()


@contextmanager
def speaking(path: Path, answers: list[int]) -> Iterator[tuple[Connection, Listener]]:
    """Return a connection to such a listener."""
    listener = Listener(path, answers)
    connection = Connection(Endpoint(url=f"unix://{path}", source="a test", tls=None), 5)
    try:
        yield connection, listener
    finally:
        connection.close()
        listener.join()


def test_what_only_looks_shares_a_connection(tmp_path: Path) -> None:
    with speaking(tmp_path / "s", [9]) as (connection, listener):
        for _ in range(5):
            assert connection.request("GET", "/x").body == b"ok"
    assert listener.asked == [(1, "GET")] * 5


def test_a_look_is_sent_again_where_its_connection_was_closed_as_it_lay_idle(tmp_path: Path) -> None:
    with speaking(tmp_path / "s", [2, 9]) as (connection, listener):
        for _ in range(4):
            assert connection.request("GET", "/x").body == b"ok"
    assert listener.asked == [(1, "GET"), (1, "GET"), (1, "GET"), (2, "GET"), (2, "GET")]


def test_a_look_is_sent_again_where_no_answer_comes(tmp_path: Path) -> None:
    with speaking(tmp_path / "s", [0, 9]) as (connection, listener):
        assert connection.request("GET", "/x").body == b"ok"
    assert listener.asked == [(1, "GET"), (2, "GET")]


def test_a_look_is_sent_again_only_once(tmp_path: Path) -> None:
    with speaking(tmp_path / "s", [1, 0]) as (connection, listener):
        connection.request("GET", "/x")
        with pytest.raises(EngineLostError, match="ended before it began"):
            connection.request("GET", "/x")
    assert listener.asked == [(1, "GET"), (1, "GET"), (2, "GET")]


def test_a_removal_has_a_connection_of_its_own_and_is_never_sent_again(tmp_path: Path) -> None:
    with speaking(tmp_path / "s", [9, 1, 0]) as (connection, listener):
        connection.request("GET", "/x")
        connection.request("DELETE", "/x")
        with pytest.raises(EngineLostError):
            connection.request("DELETE", "/x")
    assert listener.asked == [(1, "GET"), (2, "DELETE"), (3, "DELETE")]


def test_who_makes_sure_of_the_engine_first_asks_again_himself(tmp_path: Path) -> None:
    with speaking(tmp_path / "s", [1]) as (connection, listener):
        connection.request("GET", "/x")
        connection.asks_again = False
        with pytest.raises(EngineLostError):
            connection.request("GET", "/x")
    assert listener.asked == [(1, "GET"), (1, "GET")]


@pytest.mark.parametrize("broken", [ssl.SSLEOFError, ssl.SSLZeroReturnError])
def test_tls_that_broke_off_as_it_lay_idle_is_not_a_matter_of_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: type[ssl.SSLError]
) -> None:
    def breaks_off(*_: object) -> None:
        raise broken(8, "EOF occurred in violation of protocol")

    with speaking(tmp_path / "s", [0, 0]) as (connection, _):
        monkeypatch.setattr("dockersweep.engine.api.connection.exchange", breaks_off)
        with pytest.raises(EngineLostError, match="broke off the answer to GET /x"):
            connection.request("GET", "/x")
