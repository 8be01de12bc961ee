"""The file of the ledger where it cannot be used: busy, held, on a full disk or a read-only one."""

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from dockersweep.errors import LedgerError
from dockersweep.ledger import FILE_NAME, Ledger, opening
from dockersweep.ledger.reading import read_runs
from tests.ledger.past_runs import PLAN, SEEN, START, aside, full_ledger, whole_run
from tests.rig.inventories import ENGINE, NOW


def test_a_busy_file_is_said_and_not_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    file = full_ledger(tmp_path)
    with Ledger(tmp_path) as ledger, closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger.looked_at(ENGINE, NOW)
        assert ledger.problem == f"{file} cannot be used: database is locked; this run goes on without a ledger"
        # Who only reads does not wait.
        assert len(read_runs(tmp_path, None).runs) == 1
    assert aside(tmp_path) == []


def test_a_folder_that_another_process_holds_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with Ledger(tmp_path) as ledger:
        assert "another process holds its folder" in (ledger.problem or "")
    os.close(folder)
    assert whole_run(tmp_path) is None


def test_who_waits_for_the_folder_goes_on_when_it_is_free(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    timer = threading.Timer(0.05, os.close, [folder])
    timer.start()
    assert whole_run(tmp_path) is None
    timer.join()


def mounted(folder: Path, size: str, then: str, script: str) -> str:
    """Run Python with a file system of its own on a folder; return what it writes."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("mounting needs root and unshare")
    folder.mkdir(exist_ok=True)
    mount = 'mount -t tmpfs -o "$4" tmpfs "$1" && cp -r "$1.before/." "$1/" && mount -o "$5" "$1"'
    arguments = [str(folder), sys.executable, script, f"size={size}", f"remount,{then}"]
    command = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$2" -c "$3" "$1"', "sh", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


FULL = """
import os, sys
from pathlib import Path
from dockersweep.errors import LedgerError
from dockersweep.ledger import Ledger
from dockersweep.ledger.check import find_problems
from dockersweep.ledger.reading import read_runs
from tests.rig.inventories import ENGINE, NOW, inventory, volume
from tests.ledger.past_runs import PLAN, SEEN, START, outcome
folder = Path(sys.argv[1])
with Ledger(folder) as ledger:
    run = ledger.begin(START)
    (folder / "filler").write_bytes(b"x" * 40_000)
    try:
        with open(folder / "more", "wb") as file:
            file.write(b"x" * 10_000_000)
    except OSError:
        pass
    for number in range(50):
        run.plan(PLAN, SEEN)
    print(ledger.problem)
    run.sending(PLAN.removals[0])
    run.finish(0, NOW, None, None)
try:
    Ledger(folder, required=True).keep_layers(ENGINE, {"layer:a": b"x" * 100_000})
except LedgerError as error:
    print(error)
(folder / "filler").unlink()
(folder / "more").unlink()
print(find_problems(folder), [run.state for run in read_runs(folder, None).runs])
print([name for name in os.listdir(folder) if "damaged" in name])
"""


def test_a_full_disk_is_said_and_not_taken_for_damage(tmp_path: Path) -> None:
    full_ledger(tmp_path / "disk.before")
    first, second, third, fourth = mounted(tmp_path / "disk", "512k", "rw", FULL).splitlines()
    file = tmp_path / "disk" / FILE_NAME
    assert first == f"{file} cannot be used: database or disk is full; this run goes on without a ledger"
    assert second.startswith(f"{file} cannot be used: ")
    assert (third, fourth) == ("() ['running', 'ended']", "[]")


READ_ONLY = """
import os, sys
from pathlib import Path
from dockersweep.ledger import Ledger
from dockersweep.ledger.check import find_problems
from dockersweep.ledger.reading import read_runs
folder = Path(sys.argv[1])
with Ledger(folder) as ledger:
    print(ledger.problem)
print(find_problems(folder), [run.state for run in read_runs(folder, None).runs], sorted(os.listdir(folder)))
"""


def test_a_read_only_file_system_is_said_and_can_still_be_read(tmp_path: Path) -> None:
    full_ledger(tmp_path / "disk.before")
    problem, rest = mounted(tmp_path / "disk", "1m", "ro", READ_ONLY).splitlines()
    assert problem.startswith(f"{tmp_path / 'disk' / FILE_NAME} cannot be used: ")
    assert rest == f"() ['ended'] ['{FILE_NAME}']"


def test_what_is_required_and_cannot_be_written_is_an_error_at_every_call(tmp_path: Path) -> None:
    with closing(sqlite3.connect(full_ledger(tmp_path))) as database, database:
        database.execute("UPDATE objects SET first_seen = 'x'")
    ledger = Ledger(tmp_path, required=True)
    run = ledger.begin(START)
    run.plan(PLAN, SEEN)
    with pytest.raises(LedgerError, match="is damaged"):
        ledger.update_objects(SEEN, (), NOW)
    for _ in range(2):
        with pytest.raises(LedgerError, match="is damaged"):
            run.sending(PLAN.removals[0])
