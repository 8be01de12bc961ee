"""Where results go: a file that is replaced, a stream that is closed, a full disk, a terminal of other letters."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dockersweep.model.inventory import ScanWarning
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import fake_engine
from tests.rig.inventories import container, inventory, write_inventory
from tests.rig.running import dockersweep


def test_the_output_file_is_replaced_in_one_step_and_keeps_its_mode(saved: str, tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    target.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(target)
    assert dockersweep("report", "--inventory", saved, "-o", str(link)).stdout == ""
    assert "LARGEST" in target.read_text()
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(one.name for one in tmp_path.iterdir()) == ["inventory.json", "link", "out.txt"]


@pytest.mark.parametrize(("form", "mode"), [("prometheus", 0o644), ("json", 0o600), ("html", 0o600)])
def test_metrics_can_be_read_by_who_collects_them(form: str, mode: int, saved: str, tmp_path: Path) -> None:
    target = tmp_path / "result"
    command = [sys.executable, "-m", "dockersweep", "report", "--inventory", saved, "--format", form, "-o", str(target)]
    subprocess.run(command, umask=0o077, check=True, timeout=60)
    assert stat.S_IMODE(target.stat().st_mode) == mode
    # As an earlier version left it.
    target.chmod(0o600)
    subprocess.run(command, umask=0o077, check=True, timeout=60)
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_a_file_that_cannot_be_written_is_said_before_anything_is_removed() -> None:
    with fake_engine() as engine:
        with_containers(engine, "web")
        run = dockersweep("sweep", "--yes", "--older-than", "0s", "-o", "/none/x", "--no-ledger", host=engine.url)
        assert engine.asked == []
    assert (run.status, run.stderr) == (2, "dockersweep: /none/x cannot be written: No such file or directory\n")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("{tmp}", "Is a directory"),
        ("{tmp}/inventory.json/x", "Not a directory"),
        ("{tmp}/loop", "loop"),
        ("{tmp}/" + "x" * 300, "File name too long"),
    ],
)
def test_a_place_that_is_none_is_said_before_anything_is_removed(saved: str, path: str, message: str) -> None:
    folder = Path(saved).parent
    (folder / "loop").symlink_to(folder / "loop")
    with fake_engine() as engine:
        flags = ["--yes", "--older-than", "0s", "--no-ledger", "-o", path.format(tmp=folder)]
        run = dockersweep("sweep", *flags, host=engine.url)
        assert engine.asked == []
    assert (run.status, run.stdout) == (2, "")
    assert message in run.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("arguments", ["--help", "plan --inventory {saved}", "sweep -H unix:///none"])
def test_closed_streams_are_no_traceback(saved: str, closed: str, arguments: str) -> None:
    command = f"{sys.executable} -m dockersweep {arguments.format(saved=saved)} {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == (4 if "sweep" in arguments else 0)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("target", [">/dev/full", "| true"])
def test_help_that_nobody_reads_is_no_traceback(target: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m dockersweep --help {target}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_has_seen_enough_is_no_error(saved: str) -> None:
    command = f"{sys.executable} -m dockersweep plan --verbose --inventory {saved} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def test_a_full_disk_is_said(saved: str) -> None:
    command = f"{sys.executable} -m dockersweep report --inventory {saved} > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "dockersweep: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("plan --inventory {saved} --nope", 2),
        ("plan --inventory none", 2),
        ("plan -H unix:///none", 5),
        ("plan --inventory {saved} --older-than 1d --older-than 2d", 0),
        ("plan --inventory {saved} --format csv", 0),
        ("explain web --inventory {saved} --format csv", 0),
        ("scan --inventory {saved} --format csv", 0),
        ("history", 0),
        ("history verify", 0),
        ("policy check --policy tests/situations/laptop.toml", 0),
        ("plan --inventory {saved} --older-than 0s --exit-code -o /dev/null", 10),
    ],
)
def test_what_nobody_takes_on_standard_error_changes_no_status(tmp_path: Path, arguments: str, status: int) -> None:
    warned = inventory(container("web", size=None), warnings=[ScanWarning(about="sizes", text="it hung")])
    words = arguments.format(saved=write_inventory(tmp_path, warned))
    command = f"{sys.executable} -m dockersweep {words} 2>/dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert done.returncode == status


def test_a_terminal_of_another_encoding_gets_codes_instead_of_a_traceback(tmp_path: Path) -> None:
    file = write_inventory(tmp_path, inventory(container("日本語")))
    run = dockersweep("scan", "--inventory", file, PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    assert run.status == 0
    assert "\\u65e5\\u672c\\u8a9e" in run.stdout
