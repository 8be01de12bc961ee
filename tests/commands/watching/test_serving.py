"""The server of /metrics and /healthz, and who tries to keep it from answering."""

import gzip
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from dockersweep.commands.watching import serving
from dockersweep.commands.watching.listening import listen
from dockersweep.commands.watching.serving import IDLE_SECONDS, LARGEST_HEAD_BYTES, MOST_CONNECTIONS, MetricsServer
from dockersweep.report.watch_health import Health

WELL = Health(healthy=True, problems=(), notes=())
ILL = Health(healthy=False, problems=("the engine is away",), notes=())
Address = tuple[str, int] | str
MANY = 900
"""Connections at once: most systems let a process have 1,024 descriptors."""


def one_metric() -> list[Metric]:
    """A metric."""
    return [GaugeMetricFamily("dockersweep_test", "A test.", value=7)]


@contextmanager
def server(
    metrics: Callable[[], Iterable[Metric]] = one_metric,
    health: Callable[[], Health] = lambda: WELL,
    address: str = "127.0.0.1:0",
    *,
    any_address: bool = False,
) -> Iterator[Address]:
    """Yield the address of a server."""
    listener = listen(address, any_address=any_address)
    served = MetricsServer(listener, metrics, health)
    served.start()
    try:
        yield listener.sockets[0].getsockname()
    finally:
        served.close()


def connected(address: Address, seconds: float = 8) -> socket.socket:
    """A connection to a server."""
    one = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    one.settimeout(seconds)
    one.connect(address)
    return one


def rest_of(client: socket.socket) -> bytes:
    """What comes till the other side closes."""
    pieces = []
    try:
        while piece := client.recv(65_536):
            pieces.append(piece)
    except ConnectionError:
        pass
    return b"".join(pieces)


def answer(address: Address, request: bytes) -> bytes:
    """All that a server answers to these bytes."""
    with connected(address) as client:
        with suppress(OSError):
            client.sendall(request)
        return rest_of(client)


def got(address: Address, path: str = "/metrics", *headers: str, method: str = "GET") -> tuple[int, str, bytes]:
    """The status, the head and the body of an answer."""
    lines = [f"{method} {path} HTTP/1.1", *headers, "", ""]
    head, _, body = answer(address, "\r\n".join(lines).encode("latin-1")).partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode("latin-1"), body


def test_metrics_are_served() -> None:
    with server() as address:
        status, head, body = got(address)
    assert status == 200
    assert "Content-Type: text/plain; version=0.0.4" in head
    [family] = text_string_to_metric_families(body.decode())
    assert (family.name, family.samples[0].value) == ("dockersweep_test", 7)


def test_metrics_without_a_sample_are_left_out() -> None:
    with server(lambda: [*one_metric(), GaugeMetricFamily("dockersweep_none", "None.")]) as address:
        assert b"dockersweep_none" not in got(address)[2]


def test_openmetrics_and_gzip_are_served_to_who_asks() -> None:
    asked = ("Accept: application/openmetrics-text; version=1.0.0", "Accept-Encoding: gzip")
    with server() as address:
        _, head, body = got(address, "/metrics", *asked)
    assert "application/openmetrics-text" in head
    assert gzip.decompress(body).endswith(b"# EOF\n")


def test_a_query_changes_nothing() -> None:
    with server() as address:
        assert got(address, "/metrics?name[]=other&x=%00")[2] == got(address)[2]


@pytest.mark.parametrize(("health", "status"), [(WELL, 200), (ILL, 503)])
def test_health_is_a_status_and_json(health: Health, status: int) -> None:
    with server(health=lambda: health) as address:
        got_status, head, body = got(address, "/healthz")
    assert got_status == status
    assert "Content-Type: application/json" in head
    assert body == health.as_json()


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/nothing"])
def test_head_is_the_head_of_get(path: str) -> None:
    with server() as address:
        status, head, body = got(address, path)
        head_status, of_head, no_body = got(address, path, method="HEAD")
    assert (head_status, no_body) == (status, b"")
    assert f"Content-Length: {len(body)}" in head
    assert [line for line in of_head.splitlines() if not line.startswith("Date")] == [
        line for line in head.splitlines() if not line.startswith("Date")
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "X"])
def test_nothing_but_get_and_head_is_answered(method: str) -> None:
    with server() as address:
        status, head, _ = got(address, method=method)
    assert status == 405
    assert "Allow: GET, HEAD" in head


