"""Who has no default socket is told of another one that is there, or gets the only one of an engine for laptops."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import Endpoint, resolve_endpoint
from dockersweep.engine.api.other_sockets import other_sockets
from dockersweep.errors import EngineLostError, UsageError
from tests.engine.test_endpoint import write_context
from tests.rig.fake_engine import fake_engine
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


@pytest.fixture
def default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the default socket would be; it is not there."""
    path = tmp_path / "docker.sock"
    monkeypatch.setattr("dockersweep.engine.api.endpoint.DEFAULT_SOCKET", f"unix://{path}")
    return path


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder whose path leaves room for those of sockets, with what the shell makes something else of."""
    with tempfile.TemporaryDirectory(prefix="dsw [x] ") as folder:
        monkeypatch.setenv("HOME", folder)
        yield Path(folder)


@pytest.mark.parametrize(
    "path",
    [
        ".docker/run/docker.sock",
        ".orbstack/run/docker.sock",
        ".colima/default/docker.sock",
        ".colima/work/docker.sock",
        ".rd/docker.sock",
    ],
)
def test_the_only_engine_of_a_laptop_is_used(home: Path, default: Path, path: str) -> None:
    environment = {"HOME": str(home)}
    with listening(home / path):
        endpoint = resolve_endpoint(None, None, environment)
        assert (endpoint.url, endpoint.source) == (f"unix://{home / path}", f"the only socket found in {home}")
        # Whoever names the default one means it.
        assert resolve_endpoint(None, "default", environment).url == f"unix://{default}"
        # Docker Desktop leaves a link to nowhere where it was uninstalled; what is there is used, whatever it is.
        default.symlink_to(home / "gone")
        assert resolve_endpoint(None, None, environment).url == endpoint.url
        default.unlink()
        default.write_text("")
        assert resolve_endpoint(None, None, environment).is_default
    default.unlink()
    (home / path).unlink()
    (home / path).write_text("no socket")
    assert resolve_endpoint(None, None, environment).is_default


def test_a_context_comes_before_what_is_found(home: Path, default: Path) -> None:
    write_context(home / ".docker", "work", "unix:///run/work.sock")
    with listening(home / ".orbstack/run/docker.sock"):
        assert (
            resolve_endpoint(None, None, {"HOME": str(home), "DOCKER_CONTEXT": "work"}).url == "unix:///run/work.sock"
        )
        (home / ".docker/config.json").write_text('{"currentContext": "work"}')
        assert resolve_endpoint(None, None, {"HOME": str(home)}).url == "unix:///run/work.sock"


def test_of_several_engines_none_is_guessed(home: Path, default: Path) -> None:
    one, other = home / ".orbstack/run/docker.sock", home / ".colima/default/docker.sock"
    with listening(one), listening(other), pytest.raises(UsageError) as caught:
        resolve_endpoint(None, None, {"HOME": str(home)})
    assert str(caught.value) == (
        f"nothing names an engine, {default} does not exist, and {home} has 2 others: choose with "
        f"`dockersweep -H '{one}' ...` or `dockersweep -H '{other}' ...`"
    )


def test_two_paths_of_one_socket_are_one_engine(home: Path, default: Path) -> None:
    with listening(home / ".orbstack/run/docker.sock") as server:
        (home / ".docker/run").mkdir(parents=True)
        (home / ".docker/run/docker.sock").symlink_to(server.getsockname())
        assert resolve_endpoint(None, None, {"HOME": str(home)}).url == f"unix://{home}/.docker/run/docker.sock"


def test_outputs_say_which_it_was(home: Path, default: Path) -> None:
    path = home / ".rd/docker.sock"
    path.parent.mkdir()
    with fake_engine() as engine:
        path.symlink_to(engine.url.removeprefix("unix://"))
        command = f"from dockersweep.engine.api import endpoint; endpoint.DEFAULT_SOCKET = 'unix://{default}'; "
        code = f"{command}from dockersweep.cli import main; raise SystemExit(main(['scan', '--no-ledger']))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"at unix://{path}, from the only socket found in {home}" in " ".join(done.stdout.split())
