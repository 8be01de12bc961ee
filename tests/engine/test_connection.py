"""How long a connection is kept, and what is sent again where the other end has closed it meanwhile."""

import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from urllib3.connection import HTTPSConnection

from dockersweep.engine.api import asked_ahead
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import Endpoint, TlsFiles
from dockersweep.engine.api.idle_sockets import IdleSockets
from dockersweep.engine.api.transport import tcp_transport
from dockersweep.errors import EngineError, EngineLostError
from tests.rig.scripted_http import Reply, Scripted, scripted

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
        with pytest.raises(EngineLostError, match="closed the connection without an answer"):
            connection.request("GET", "/x")
    assert listener.asked == [(1, "GET"), (1, "GET"), (2, "GET")]


def test_a_removal_goes_where_the_look_went_and_is_never_sent_again(tmp_path: Path) -> None:
    with speaking(tmp_path / "s", [2]) as (connection, listener):
        connection.request("GET", "/x")
        connection.request("DELETE", "/x")
        with pytest.raises(EngineLostError):
            connection.request("DELETE", "/x")
    assert listener.asked == [(1, "GET"), (1, "DELETE"), (1, "DELETE")]


def test_a_removal_is_not_sent_where_the_engine_has_hung_up(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with closing(Connection(Endpoint(url=f"unix://{path}", source="a test", tls=None), 5)) as connection:
            for method in ("GET", "DELETE"):
                answering = threading.Thread(target=answer_once, args=(listening,))
                answering.start()
                assert connection.request(method, "/x").body == b"ok"
                answering.join()


def test_who_makes_sure_of_the_engine_first_asks_again_himself(tmp_path: Path) -> None:
    with speaking(tmp_path / "s", [1]) as (connection, listener):
        connection.request("GET", "/x")
        connection.asks_again = False
        with pytest.raises(EngineLostError):
            connection.request("GET", "/x")
    assert listener.asked == [(1, "GET"), (1, "GET")]


def test_a_connection_that_was_closed_as_it_lay_idle_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with closing(Connection(Endpoint(url=f"unix://{path}", source="a test", tls=None), 5)) as connection:
            connection.asks_again = False
            for _ in range(2):
                answering = threading.Thread(target=answer_once, args=(listening,))
                answering.start()
                assert connection.request("GET", "/x").body == b"ok"
                answering.join()


def answer_once(listening: socket.socket) -> None:
    client, _ = listening.accept()
    with client:
        client.recv(10_000)
        client.sendall(OK)


def test_no_more_connections_are_kept_than_may_be_needed_again() -> None:
    pairs = [socket.socketpair() for _ in range(3)]
    idle = IdleSockets(2)
    for near, _ in pairs:
        idle.put(near)
    assert [near.fileno() == -1 for near, _ in pairs] == [False, False, True]
    taken = idle.take()
    assert taken is pairs[1][0]
    idle.close()
    idle.put(taken)
    assert [near.fileno() for near, _ in pairs] == [-1, -1, -1]
    assert idle.take() is None
    for _, far in pairs:
        far.close()


def test_a_connection_in_use_is_waited_for_where_that_is_worth_it() -> None:
    near, far = socket.socketpair()
    idle = IdleSockets(2)
    begun = time.monotonic()
    # The first connection is in use by nobody yet.
    assert idle.take(wait_seconds=30) is None
    assert time.monotonic() - begun < 5
    idle.put(near)
    assert idle.take(wait_seconds=30) is near
    assert idle.take(wait_seconds=0.01) is None
    putting = threading.Timer(0.05, idle.put, [near])
    putting.start()
    assert idle.take(wait_seconds=30) is near
    closing = threading.Timer(0.05, idle.close)
    closing.start()
    assert idle.take(wait_seconds=30) is None
    assert time.monotonic() - begun < 20
    for ended in (putting, closing):
        ended.join()
    near.close()
    far.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_plain_tcp_is_a_socket_that_waits_for_nothing(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listening:
        host = f"[{address}]" if ":" in address else address
        with tcp_transport(f"{host}:{listening.getsockname()[1]}").connect(5) as connected:
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert connected.gettimeout() == 5


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"tcp://{'a' * 70}:1", "too long"),
        ("tcp://nowhere.invalid:1", "; check the address, and that an engine listens there"),
        (f"unix:///{'a' * 200}", "AF_UNIX path too long; check the address"),
    ],
)
def test_an_address_that_leads_nowhere_is_said(url: str, why: str) -> None:
    connection = Connection(Endpoint(url=url, source="a test", tls=None), 5)
    with pytest.raises(EngineLostError) as caught:
        connection.request("GET", "/x")
    assert str(caught.value).startswith(f"cannot reach the engine at {url} (from a test): ")
    assert why in str(caught.value)


