"""The file of the ledger: older versions, damage, other versions, and disks that are full or read-only."""

import contextlib
import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.errors import LedgerError
from dockersweep.ledger import FILE_NAME, Memory, find_problems, opening, read_object, read_runs, schema
from dockersweep.model.history import ShareSize
from dockersweep.model.inventory import Mark
from dockersweep.model.naming import engine_identity
from tests.inventories import ENGINE, NOW, image, inventory, volume
from tests.test_ledger_runs import PLAN, SEEN, START, outcome

FIRST_VERSION = """
CREATE TABLE IF NOT EXISTS seen (
    engine TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    first_seen_unused INTEGER,
    PRIMARY KEY (engine, kind, id)
) WITHOUT ROWID;
"""
SECOND_VERSION = f"""{FIRST_VERSION}
CREATE TABLE IF NOT EXISTS layers (
    engine TEXT NOT NULL,
    id TEXT NOT NULL,
    told BLOB NOT NULL,
    PRIMARY KEY (engine, id)
) WITHOUT ROWID
"""
AT = int(NOW.timestamp()) - 1000


def old_ledger(folder: Path, version: int) -> Path:
    """A ledger as the older version wrote it, with what it remembered of three engines."""
    file = folder / FILE_NAME
    with closing(sqlite3.connect(file)) as database:
        database.executescript(
            f"BEGIN IMMEDIATE; {(FIRST_VERSION, SECOND_VERSION)[version - 1]}; PRAGMA user_version = {version}; COMMIT"
        )
        rows = [
            (engine_identity(ENGINE), "image", "sha256:a", AT, AT + 500),
            (engine_identity(ENGINE), "volume", "v", AT + 700, None),
            ("another", "image", "sha256:a", 5, None),
        ]
        database.executemany("INSERT INTO seen VALUES (?, ?, ?, ?, ?)", rows)
        if version == 2:
            layers = [(engine_identity(ENGINE), "layer:a", b"\x00\xff"), ("layers alone", "layer:b", b"1")]
            database.executemany("INSERT INTO layers VALUES (?, ?, ?)", layers)
        database.commit()
    return file


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_version_is_brought_up_with_all_it_remembered(tmp_path: Path, version: int) -> None:
    old_ledger(tmp_path, version)
    with Memory(tmp_path) as memory:
        assert memory.problem is None
        assert memory.is_known(ENGINE)
        assert memory.layers(ENGINE) == ({"layer:a": b"\x00\xff"} if version == 2 else {})
        seen = memory.remember(inventory(image("a"), volume("w")), (), NOW)
    one = seen.images[0]
    assert [at and int(at.timestamp()) for at in (one.first_seen_at, one.first_seen_unused_at)] == [AT, AT + 500]
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        assert database.execute("SELECT id, names, first_seen, last_seen FROM former_objects").fetchall() == [
            ("v", None, AT + 700, AT + 700)
        ]
        told = dict(database.execute("SELECT identity, looked_at FROM engines"))
        assert told["another"] == 5
        assert told.get("layers alone") is None
        assert schema.what_differs(database) is None
    assert find_problems(tmp_path) == ()


def test_an_older_version_has_no_runs_and_is_not_changed_by_reading(tmp_path: Path) -> None:
    file = old_ledger(tmp_path, 2)
    before = file.read_bytes()
    assert read_runs(tmp_path, None).runs == ()
    assert read_object(tmp_path, "sha256:a", None).lives == ()
    assert find_problems(tmp_path) == ()
    assert (file.read_bytes(), os.listdir(tmp_path)) == (before, [FILE_NAME])


SIZES_OF_THIRD = """
CREATE TABLE sizes (
    engine INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    objects INTEGER NOT NULL,
    size_bytes INTEGER,
    unused_objects INTEGER NOT NULL,
    unused_bytes INTEGER,
    PRIMARY KEY (engine, at, kind)
) WITHOUT ROWID"""


def test_sizes_that_do_not_tell_what_they_counted_are_left_behind_and_all_else_is_kept(tmp_path: Path) -> None:
    with Memory(tmp_path) as memory:
        memory.begin(START).finish(0, NOW, None, None)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        database.executescript(
            f"DROP TABLE forgotten; DROP TABLE refusals; DROP TABLE sizes; {SIZES_OF_THIRD};"
            "INSERT INTO sizes VALUES (1, 5, 'image', 1, 2, 3, 4);"
            "PRAGMA user_version = 3"
        )
    with Memory(tmp_path) as memory:
        assert memory.problem is None
        assert memory.sizes(ENGINE, "disk") == ()
        memory.keep_sizes([ShareSize(share="image", base="disk", objects=1, size_bytes=2)], ENGINE, NOW)
        assert len(memory.sizes(ENGINE, "disk")) == 1
    assert find_problems(tmp_path) == ()
    assert len(read_runs(tmp_path, None).runs) == 1


