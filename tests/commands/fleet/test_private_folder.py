"""The folder of a run: nobody else's, gone at the end, and what a killed run has left goes with a later one."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from dockersweep.commands.fleet.private_folder import private_folder

HOLDING = """
import sys, time
from dockersweep.commands.fleet.private_folder import private_folder
with private_folder() as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def age(folder: Path, seconds: float = 3600) -> None:
    then = time.time() - seconds
    os.utime(folder, (then, then))


def left(base: Path) -> list[str]:
    return sorted(path.name for path in base.iterdir())


def test_it_is_private_and_gone_at_the_end(base: Path) -> None:
    with private_folder() as folder:
        assert os.stat(folder).st_mode & 0o777 == 0o700
        Path(folder, "1.json").write_text("{}")
    assert left(base) == []


def test_what_a_killed_run_has_left_is_removed_and_what_one_at_work_has_is_not(base: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(base)}
    command = [sys.executable, "-c", HOLDING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        (folder / "0.json").write_text("{}")
        age(folder)
        with private_folder():
            assert folder.is_dir()
        process.kill()
    age(folder)
    with private_folder():
        assert not folder.exists()


def test_nothing_else_is_removed(base: Path) -> None:
    target = base / "target"
    target.mkdir(mode=0o700)
    (base / "dockersweep-hosts-link").symlink_to(target)
    (base / "dockersweep-hosts-file").write_text("")
    (base / "dockersweep-hosts-young").mkdir(mode=0o700)
    (base / "dockersweep-hosts-open").mkdir(mode=0o755)
    (base / "other").mkdir(mode=0o700)
    for path in (target, base / "dockersweep-hosts-open", base / "other"):
        age(path)
    before = left(base)
    with private_folder():
        pass
    assert left(base) == before