@contextmanager
def over_tls(folder: Path) -> Iterator[tuple[Connection, Scripted]]:
    """Return a connection to a server with TLS that answers "ok"."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    files = TlsFiles(ca=folder / "ca.pem", cert=None, key=None, verify=True)
    with scripted(lambda _: Reply(body=b"ok"), authority, "127.0.0.1") as server:
        endpoint = Endpoint(url=f"tcp://127.0.0.1:{server.port}", source="a test", tls=files)
        with closing(Connection(endpoint, 5)) as connection:
            yield connection, server


def test_what_only_looks_shares_a_connection_over_tls_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with over_tls(tmp_path) as (connection, server):
        made = Counter[str]()
        connect = HTTPSConnection.connect
        monkeypatch.setattr(HTTPSConnection, "connect", lambda self: made.update(["made"]) or connect(self))
        for _ in range(3):
            assert connection.request("GET", "/x").body == b"ok"
        assert connection.request("DELETE", "/x").status == 501
    assert (server.paths, made["made"]) == (["GET /x"] * 3, 2)


@pytest.mark.parametrize("broken", [ssl.SSLEOFError, ssl.SSLZeroReturnError])
def test_tls_that_broke_off_as_it_lay_idle_is_not_a_matter_of_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: type[ssl.SSLError]
) -> None:
    sent = []

    def breaks_off(*words: object) -> None:
        sent.append(words)
        raise broken(8, "EOF occurred in violation of protocol")

    with over_tls(tmp_path) as (connection, _):
        monkeypatch.setattr("dockersweep.engine.api.connection.exchange", breaks_off)
        with pytest.raises(EngineLostError, match="broke off its answer to GET /x"):
            connection.request("GET", "/x")
    assert len(sent) == 2


def test_tls_that_fails_once_it_stands_is_a_matter_of_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise ssl.SSLError(1, "certificate required")

    with over_tls(tmp_path) as (connection, _):
        monkeypatch.setattr("dockersweep.engine.api.connection.exchange", refuses)
        with pytest.raises(EngineLostError, match=r"TLS failed: .*certificate required.*; check its certificates"):
            connection.request("GET", "/x")


def test_an_authority_that_is_none_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    files = TlsFiles(ca=tmp_path / "none.pem", cert=None, key=None, verify=True)
    with pytest.raises(EngineError, match=r"the TLS files for tcp://127\.0\.0\.1:1 cannot be used"):
        Connection(Endpoint(url="tcp://127.0.0.1:1", source="a test", tls=files), 5)


class Held:
    """Answers to each path when that is let go, with its name, or else with 500."""

    def __init__(self, path: Path) -> None:
        self.asked: list[str] = []
        self.fails: set[str] = set()
        self.may_answer: dict[str, threading.Event] = {name: threading.Event() for name in ("/a", "/b", "/info")}
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            while asked := client.recv(10_000):
                name = asked.split()[1].decode()
                self.asked.append(name)
                self.may_answer[name].wait(10)
                answer = OK.replace(b"200 OK", b"500 No") if name in self.fails else OK
                client.sendall(answer[:-2] + name[1:].encode().ljust(2))

    def has_been_asked(self, *paths: str) -> bool:
        """Wait till it has been asked for all of these, in whatever order its threads ran."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and len(self.asked) < len(paths):
            time.sleep(0.01)
        return sorted(self.asked) == sorted(paths)

    def close(self) -> None:
        """Take no more connections."""
        self._socket.close()


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Connection, Held]]:
    endpoint = Endpoint(f"unix://{tmp_path}/socket", "a test", None)
    with closing(Held(tmp_path / "socket")) as listener, closing(Connection(endpoint, 5)) as connection:
        yield connection, listener