KILLED_IN_A_STEP = """
import os, signal, sys
from pathlib import Path
from dockersweep.ledger import Memory, schema
def steps(before):
    yield from before[: int(sys.argv[2])]
    os.kill(os.getpid(), signal.SIGKILL)
schema.MIGRATIONS[3] = steps(list(schema.MIGRATIONS[3]))
Memory(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("steps", [3, -1])
def test_who_is_killed_while_it_changes_the_version_leaves_the_older(tmp_path: Path, steps: int) -> None:
    old_ledger(tmp_path, 2)
    done = subprocess.run([sys.executable, "-c", KILLED_IN_A_STEP, str(tmp_path), str(steps)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        assert schema.version_of(database) == 2
        assert database.execute("SELECT count(*) FROM seen").fetchone() == (3,)
    with Memory(tmp_path) as memory:
        assert (memory.problem, memory.is_known(ENGINE)) == (None, True)


def full_ledger(folder: Path) -> Path:
    """A ledger with something in every table."""
    with Memory(folder) as memory:
        memory.remember(SEEN, (), NOW)
        memory.remember(replace(SEEN, volumes=()), (), NOW)
        memory.keep_layers(ENGINE, {"layer:a": b"1"})
        memory.mark(ENGINE, [Mark(kind="network", id="net-n", rule="r", terms="t", marked_at=NOW)], [("r", "t")], NOW)
        run = memory.begin(START)
        run.plan(PLAN, SEEN)
        for removal in PLAN.removals:
            run.sending(removal)
            run.ended(removal, outcome(removal, "failed"))
        run.finish(3, NOW, None, None)
    return folder / FILE_NAME


def whole_run(folder: Path) -> str | None:
    """Make every call of a run, none of which may raise anything; return what it said."""
    with Memory(folder) as memory:
        memory.layers(ENGINE)
        memory.keep_layers(ENGINE, {"layer:b": b"1"})
        memory.remember(SEEN, (), NOW)
        memory.is_known(ENGINE)
        for run in memory.unfinished(ENGINE):
            memory.settle(run.number, ())
        memory.mark(ENGINE, (), [("r", "t")], NOW)
        record = memory.begin(START)
        memory.looked_at(ENGINE, NOW)
        record.plan(PLAN, SEEN)
        memory.failed_before(ENGINE, PLAN.removals)
        for removal in PLAN.removals:
            record.sending(removal)
            record.ended(removal, outcome(removal))
        record.finish(0, NOW, None, None)
        memory.forget_before(NOW)
        return memory.problem


def aside(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name.startswith(f"{FILE_NAME}."))


def test_a_damaged_file_is_said_and_kept_under_another_name(tmp_path: Path) -> None:
    damaged = b"no database" * 1000
    (tmp_path / FILE_NAME).write_bytes(damaged)
    with Memory(tmp_path) as memory:
        seen = memory.remember(SEEN, (), NOW)
    [name] = aside(tmp_path)
    datetime.strptime(name, f"{FILE_NAME}.damaged-%Y%m%dT%H%M%S%z")
    assert (tmp_path / name).read_bytes() == damaged
    assert memory.problem == (
        f"{tmp_path / FILE_NAME} is damaged (file is not a database); it is kept as {tmp_path / name}, "
        "and the next run begins a new one; this run goes on without a ledger"
    )
    assert [(one.about, one.text) for one in seen.warnings] == [
        ("ledger", f"{memory.problem}; what was first seen when is not known")
    ]
    assert not (tmp_path / FILE_NAME).exists()
    assert whole_run(tmp_path) is None


def test_no_file_that_was_set_aside_is_replaced_by_another(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / FILE_NAME).write_bytes(b"%d no database" % number * 1000)
        Memory(tmp_path).close()
    contents = {(tmp_path / name).read_bytes()[:1] for name in aside(tmp_path)}
    assert contents == {b"0", b"1", b"2"}


def test_a_newer_file_is_kept_under_another_name(tmp_path: Path) -> None:
    file = full_ledger(tmp_path)
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(LedgerError, match="was written by a newer dockersweep"):
        read_runs(tmp_path, None)
    assert "was written by a newer dockersweep (version 9)" in (find_problems(tmp_path) or ("",))[0]
    assert file.exists()
    with Memory(tmp_path) as memory:
        assert "was written by a newer dockersweep (version 9); it is kept as " in (memory.problem or "")
    [name] = aside(tmp_path)
    assert ".newer-" in name
    assert whole_run(tmp_path) is None


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
    with Memory(tmp_path) as memory:
        assert what in (memory.problem or "")
    assert len(aside(tmp_path)) == 1


def test_rows_that_no_version_wrote_are_damage(tmp_path: Path) -> None:
    for change in ("UPDATE objects SET first_seen = 'x'", "UPDATE objects SET first_seen_unused = 1 << 62"):
        with closing(sqlite3.connect(full_ledger(tmp_path))) as database, database:
            database.execute(change)
        with Memory(tmp_path) as memory:
            assert memory.remember(SEEN, (), NOW).marks is None
            assert "is damaged (" in (memory.problem or "")
    # Nothing that is beside them: they were closed before they got another name.
    assert len(aside(tmp_path)) == 2


def test_damage_that_is_found_during_a_run_ends_the_ledger_and_not_the_run(tmp_path: Path) -> None:
    file = full_ledger(tmp_path)
    with Memory(tmp_path) as memory:
        run = memory.begin(START)
        with closing(sqlite3.connect(file)) as database:
            [page] = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'removals'").fetchone()
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(file, "r+b") as opened:
            opened.seek((page - 1) * 4096)
            opened.write(b"\xff" * 4096)
        run.plan(PLAN, SEEN)
        assert "is damaged (database disk image is malformed)" in (memory.problem or "")
        run.finish(0, NOW, None, None)
        assert memory.begin(START).number is None
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
from dockersweep.ledger import Memory
memory = Memory(Path(sys.argv[1]))
assert memory.problem is None
print("open", flush=True)
sys.stdin.readline()
memory.close()
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
        with Memory(tmp_path) as memory:
            assert "it is left where it is, because another process has it open" in (memory.problem or "")
        assert aside(tmp_path) == []
    assert whole_run(tmp_path) is not None
    assert len([name for name in aside(tmp_path) if not name.endswith(("-wal", "-shm"))]) == 1
    assert whole_run(tmp_path) is None


SET_ASIDE = """
import sys
from pathlib import Path
from dockersweep.ledger import Memory
sys.stdin.readline()
for _ in range(20):
    Memory(Path(sys.argv[1])).close()
