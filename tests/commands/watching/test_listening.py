"""Where --listen listens, and where not."""

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dockersweep.commands.watching.listening import Listener, listen
from dockersweep.errors import UsageError

IPV6 = pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="without IPv6")
Listen = Callable[..., Listener]
Resolve = Callable[..., None]


@pytest.fixture
def opened() -> Iterator[Listen]:
    """`listen`, of which all is closed in the end."""
    listeners: list[Listener] = []

    def open_one(address: str, *, any_address: bool = False) -> Listener:
        listeners.append(listen(address, any_address=any_address))
        return listeners[-1]

    yield open_one
    for one in listeners:
        one.close()


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Lets every name have these addresses."""

    def answer(*addresses: str) -> None:
        def found(host: str | None, port: int, **_: Any) -> list[Any]:
            return [
                (socket.AF_INET6, 1, 6, "", (one, port, 0, 0))
                if ":" in one
                else (socket.AF_INET, 1, 6, "", (one, port))
                for one in addresses
            ]

        monkeypatch.setattr(socket, "getaddrinfo", found)

    return answer


def refusal(address: str, *, any_address: bool = False) -> str:
    """Why an address is refused."""
    with pytest.raises(UsageError) as caught:
        listen(address, any_address=any_address)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "127.0.0.53:0", pytest.param("[::1]:0", marks=IPV6)])
def test_what_only_this_machine_reaches_is_listened_on(opened: Listen, address: str) -> None:
    listener = opened(address)
    assert listener.is_local
    for one in listener.sockets:
        with socket.create_connection(one.getsockname()[:2], timeout=5):
            pass
    port = listener.sockets[0].getsockname()[1]
    assert listener.url == f"http://{address.removesuffix('0')}{port}/metrics"


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", ":0", "[]:0", "0:0", "[::ffff:0.0.0.0]:0", "192.0.2.7:0"])
def test_what_others_reach_is_refused_and_the_flag_is_named(address: str) -> None:
    assert "--listen-any" in refusal(address)


def test_every_address_of_a_name_is_looked_at(resolves: Resolve) -> None:
    resolves("127.0.0.1", "192.0.2.7")
    assert "192.0.2.7" in refusal("both.example:9180")
    resolves("::1", "2001:db8::1")
    assert "2001:db8::1" in refusal("both.example:9180")


def test_any_address_is_listened_on_where_that_is_asked_for(opened: Listen) -> None:
    listener = opened("0.0.0.0:0", any_address=True)
    assert not listener.is_local


def test_an_address_that_is_switched_off_is_left_out(opened: Listen, resolves: Resolve) -> None:
    """As ::1 is where the name has it, and the kernel no IPv6."""
    resolves("127.0.0.1", "::2")
    listener = opened("name.example:0", any_address=True)
    assert [one.family for one in listener.sockets] == [socket.AF_INET]


def test_an_address_of_another_machine_alone_is_an_error(resolves: Resolve) -> None:
    resolves("192.0.2.7")
    assert "does not have that address" in refusal("there.example:0", any_address=True)


@pytest.mark.parametrize(
    "address",
    ["", "9180", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:9180", "127.0.0.1:٣", "unix:",
     "unix:relative", "unix:/", "http://127.0.0.1:9180", "[::1]9180", "127.0.0.1:9180/metrics"],
)  # fmt: skip
def test_what_is_no_address_gets_examples(address: str) -> None:
    assert "127.0.0.1:9180" in refusal(address)


@pytest.mark.parametrize("name", ["a" * 70, "a..b", "\udc80", "no such name"])
def test_a_name_without_an_address_is_an_error(name: str) -> None:
    assert "no address" in refusal(f"{name}:9180")


def test_a_port_that_is_taken_is_refused(opened: Listen) -> None:
    port = opened("127.0.0.1:0").sockets[0].getsockname()[1]
    assert "something listens there already" in refusal(f"127.0.0.1:{port}")


def test_of_two_addresses_none_stays_open_where_one_is_taken(opened: Listen, resolves: Resolve) -> None:
    taken = opened("127.0.0.2:0").sockets[0].getsockname()[1]
    resolves("127.0.0.1", "127.0.0.2")
    refusal(f"name.example:{taken}")
    resolves("127.0.0.1")
    opened(f"name.example:{taken}")


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777])
def test_a_socket_has_its_mode_whatever_the_umask(opened: Listen, tmp_path: Path, umask: int) -> None:
    path = tmp_path / "s"
    before = os.umask(umask)
    try:
        opened(f"unix:{path}")
    finally:
        os.umask(before)
    state = path.lstat()
    assert stat.S_ISSOCK(state.st_mode)
    assert stat.S_IMODE(state.st_mode) == 0o660


def test_a_socket_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listener = listen(f"unix://{path}", any_address=False)
    assert listener.url == f"unix:{path}"
    listener.close()
    listener.close()
    assert list(tmp_path.iterdir()) == []


def test_a_socket_of_another_in_its_place_stays(opened: Listen, tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = opened(f"unix:{path}")
    path.unlink()
    opened(f"unix:{path}")
    first.close()
    assert path.exists()


def test_a_stale_socket_is_replaced(opened: Listen, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
        left_behind.listen()
    opened(f"unix:{path}")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_in_use_is_refused_even_if_its_queue_is_full(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        # Each look takes a place in the queue, which nobody empties.
        for _ in range(4):
            assert "already" in refusal(f"unix:{path}")
    assert path.exists()


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link"])
def test_nothing_but_a_socket_is_replaced(tmp_path: Path, kind: str) -> None:
    path, target = tmp_path / "s", tmp_path / "target"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    else:
        if kind == "link":
            target.write_text("mine")
        path.symlink_to(target)
    before = path.lstat()
    assert "no socket of this user" in refusal(f"unix:{path}")
    assert path.lstat() == before


def test_a_path_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    assert "choose another path" in refusal(f"unix:{tmp_path}/none/s")
    assert "choose another path" in refusal(f"unix:{tmp_path}/{'x' * 120}")


def test_of_watchers_that_start_at_once_one_gets_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    got: list[Listener] = []
    refused: list[UsageError] = []
    together = threading.Barrier(8)

    def begin() -> None:
        together.wait()
        try:
            got.append(listen(f"unix:{path}", any_address=False))
        except UsageError as error:
            refused.append(error)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert (len(got), len(refused)) == (1, 7)
        assert all("already" in str(error) or "in use" in str(error) for error in refused)
    finally:
        for one in got:
            one.close()
