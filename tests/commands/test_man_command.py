"""`dockersweep man`: man where there is one and somebody looks, text everywhere else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dockersweep as package
from tests.rig.running import dockersweep, on_a_terminal

PAGES = Path(__file__).parents[2] / "man"


@pytest.mark.parametrize("page", ["dockersweep", "dockersweep.toml", "dockersweep-fleet.toml"])
def test_a_page_is_printed_in_a_pipe_and_in_a_file(page: str, tmp_path: Path) -> None:
    run = dockersweep("man", page)
    assert (run.status, run.stderr) == (0, "")
    assert run.stdout.startswith(f"{page.upper()}({5 if 'toml' in page else 1})\n\nNAME\n       {page} - ")
    file = tmp_path / "page.txt"
    assert dockersweep("man", page, "-o", str(file)).status == 0
    assert file.read_text() == run.stdout


def test_the_first_page_is_that_of_the_command() -> None:
    assert dockersweep("man").stdout == dockersweep("man", "dockersweep").stdout


def test_another_page_is_an_error_that_names_those_there_are() -> None:
    run = dockersweep("man", "policy")
    assert (run.status, run.stdout) == (2, "")
    assert 'there is no "policy": choose from dockersweep, dockersweep.toml, dockersweep-fleet.toml' in run.stderr


def test_a_terminal_gets_man(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    man = tmp_path / "man"
    man.write_text('#!/bin/sh\necho "shown: $*"\nexit 3\n')
    man.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    status, shown = on_a_terminal(["man", "dockersweep.toml"], "")
    assert (status, shown.strip()) == (3, f"shown: {PAGES / 'dockersweep.toml.5'}")


def test_a_terminal_without_man_gets_text_in_its_width(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    status, shown = on_a_terminal(["man"], "")
    assert status == 0
    assert "NAME\r\n       dockersweep - see what" in shown


def installed(folder: Path, record: str) -> subprocess.CompletedProcess[str]:
    """`man` of a copy of the package that pip has put into a folder, by this RECORD."""
    copy = folder / "lib"
    shutil.copytree(Path(package.__file__).parent, copy / "dockersweep", ignore=shutil.ignore_patterns("__pycache__"))
    metadata = copy / "dockersweep-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: dockersweep\nVersion: 0.1.0\n")
    (metadata / "RECORD").write_text(record)
    code = f"import sys; sys.path.insert(0, {str(copy)!r}); from dockersweep.cli import main; sys.exit(main(['man']))"
    return subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=False, cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip


def test_what_pip_has_installed_finds_its_pages(tmp_path: Path) -> None:
    shutil.copytree(PAGES, tmp_path / "share" / "man" / "man1")
    done = installed(tmp_path, "../share/man/man1/dockersweep.1,,\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == dockersweep("man").stdout


def test_pages_that_were_left_out_are_an_error(tmp_path: Path) -> None:
    done = installed(tmp_path, "../share/man/man1/dockersweep.1,,\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the page dockersweep.1 is not installed here; install dockersweep with pip" in done.stderr
    assert "Traceback" not in done.stderr
