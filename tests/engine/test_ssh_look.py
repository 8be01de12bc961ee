"""What the look at a host over ssh finds out, by the shells of this machine: which client, and which socket is surely
the one that it would use."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockersweep.engine.api.ssh_look import PING, Look, look_command, read_look


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a socket, and commands: a binary called docker, and what a look needs."""
    (tmp_path / "bin").mkdir()
    for name in ("sh", "cat", "grep", "head", "id", "readlink"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    shutil.copy(str(shutil.which("true")), tmp_path / "bin" / "docker")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "engine.sock"))
        listener.listen()
        yield tmp_path


def look(there: Path, path: str | None = None, shell: str = "sh", **variables: str) -> Look:
    """Look as the login shell of a user whose home is `there`, with these variables."""
    done = subprocess.run(
        [str(shutil.which(shell)), "-c", look_command(path)],
        input=PING,
        capture_output=True,
        check=True,
        env={"PATH": f"{there}/bin", "HOME": str(there), **variables},
    )
    first, _, rest = done.stdout.partition(b"\n")
    assert rest == PING
    assert done.stderr == b""
    read = read_look(first)
    assert read is not None, done.stdout
    return read


@pytest.mark.programs
@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
def test_every_login_shell_runs_the_look(there: Path, shell: str) -> None:
    found = look(there, f"{there}/engine.sock", shell)
    assert (found.client, found.socket) == ("docker", f"{there}/engine.sock")


def test_the_socket_of_docker_s_variable_is_docker_s_own(there: Path) -> None:
    named = f"unix://{there}/engine.sock"
    assert look(there, DOCKER_HOST=named).socket == f"{there}/engine.sock"
    # It goes before a context.
    assert look(there, DOCKER_HOST=named, DOCKER_CONTEXT="far").socket == f"{there}/engine.sock"


@pytest.mark.parametrize(
    "variables",
    [
        {"DOCKER_HOST": "tcp://127.0.0.1:2375"},
        {"DOCKER_HOST": "unix:///nowhere/engine.sock"},
        {"DOCKER_HOST": "unix://{there}/bin/docker"},
        {"DOCKER_HOST": "unix://{there}/a:b.sock"},
        {"DOCKER_HOST": "unix://{there}/engine.sock", "DOCKER_TLS_VERIFY": "1"},
        {"DOCKER_CONTEXT": "far"},
    ],
)
def test_what_is_not_certain_is_left_to_the_client(there: Path, variables: dict[str, str]) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(there / "a:b.sock"))
        found = look(there, **{name: value.format(there=there) for name, value in variables.items()})
    assert (found.client, found.socket) == ("docker", None)


def test_a_script_called_docker_may_have_settings_of_its_own(there: Path) -> None:
    (there / "bin" / "docker").write_text("#!/bin/sh\nexec podman\n")
    assert look(there, DOCKER_HOST=f"unix://{there}/engine.sock").socket is None


def test_a_link_to_a_launcher_may_have_too(there: Path) -> None:
    (there / "bin" / "docker").rename(there / "bin" / "snap")
    (there / "bin" / "docker").symlink_to("snap")
    assert look(there, DOCKER_HOST=f"unix://{there}/engine.sock").socket is None


def test_without_a_client_it_is_the_default_socket_or_the_one_of_the_address(there: Path) -> None:
    (there / "bin" / "docker").unlink()
    assert (look(there).client, look(there).socket) == ("none", "/var/run/docker.sock")
    assert look(there, "/run/it's $HOME.sock").socket == "/run/it's $HOME.sock"


def test_podman_s_variables_are_left_to_podman(there: Path) -> None:
    (there / "bin" / "docker").rename(there / "bin" / "podman")
    for name in ("CONTAINER_HOST", "CONTAINER_CONNECTION"):
        named = look(there, **{name: f"unix://{there}/engine.sock"})
        assert (named.client, named.socket) == ("podman", None)
    assert look(there, f"{there}/engine.sock").socket == f"{there}/engine.sock"


def test_the_machine_is_told_apart_without_its_own_id() -> None:
    one, other = (read_look(b"dockersweep:podman:%s:" % (digit * 32)) for digit in (b"a", b"b"))
    assert one is not None
    assert other is not None
    assert one.machine_id != other.machine_id
    assert one.machine_id is not None
    assert len(one.machine_id) == 32
    assert one.machine_id != "a" * 32


@pytest.mark.parametrize("told", [b"", b"uninitialized", b"A" * 32, b"a" * 31])
def test_a_machine_without_an_id_has_none(told: bytes) -> None:
    assert read_look(b"dockersweep:docker:" + told + b":/run/docker.sock") == Look("docker", "/run/docker.sock")


@pytest.mark.parametrize("line", [b"", b"Welcome", b"dockersweep:", b"dockersweep:nerdctl::", b"xdockersweep:docker::"])
def test_what_is_no_answer_is_none(line: bytes) -> None:
    assert read_look(line) is None


def test_a_command_that_the_key_is_bound_to_answers_as_an_engine() -> None:
    assert read_look(b"HTTP/1.1 200 OK") == Look("docker")
