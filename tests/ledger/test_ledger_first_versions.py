"""Ledgers of the versions before the fourth, which knew no runs: brought up, also by who is killed meanwhile."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dockersweep.ledger import FILE_NAME, Ledger, schema
from dockersweep.ledger.check import find_problems
from dockersweep.ledger.reading import read_object, read_runs
from dockersweep.model.history import ShareSize
from dockersweep.model.naming import engine_identity
from tests.ledger.past_runs import START, run_until_killed
from tests.rig.inventories import ENGINE, NOW, image, inventory, volume

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
    with Ledger(tmp_path) as ledger:
        assert ledger.problem is None
        assert ledger.is_known(ENGINE)
        assert ledger.layers(ENGINE) == ({"layer:a": b"\x00\xff"} if version == 2 else {})
        seen = ledger.update_objects(inventory(image("a"), volume("w")), (), NOW)
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
    with Ledger(tmp_path) as ledger:
        ledger.begin(START).finish(0, NOW, None, None)
    later = set(schema.TABLES) - set(schema.OF_THIRD) | {"sizes"}
    dropped = "; ".join(f"DROP TABLE {name}" for name in sorted(later))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        database.executescript(
            f"{dropped}; {SIZES_OF_THIRD};INSERT INTO sizes VALUES (1, 5, 'image', 1, 2, 3, 4); PRAGMA user_version = 3"
        )
    with Ledger(tmp_path) as ledger:
        assert ledger.problem is None
        assert ledger.sizes(ENGINE, "disk") == ()
        ledger.keep_sizes([ShareSize(share="image", base="disk", objects=1, size_bytes=2)], ENGINE, NOW)
        assert len(ledger.sizes(ENGINE, "disk")) == 1
    assert find_problems(tmp_path) == ()
    assert len(read_runs(tmp_path, None).runs) == 1


KILLED_IN_A_STEP = """
import os, signal, sys
from pathlib import Path
from dockersweep.ledger import Ledger, migrations
def steps(before):
    yield from before[: int(sys.argv[2])]
    os.kill(os.getpid(), signal.SIGKILL)
migrations.MIGRATIONS[3] = steps(list(migrations.MIGRATIONS[3]))
Ledger(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("steps", [3, -1])
def test_who_is_killed_while_it_changes_the_version_leaves_the_older(tmp_path: Path, steps: int) -> None:
    old_ledger(tmp_path, 2)
    run_until_killed(KILLED_IN_A_STEP, str(tmp_path), str(steps))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        assert schema.version_of(database) == 2
        assert database.execute("SELECT count(*) FROM seen").fetchone() == (3,)
    with Ledger(tmp_path) as ledger:
        assert (ledger.problem, ledger.is_known(ENGINE)) == (None, True)