ODD_PATHS = (
    "/", "/metrics//", "/metrics/", "/metrics/..", "/../metrics", "/metrics%00", "/metrics\x00", "/%6detrics%", "/é",
    "*", "http://127.0.0.1/metrics", "/favicon.ico", "/healthz/../metrics", "/" + "a" * 8000, "/?/metrics", "#/metrics",
)  # fmt: skip


@pytest.mark.parametrize("path", ODD_PATHS, ids=range(len(ODD_PATHS)))
def test_an_odd_path_is_not_found(path: str) -> None:
    with server() as address:
        assert got(address, path)[0] in (400, 404)
        assert got(address)[0] == 200


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/nothing", "/bad request"])
def test_no_answer_names_a_version(path: str) -> None:
    with server() as address:
        _, head, body = got(address, path)
    assert "Server: dockersweep\r\n" in head + "\r\n"
    assert "ython" not in head
    assert b"ython" not in body


HOSTS = (
    ("localhost", True), ("localhost:9180", True), ("LOCALHOST", True), ("127.0.0.1:9180", True), ("[::1]:9180", True),
    ("10.1.2.3", True), ("a.localhost", True), ("", True), ("evil.example", False), ("evil.example:9180", False),
    ("localhost.evil.example", False), ("[evil]", False), ("127.0.0.1.evil.example", False), ("::", True),
)  # fmt: skip


@pytest.mark.parametrize(("host", "is_served"), HOSTS)
def test_a_page_of_the_web_cannot_read_what_is_on_loopback(host: str, is_served: bool) -> None:
    with server() as address:
        for path in ("/metrics", "/healthz"):
            assert got(address, path, f"Host: {host}")[0] == (200 if is_served else 421)


def test_any_host_is_right_where_others_may_come(tmp_path: Path) -> None:
    with server(address="0.0.0.0:0", any_address=True) as address:
        assert got(("127.0.0.1", int(address[1])), "/metrics", "Host: monitored.example")[0] == 200
    with server(address=f"unix:{tmp_path}/s") as address:
        assert got(address, "/metrics", "Host: anything")[0] == 200


def test_the_name_that_it_listens_on_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with server(address="Box.example:0") as address:
        assert got(address, "/metrics", "Host: box.example:9180")[0] == 200
        assert got(address, "/metrics", "Host: other.example:9180")[0] == 421


NO_REQUESTS = (
    b"", b"\r\n", b"\r\n\r\n", b"GET", b"GET \r\n\r\n", b"GET /metrics\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n",
    b"GET /metrics HTTP/x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", b"GET /metrics HTTP/1.1\r\nA: \x00\r\n\r\n", b"\x00" * 100,
    b"GET /metrics HTTP/1.1\r\nAccept: ;;=,text/plain;version=\xff\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nAccept: text/plain;version=a.b.c\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nContent-Length: 5000000000\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
)  # fmt: skip


@pytest.mark.parametrize("request_bytes", NO_REQUESTS, ids=range(len(NO_REQUESTS)))
def test_what_is_no_request_is_not_told_and_harms_nobody(
    request_bytes: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with server() as address:
        with connected(address) as client:
            client.sendall(request_bytes)
            client.shutdown(socket.SHUT_WR)
            said = rest_of(client)
        assert got(address)[0] == 200
    assert b"Traceback" not in said
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * (4 * LARGEST_HEAD_BYTES),
        b"GET /metrics HTTP/1.1\r\nA: " + b"a" * (4 * LARGEST_HEAD_BYTES),
        b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 10_000,
        b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n",
    ],
    ids=["line", "header", "many headers", "over a hundred"],
)
def test_a_huge_head_is_refused(head: bytes) -> None:
    with server() as address:
        said = answer(address, head)
        # What is not read any more can make the system drop the answer.
        assert not said or b" 431 " in said.splitlines()[0]
        assert got(address)[0] == 200


