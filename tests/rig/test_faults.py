"""The proxy that makes answers go wrong does just that, and lets all else through."""

import contextlib
import http.client
import json
import math
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.fake_engine import FakeEngine, fake_engine, reply
from tests.rig.faults import CLOSED_DONE, CLOSED_UNHEARD, DAMAGED, LOSING, TELLING, Fault, before
from tests.rig.faulty_proxy import Proxy, Strike, faulty

TOLD = {"Id": "abc", "Name": "/web"}


class _Asking(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("engine", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@pytest.fixture
def fake() -> Iterator[FakeEngine]:
    with fake_engine() as running:
        running.replies["/containers/abc/json"] = reply(TOLD)
        running.replies["/containers/abc"] = (204, b"")
        yield running


@pytest.fixture
def proxy(fake: FakeEngine) -> Iterator[Proxy]:
    with faulty(Path(fake.url.removeprefix("unix://"))) as standing:
        yield standing


def ask(proxy: Proxy, method: str = "GET", path: str = "/v1.51/containers/abc/json") -> tuple[int, bytes]:
    connection = _Asking(proxy.path)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def fault(name: str) -> Fault:
    return next(one for one in (*LOSING, *TELLING, *DAMAGED) if one.name == name)


def strike(what: Fault, method: str = "GET", nth: int = 1) -> Strike:
    return Strike(what, method, r"/containers/abc(/json)?", nth=nth)


def test_what_nothing_strikes_goes_through_and_is_written_down(proxy: Proxy) -> None:
    assert ask(proxy) == (200, json.dumps(TOLD).encode())
    assert ask(proxy, "DELETE", "/v1.51/containers/abc?v=0&force=0") == (204, b"")
    assert [(one.method, one.path, one.params, one.status) for one in proxy.requests] == [
        ("GET", "/containers/abc/json", {}, 200),
        ("DELETE", "/containers/abc", {"v": "0", "force": "0"}, 204),
    ]
    assert proxy.struck == []


def test_just_the_nth_request_that_matches_is_struck(proxy: Proxy) -> None:
    proxy.begin(strike(fault("500 JSON"), nth=2))
    assert [ask(proxy)[0] for _ in range(3)] == [200, 500, 200]
    assert [one.name for one in proxy.struck] == ["500 JSON"]


def test_parameters_tell_requests_apart(proxy: Proxy) -> None:
    proxy.begin(Strike(fault("500 JSON"), "GET", "/system/df", '{"type": "volume"}'))
    assert ask(proxy, path="/v1.51/system/df?type=image")[0] == 200
    assert ask(proxy, path="/v1.51/system/df?type=volume")[0] == 500


@pytest.mark.parametrize(
    ("what", "heard"), [(CLOSED_UNHEARD, False), (CLOSED_DONE, True), (before(fault("half of body")), False)]
)
def test_a_removal_is_heard_or_not_before_its_answer_is_lost(
    proxy: Proxy, fake: FakeEngine, what: Fault, heard: bool
) -> None:
    proxy.begin(strike(what, "DELETE"))
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(proxy, "DELETE", "/containers/abc")
    assert (("DELETE", "/containers/abc") in fake.asked) == heard


def test_half_an_answer_is_half_of_it(proxy: Proxy) -> None:
    proxy.begin(strike(fault("half of headers")), strike(fault("half of body"), nth=2))
    head, body = (_raw(proxy) for _ in range(2))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n" not in head
    announced = json.dumps(TOLD).encode()
    assert f"Content-Length: {len(announced)}\r\n".encode() in body
    assert body.endswith(b"\r\n\r\n" + announced[: len(announced) // 2])


def _raw(proxy: Proxy) -> bytes:
    """Return all that comes until the connection ends."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(proxy.path))
        asking.sendall(b"GET /containers/abc/json HTTP/1.1\r\nHost: engine\r\n\r\n")
        return b"".join(iter(lambda: asking.recv(1000), b""))


def test_a_stall_lasts_until_the_client_goes(proxy: Proxy) -> None:
    proxy.begin(strike(fault("stall")))
    connection = _Asking(proxy.path)
    connection.timeout = 0.2
    connection.request("GET", "/containers/abc/json")
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()


def test_a_drip_comes_byte_by_byte(proxy: Proxy) -> None:
    proxy.begin(strike(fault("drip")))
    connection = _Asking(proxy.path)
    connection.request("GET", "/containers/abc/json")
    assert connection.sock is not None
    begun, count = time.monotonic(), 0
    while time.monotonic() < begun + 0.5:
        count += len(connection.sock.recv(1000))
    connection.close()
    assert 5 < count < 40


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("cut-off JSON", json.dumps(TOLD).encode()[: len(json.dumps(TOLD)) // 2]),
        ("missing key", b'{"Name": "/web"}'),
        ("wrong type", b'{"Id": 7, "Name": "/web"}'),
        ("null", b"null"),
        ("a text", b'"text"'),
    ],
)
def test_what_is_damaged_is_the_true_answer(proxy: Proxy, name: str, body: bytes) -> None:
    proxy.begin(strike(fault(name)))
    assert ask(proxy) == (200, body)


def test_200_mb_hold_what_is_meant(proxy: Proxy) -> None:
    proxy.begin(strike(fault("200 MB")))
    status, body = ask(proxy)
    assert (status, len(body), json.loads(body)) == (200, 200_000_000, TOLD)


@pytest.mark.parametrize("seconds", [0.3, math.inf])
def test_who_is_gone_breaks_off_everything_and_may_come_back(proxy: Proxy, seconds: float) -> None:
    waiting = _Asking(proxy.path)
    waiting.request("GET", "/containers/abc/json")
    waiting.getresponse().read()
    proxy.gone(seconds)
    assert waiting.sock is not None
    assert waiting.sock.recv(1) == b""
    waiting.close()
    with pytest.raises(ConnectionRefusedError):
        ask(proxy)
    if seconds < math.inf:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                assert ask(proxy)[0] == 200
                return
            time.sleep(0.02)
        pytest.fail("it did not come back")
    proxy.begin()
    assert ask(proxy)[0] == 200


def test_what_is_not_allowed_is_forbidden_in_plain_text(fake: FakeEngine) -> None:
    with faulty(Path(fake.url.removeprefix("unix://")), allowed=(("GET", r"/containers/\w+/json"),)) as proxy:
        assert ask(proxy)[0] == 200
        assert ask(proxy, "DELETE", "/containers/abc") == (403, b"Forbidden\n")
    assert ("DELETE", "/containers/abc") not in fake.asked