"""


def test_processes_that_find_the_damage_at_once_set_it_aside_once(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1000)
    command = [sys.executable, "-c", SET_ASIDE, str(tmp_path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert len(aside(tmp_path)) == 1
    assert find_problems(tmp_path) == ()


def test_a_file_that_is_new_already_is_not_set_aside_in_place_of_the_damaged(tmp_path: Path) -> None:
    file = opening.LedgerFile(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        file.open()
    os.rename(tmp_path / FILE_NAME, tmp_path / "elsewhere")
    assert file.set_aside("damaged") == "another run has set it aside meanwhile"
    full_ledger(tmp_path)
    assert file.set_aside("damaged") == "another run has set it aside meanwhile"
    assert aside(tmp_path) == []


def test_a_busy_file_is_said_and_not_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    file = full_ledger(tmp_path)
    with Memory(tmp_path) as memory, closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        memory.looked_at(ENGINE, NOW)
        assert memory.problem == f"{file} cannot be used: database is locked; this run goes on without a ledger"
        # Who only reads does not wait.
        assert len(read_runs(tmp_path, None).runs) == 1
    assert aside(tmp_path) == []


def test_a_folder_that_another_process_holds_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with Memory(tmp_path) as memory:
        assert "another process holds its folder" in (memory.problem or "")
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
from dockersweep.ledger import Memory, find_problems, read_runs
from tests.inventories import ENGINE, NOW, inventory, volume
from tests.test_ledger_runs import PLAN, SEEN, START, outcome
folder = Path(sys.argv[1])
with Memory(folder) as memory:
    run = memory.begin(START)
    (folder / "filler").write_bytes(b"x" * 40_000)
    try:
        with open(folder / "more", "wb") as file:
            file.write(b"x" * 10_000_000)
    except OSError:
        pass
    for number in range(50):
        run.plan(PLAN, SEEN)
    print(memory.problem)
    run.sending(PLAN.removals[0])
    run.finish(0, NOW, None, None)
try:
    Memory(folder, required=True).keep_layers(ENGINE, {"layer:a": b"x" * 100_000})
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
from dockersweep.ledger import Memory, find_problems, read_runs
folder = Path(sys.argv[1])
with Memory(folder) as memory:
    print(memory.problem)
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
    memory = Memory(tmp_path, required=True)
    run = memory.begin(START)
    run.plan(PLAN, SEEN)
    with pytest.raises(LedgerError, match="is damaged"):
        memory.remember(SEEN, (), NOW)
    for _ in range(2):
        with pytest.raises(LedgerError, match="is damaged"):
            run.sending(PLAN.removals[0])
