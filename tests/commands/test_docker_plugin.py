"""`dockersweep docker-plugin`: the link to our program where docker looks for it, and nothing that is not ours."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dockersweep import __version__
from dockersweep.commands import docker_plugin
from tests.commands.calling import Caller
from tests.rig.installed_copy import install_copy
from tests.rig.privileges import permissions_that_count

LINK = Path("cli-plugins", "docker-sweep")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of docker's configuration, with a space in its name, which is not there yet."""
    folder = tmp_path / "my docker"
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


def ran(programs: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    """Run a program that was installed."""
    done = subprocess.run(
        [programs / "dockersweep", "docker-plugin", *words],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_it_is_installed_and_removed(tmp_path: Path, home: Path) -> None:
    programs = install_copy(tmp_path / "copy")
    link = home / LINK
    told = f"{link} -> {programs}/docker-sweep\nTry it: docker sweep --help\n"
    assert ran(programs, "install") == (0, f"Installed: {told}", "")
    assert os.readlink(link) == str(programs / "docker-sweep")
    asked = subprocess.run([link, "docker-cli-plugin-metadata"], capture_output=True, text=True, check=True)
    metadata = json.loads(asked.stdout)
    assert (metadata["SchemaVersion"], metadata["Vendor"], metadata["Version"]) == ("0.1.0", "dockersweep", __version__)
    assert 0 < len(metadata["ShortDescription"]) <= 60
    assert ran(programs, "install") == (0, f"Already installed: {told}", "")
    assert ran(programs, "remove") == (0, f"Removed: {link}\n", "")
    assert list(link.parent.iterdir()) == []
    assert ran(programs, "remove") == (0, f"Nothing to remove: {link} does not exist\n", "")


def test_without_a_variable_it_is_in_the_home_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = install_copy(tmp_path / "copy")
    assert ran(programs, "install", HOME=str(tmp_path))[0] == 0
    assert (tmp_path / ".docker" / LINK).resolve() == programs / "docker-sweep"


def test_another_installation_takes_the_place_of_the_first(tmp_path: Path, home: Path) -> None:
    first, second, third = (install_copy(tmp_path / name) for name in ("first", "second", "third"))
    for programs, gone in ((first, None), (second, None), (third, second)):
        if gone is not None:
            shutil.rmtree(gone.parent)
        assert ran(programs, "install")[0] == 0
        assert (home / LINK).resolve() == programs / "docker-sweep"
    shutil.rmtree(third.parent)
    assert (home / LINK).is_symlink()
    assert ran(first, "remove")[0] == 0
    assert not (home / LINK).is_symlink()


@pytest.mark.parametrize("what", ["file", "link", "dangling", "folder", "to a folder", "to a pipe", "to a program"])
@pytest.mark.parametrize("action", ["install", "remove"])
def test_what_is_not_ours_is_left_alone(tmp_path: Path, home: Path, what: str, action: str) -> None:
    programs = install_copy(tmp_path / "copy")
    link, other = home / LINK, tmp_path / "docker-sweep"
    link.parent.mkdir(parents=True)
    if what == "file":
        link.write_text("dockersweep.docker_plugin")
    elif what == "folder":
        link.mkdir()
    elif what == "dangling":
        link.symlink_to(tmp_path / "docker-sweeper")
    else:
        link.symlink_to(other)
    if what == "to a folder":
        other.mkdir()
    elif what == "to a pipe":
        os.mkfifo(other)
    elif what == "link":
        other.write_text("#!/bin/sh\n")
    elif what == "to a program":
        other.write_bytes(b"\x7fELF" + b"x" * 100_000)
    status, out, error = ran(programs, action)
    assert (status, out) == (2, "")
    assert error == (
        f"dockersweep: {link} is not a link that dockersweep made; it was left as it is: move it away first\n"
    )
    assert os.path.lexists(link)
    assert what != "file" or link.read_text() == "dockersweep.docker_plugin"


@pytest.mark.parametrize("record", ["", "../bin/docker-sweep,,\nelsewhere/__init__.py,,\n", "../bin/gone,,\n"])
def test_without_the_program_it_says_how_to_get_it(tmp_path: Path, home: Path, record: str) -> None:
    programs = install_copy(tmp_path / "copy", record)
    # From Python 3.12 on, what is not there is left out of a record.
    elsewhere = tmp_path / "copy" / "lib" / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "__init__.py").touch()
    status, out, error = ran(programs, "install")
    assert (status, out) == (2, "")
    assert error == (
        "dockersweep: the program docker-sweep, which docker would run, is not installed with this dockersweep: "
        "install it with pip or pipx, and run that one\n"
    )
    assert not home.exists()


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path, home: Path) -> None:
    programs = install_copy(tmp_path / "copy")
    home.write_text("")
    status, out, error = ran(programs, "install")
    assert (status, out) == (2, "")
    assert error == f"dockersweep: {home / LINK} cannot be written: Not a directory\n"


def test_a_folder_that_is_read_only_stays_as_it_is(
    call: Caller, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = install_copy(tmp_path / "copy")
    assert ran(programs, "install")[0] == 0
    other = install_copy(tmp_path / "other") / "docker-sweep"
    monkeypatch.setattr(docker_plugin, "installed_files", lambda name: [str(other)] if name == other.name else [])
    (home / "cli-plugins").chmod(0o500)
    with permissions_that_count():
        said = [call("docker-plugin", action) for action in ("install", "remove")]
    assert [(one.status, one.out, one.err) for one in said] == [
        (2, "", f"dockersweep: {home / LINK} cannot be written: Permission denied\n")
    ] * 2
    assert os.listdir(home / "cli-plugins") == ["docker-sweep"]
    assert (home / LINK).resolve() == programs / "docker-sweep"


def test_for_all_users_it_is_where_docker_looks_first(
    call: Caller, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert docker_plugin.SYSTEM_FOLDER == "/usr/local/lib/docker/cli-plugins"
    program = install_copy(tmp_path / "copy") / "docker-sweep"
    folder = tmp_path / "system"
    monkeypatch.setattr(docker_plugin, "SYSTEM_FOLDER", str(folder))
    monkeypatch.setattr(docker_plugin, "installed_files", lambda name: [str(program)] if name == program.name else [])
    assert call("docker-plugin", "install", "--system").out.startswith(f"Installed: {folder}/docker-sweep -> ")
    assert (folder / "docker-sweep").resolve() == program
    assert not home.exists()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tmp_path / "file").touch()
    monkeypatch.setattr(docker_plugin, "SYSTEM_FOLDER", f"{tmp_path}/file/none")
    said = call("docker-plugin", "install", "--system")
    assert (said.status, said.out) == (2, "")
    assert said.err == (
        f"dockersweep: {tmp_path}/file/none/docker-sweep cannot be written: Not a directory; run it as root\n"
    )