def test_what_was_asked_ahead_is_asked_once(held: tuple[Connection, Held]) -> None:
    connection, listener = held
    before = datetime.now(UTC)
    assert connection.ask_ahead("/a", {}) == "/a"
    assert before <= connection.asked_since() <= datetime.now(UTC)
    listener.may_answer["/a"].set()
    assert connection.request("GET", "/a").body == b"a "
    after = datetime.now(UTC)
    assert connection.asked_since() >= after
    # The next one is of its own time, over the same connection.
    assert connection.request("GET", "/a").body == b"a "
    assert listener.has_been_asked("/a", "/a")


def test_what_was_asked_too_long_ago_is_asked_again(
    held: tuple[Connection, Held], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, listener = held
    monkeypatch.setattr(asked_ahead, "LONGEST_SECONDS", 0.0)
    listener.may_answer["/a"].set()
    connection.ask_ahead("/a", {})
    assert connection.request("GET", "/a").body == b"a "
    assert listener.has_been_asked("/a", "/a")


def test_what_changes_something_takes_no_answer_that_was_asked_ahead(held: tuple[Connection, Held]) -> None:
    connection, listener = held
    listener.may_answer["/a"].set()
    connection.ask_ahead("/a", {})
    connection.request("DELETE", "/a")
    assert listener.has_been_asked("/a", "/a")


def test_what_was_asked_behind_one_that_fails_is_asked_again(held: tuple[Connection, Held]) -> None:
    connection, listener = held
    listener.fails = {"/a"}
    for name in ("/a", "/b"):
        listener.may_answer[name].set()
        connection.ask_ahead(name, {})
    assert connection.request("GET", "/a").status == 500
    assert connection.request("GET", "/b").body == b"b "
    assert listener.has_been_asked("/a", "/b", "/b")


def test_what_was_asked_behind_one_that_is_too_old_is_asked_again(
    held: tuple[Connection, Held], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, listener = held
    for name in ("/a", "/b"):
        listener.may_answer[name].set()
        connection.ask_ahead(name, {})
    with monkeypatch.context() as patch:
        patch.setattr(asked_ahead, "LONGEST_SECONDS", 0.0)
        connection.request("GET", "/a")
    connection.request("GET", "/b")
    assert listener.has_been_asked("/a", "/a", "/b", "/b")


def test_nothing_is_asked_ahead_over_what_is_closed(held: tuple[Connection, Held]) -> None:
    connection, listener = held
    listener.may_answer["/a"].set()
    connection.close()
    connection.ask_ahead("/a", {})
    assert connection.request("GET", "/a").body == b"a "
    assert listener.has_been_asked("/a", "/a")


@pytest.mark.parametrize(
    ("answered", "all_of_them"), [(("/a", "/b"), True), (("/a", "/info"), False), (("/a",), False)]
)
def test_all_are_answered_before_one(
    held: tuple[Connection, Held], answered: tuple[str, ...], all_of_them: bool
) -> None:
    connection, listener = held
    connection.timeout_seconds = 0.5
    info, *urls = (connection.ask_ahead(path, {}) for path in ("/info", "/a", "/b"))
    for name in answered:
        listener.may_answer[name].set()
    assert connection.answers_all(urls, before=info) == all_of_them


def test_what_could_not_be_asked_ahead_is_asked_when_it_is_wanted(tmp_path: Path) -> None:
    with closing(Connection(Endpoint(f"unix://{tmp_path}/socket", "a test", None), 5)) as connection:
        assert connection.ask_ahead("/a", {}) == "/a"
        assert not connection.answers_all(["/a"], before="/info")
        with pytest.raises(EngineLostError, match="no such socket"):
            connection.request("GET", "/a")


def test_an_answer_asked_ahead_that_breaks_off_is_asked_for_once_more(tmp_path: Path) -> None:
    with speaking(tmp_path / "socket", [0, 1]) as (connection, listener):
        connection.ask_ahead("/a", {})
        assert connection.request("GET", "/a").body == b"ok"
        connection.close()
        listener.join()
    assert listener.asked == [(1, "GET"), (2, "GET")]