def test_an_error_of_ours_is_a_500_without_a_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    def broken() -> list[Metric]:
        raise RuntimeError("secret")

    with server(metrics=broken) as address:
        status, _, body = got(address)
        assert got(address, "/healthz")[0] == 200
    assert status == 500
    assert b"secret" not in body
    assert capfd.readouterr() == ("", "")


@contextmanager
def many(address: Address, number: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """That many connections that have sent this and no more."""
    with ExitStack() as opened:
        clients = []
        for _ in range(number):
            clients.append(opened.enter_context(connected(address)))
            if sent:
                clients[-1].sendall(sent)
        yield clients


@pytest.mark.parametrize("sent", [b"", b"GET /metrics HTTP/1.1\r\nHost: loc"], ids=["nothing", "half a head"])
def test_many_clients_that_send_nothing_keep_nobody_out(sent: bytes) -> None:
    before = threading.active_count()
    with server() as address, many(address, MANY, sent) as clients:
        began = time.monotonic()
        assert got(address)[0] == 200
        assert time.monotonic() - began < IDLE_SECONDS
        assert threading.active_count() - before <= 2 * MOST_CONNECTIONS + 1
        assert rest_of(clients[0]) == b""


def test_slow_clients_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that sends a byte now and then."""
    monkeypatch.setattr(serving, "CONNECTION_SECONDS", 1.0)
    monkeypatch.setattr(serving, "_ROUND_SECONDS", 0.1)
    with server() as address, connected(address) as client:
        began = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - began < 8:
                client.sendall(b"a")
                time.sleep(0.05)
        assert time.monotonic() - began < 5


def test_a_client_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "CONNECTION_SECONDS", 1.0)
    monkeypatch.setattr(serving, "_ROUND_SECONDS", 0.1)
    large = GaugeMetricFamily("dockersweep_large", "x" * 20_000_000, value=1)
    before = threading.active_count()
    with server(metrics=lambda: [large]) as address, connected(address) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        ends_at = time.monotonic() + 10
        while threading.active_count() - before < 2 and time.monotonic() < ends_at:
            time.sleep(0.01)
        while threading.active_count() - before > 1 and time.monotonic() < ends_at:
            time.sleep(0.05)
        assert threading.active_count() - before == 1
        assert len(rest_of(client)) < 20_000_000


def test_scrapes_at_once_see_one_state_each() -> None:
    """Also while what is exposed changes."""
    number = 0
    has_ended = threading.Event()

    def changing() -> list[Metric]:
        now = number
        family = GaugeMetricFamily("dockersweep_test", "A test.", labels=("place",))
        for place in range(50):
            family.add_metric((str(place),), now)
        return [family]

    def change() -> None:
        nonlocal number
        while not has_ended.is_set():
            number += 1

    seen: list[set[float]] = []

    def scrape() -> None:
        for _ in range(10):
            [family] = text_string_to_metric_families(got(address)[2].decode())
            seen.append({sample.value for sample in family.samples})

    with server(metrics=changing) as address:
        threads = [threading.Thread(target=scrape) for _ in range(6)]
        changer = threading.Thread(target=change)
        for thread in (changer, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        has_ended.set()
        changer.join()
    assert len(seen) == 60
    assert all(len(values) == 1 for values in seen)


@pytest.mark.linux
def test_no_descriptor_leaks_into_a_child_or_stays(tmp_path: Path) -> None:
    listing = "import os; print(*sorted(os.listdir('/proc/self/fd')))"

    def of_child() -> str:
        return subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True).stdout

    before, of_child_before = len(os.listdir("/proc/self/fd")), of_child()
    with server(address=f"unix:{tmp_path}/s") as address, many(address, 3):
        assert got(address)[0] == 200
        assert of_child() == of_child_before
    # Each connection is closed by its own thread.
    deadline = time.monotonic() + 20
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_server_that_is_closed_leaves_no_thread_and_no_socket(tmp_path: Path) -> None:
    before = threading.active_count()
    with server(address=f"unix:{tmp_path}/s") as address, connected(address) as client:
        client.sendall(b"GET ")
    ends_at = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < ends_at:
        time.sleep(0.01)
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []
