"""A ledger that is damaged is set aside, one that is newer is left as it is, and no run is stopped by either."""

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from dockersweep.errors import LedgerError
from dockersweep.ledger import FILE_NAME, Ledger, opening
from dockersweep.ledger.check import find_problems
from dockersweep.ledger.reading import read_runs
from dockersweep.ledger.schema import VERSION
from tests.ledger.past_runs import PLAN, SEEN, START, aside, full_ledger, run_at_once, whole_run
from tests.rig.inventories import NOW


def test_a_damaged_file_is_said_and_kept_under_another_name(tmp_path: Path) -> None:
    damaged = b"no database" * 1000
    (tmp_path / FILE_NAME).write_bytes(damaged)
    with Ledger(tmp_path) as ledger:
        seen = ledger.update_objects(SEEN, (), NOW)
    [name] = aside(tmp_path)
    datetime.strptime(name, f"{FILE_NAME}.damaged-%Y%m%dT%H%M%S%z")
    assert (tmp_path / name).read_bytes() == damaged
    assert ledger.problem == (
        f"{tmp_path / FILE_NAME} is damaged (file is not a database); it is kept as {tmp_path / name}, "
        "and the next run begins a new one; this run goes on without a ledger"
    )
    assert [(one.about, one.text) for one in seen.warnings] == [
        ("ledger", f"{ledger.problem}; what was first seen when is not known")
    ]
    assert not (tmp_path / FILE_NAME).exists()
    assert whole_run(tmp_path) is None


def test_no_file_that_was_set_aside_is_replaced_by_another(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / FILE_NAME).write_bytes(b"%d no database" % number * 1000)
        Ledger(tmp_path).close()
    contents = {(tmp_path / name).read_bytes()[:1] for name in aside(tmp_path)}
    assert contents == {b"0", b"1", b"2"}


def test_a_newer_file_is_left_as_it_is_for_the_dockersweep_that_wrote_it(tmp_path: Path) -> None:
    file = full_ledger(tmp_path)
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
        database.execute("CREATE TABLE of_tomorrow (a INTEGER)")
        database.commit()
    newer = f"was written by a newer dockersweep (version {VERSION + 1})"
    with pytest.raises(LedgerError, match=re.escape(newer)):
        read_runs(tmp_path, None)
    assert newer in (find_problems(tmp_path) or ("",))[0]
    before = file.read_bytes()
    with Ledger(tmp_path) as ledger:
        assert ledger.problem == f"{file} {newer}; it is left where it is; this run goes on without a ledger"
        seen = ledger.update_objects(SEEN, (), NOW)
        assert [one.about for one in seen.warnings] == ["ledger"]
        assert seen.watched is None
    assert aside(tmp_path) == []
    assert file.read_bytes() == before
    with pytest.raises(LedgerError, match=re.escape("it is left where it is")):
        Ledger(tmp_path, required=True)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("DROP TABLE outcomes", "no table outcomes"),
        ("DROP INDEX open_runs", "no index open_runs"),
        ("ALTER TABLE marks ADD COLUMN more", "another table marks"),
        ("PRAGMA user_version = 2", "already exists"),
        ("PRAGMA user_version = 0", "holds tables that are not dockersweep's"),
        ("PRAGMA user_version = -3", "there is no version -3"),
    ],
)
def test_tables_that_are_not_those_of_the_version_are_damage(tmp_path: Path, change: str, what: str) -> None:
    with closing(sqlite3.connect(full_ledger(tmp_path))) as database, database:
        database.execute(change)
    with Ledger(tmp_path) as ledger:
        assert what in (ledger.problem or "")
    assert len(aside(tmp_path)) == 1


def test_rows_that_no_version_wrote_are_damage(tmp_path: Path) -> None:
    for change in ("UPDATE objects SET first_seen = 'x'", "UPDATE objects SET first_seen_unused = 1 << 62"):
        with closing(sqlite3.connect(full_ledger(tmp_path))) as database, database:
            database.execute(change)
        with Ledger(tmp_path) as ledger:
            assert ledger.update_objects(SEEN, (), NOW).marks is None
            assert "is damaged (" in (ledger.problem or "")
    # Nothing that is beside them: they were closed before they got another name.
    assert len(aside(tmp_path)) == 2


def test_damage_that_is_found_during_a_run_ends_the_ledger_and_not_the_run(tmp_path: Path) -> None:
    file = full_ledger(tmp_path)
    with Ledger(tmp_path) as ledger:
        run = ledger.begin(START)
        with closing(sqlite3.connect(file)) as database:
            [page] = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'removals'").fetchone()
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(file, "r+b") as opened:
            opened.seek((page - 1) * 4096)
            opened.write(b"\xff" * 4096)
        run.plan(PLAN, SEEN)
        assert "is damaged (database disk image is malformed)" in (ledger.problem or "")
        run.finish(0, NOW, None, None)
        assert ledger.begin(START).number is None
    assert len(aside(tmp_path)) == 1


def test_damage_anywhere_never_stops_a_run(tmp_path: Path) -> None:
    whole = full_ledger(tmp_path / "whole").read_bytes()
    found = 0
    for number, offset in enumerate(range(0, len(whole), 2_777)):
        folder = tmp_path / str(number)
        folder.mkdir()
        damaged = bytearray(whole)
        damaged[offset : offset + 64] = bytes(byte ^ 0xA5 for byte in damaged[offset : offset + 64])
        (folder / FILE_NAME).write_bytes(damaged)
        find_problems(folder)
        with contextlib.suppress(LedgerError):
            read_runs(folder, None)
        problem = whole_run(folder)
        found += problem is not None
        assert (problem is None) == (aside(folder) == []), problem
    assert found >= 3


def test_a_ledger_cut_short_never_stops_a_run(tmp_path: Path) -> None:
    whole = full_ledger(tmp_path / "whole").read_bytes()
    for length in (0, 1, 99, 4096, 5000, len(whole) // 2, len(whole) - 4096):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / FILE_NAME).write_bytes(whole[:length])
        problem = whole_run(folder)
        assert (problem is None) == (aside(folder) == []), problem
        # To SQLite a file that ends in its header may be an empty one.
        assert problem is not None or length < 100


HOLD = """
import sys, time
from pathlib import Path
from dockersweep.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
assert ledger.problem is None
print("open", flush=True)
sys.stdin.readline()
ledger.close()
"""


@contextlib.contextmanager
def another_process(folder: Path) -> Iterator[None]:
    """Have the ledger open in another process, and closed at the end."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield


def test_a_damaged_file_that_another_process_has_open_stays_where_it_is(tmp_path: Path) -> None:
    file = full_ledger(tmp_path)
    with another_process(tmp_path):
        with open(file, "r+b") as opened:
            opened.write(b"no database at all")
        with Ledger(tmp_path) as ledger:
            assert "it is left where it is, because another process has it open" in (ledger.problem or "")
        assert aside(tmp_path) == []
    assert whole_run(tmp_path) is not None
    assert len([name for name in aside(tmp_path) if not name.endswith(("-wal", "-shm"))]) == 1
    assert whole_run(tmp_path) is None


SET_ASIDE = """
import sys
from pathlib import Path
from dockersweep.ledger import Ledger
sys.stdin.readline()
for _ in range(20):
    Ledger(Path(sys.argv[1])).close()
"""


def test_processes_that_find_the_damage_at_once_set_it_aside_once(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1000)
    run_at_once(SET_ASIDE, *[(str(tmp_path),)] * 3)
    assert len(aside(tmp_path)) == 1
    assert find_problems(tmp_path) == ()


def test_a_file_that_is_new_already_is_not_set_aside_in_place_of_the_damaged(tmp_path: Path) -> None:
    file = opening.LedgerFile(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        file.open()
    os.rename(tmp_path / FILE_NAME, tmp_path / "elsewhere")
    assert file.set_aside() == "another run has set it aside meanwhile"
    full_ledger(tmp_path)
    assert file.set_aside() == "another run has set it aside meanwhile"
    assert aside(tmp_path) == []
