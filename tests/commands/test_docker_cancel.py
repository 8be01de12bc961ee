"""docker's socket, by which it interrupts a plugin; tests/whole/test_in_docker.py has docker itself."""

import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rig.fake_engine import FakeEngine, fake_engine, stall, wait_for_request
from tests.rig.installed_copy import install_copy

INTERRUPTED = (130, "", "dockersweep: interrupted\n")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    return install_copy(tmp_path / "installed")


@pytest.fixture
def stalled() -> Iterator[FakeEngine]:
    """An engine that keeps everybody waiting."""
    with fake_engine(info=stall) as engine:
        yield engine


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """Listen as docker does."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        listener.listen()
        listener.settimeout(30)
        yield listener


def start(programs: Path, engine: FakeEngine, address: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [programs / "docker-sweep", "-H", engine.url, "sweep", "scan"],
        env=os.environ | {"DOCKER_CLI_PLUGIN_SOCKET": address},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize("kind", ["name", "path"])
def test_it_is_interrupted_when_docker_closes_the_socket(
    programs: Path, stalled: FakeEngine, tmp_path: Path, kind: str
) -> None:
    address = f"@docker_cli_{secrets.token_hex(8)}" if kind == "name" else str(tmp_path / "s")
    with listening(address) as listener:
        process = start(programs, stalled, address)
        connection, _ = listener.accept()
        wait_for_request(stalled, "GET", "/info")
        assert process.poll() is None
        # What docker may say is not for us.
        connection.sendall(b"hello")
        connection.close()
        assert ended(process) == INTERRUPTED


def test_one_that_has_just_started_ends_too(programs: Path, stalled: FakeEngine) -> None:
    address = f"@docker_cli_{secrets.token_hex(8)}"
    with listening(address) as listener:
        process = start(programs, stalled, address)
        listener.accept()[0].close()
        status, out, err = ended(process)
    assert (status, out) == (130, "")
    assert err in ("", INTERRUPTED[2])


@pytest.mark.parametrize("address", ["", "@docker_cli_of_nobody", "/none/s", "@" + "x" * 200])
def test_without_the_socket_it_runs_all_the_same(programs: Path, address: str) -> None:
    with fake_engine() as engine:
        status, out, _ = ended(start(programs, engine, address))
    assert status == 0
    assert engine.url in out
