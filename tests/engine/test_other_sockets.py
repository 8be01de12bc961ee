"""Who has no default socket is told of another one that is there."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import Endpoint, resolve_endpoint
from dockersweep.engine.api.other_sockets import other_sockets
from dockersweep.errors import EngineLostError
from tests.rig.running import dockersweep


def listening(path: Path) -> closing[socket.socket]:
    path.parent.mkdir(parents=True, exist_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    return closing(server)


def test_only_sockets_that_are_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "docker.sock").write_text("")
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert str(tmp_path / "docker.sock") not in other_sockets(environment)
    with listening(tmp_path / "podman" / "podman.sock"):
        assert other_sockets(environment)[0] == str(tmp_path / "podman" / "podman.sock")
    assert other_sockets({}) == other_sockets({"XDG_RUNTIME_DIR": "/nonexistent\0"})


def test_the_error_says_how_to_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    missing = f"unix://{tmp_path}/none.sock"
    with listening(tmp_path / "docker.sock"):
        for source, is_told in (("the default socket", True), ("--host", False)):
            connection = Connection(Endpoint(url=missing, source=source, tls=None), timeout_seconds=1)
            with pytest.raises(EngineLostError) as caught:
                connection.request("GET", "/_ping")
            assert (f"try `dockersweep -H {tmp_path}/docker.sock ...`" in str(caught.value)) == is_told


def test_a_path_is_a_socket(tmp_path: Path) -> None:
    assert resolve_endpoint("/run/x.sock", None, {}).url == "unix:///run/x.sock"
    run = dockersweep("scan", "-H", str(tmp_path / "none.sock"))
    assert run.status == 5
    assert f"unix://{tmp_path}/none.sock" in run.stderr
