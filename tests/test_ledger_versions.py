"""Ledgers that older versions with runs wrote, dumped from their files: read, verified, and brought up."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.ledger import FILE_NAME, Memory, find_problems, read_object, read_run, read_runs, schema
from dockersweep.model.outcome import Reclaimed
from tests.inventories import ENGINE, NOW, inventory, volume
from tests.test_ledger_runs import PLAN, SEEN, START, document

LEDGERS = Path(__file__).parent / "ledgers"
DAY = timedelta(days=1)
OTHER = replace(ENGINE, id="OTHER")


def written_by(version: int, folder: Path) -> Path:
    """The ledger that this version wrote: three runs of ENGINE that freed 40 bytes, an unknown number and 2, and one of
    OTHER that freed 7; with something in every table."""
    file = folder / FILE_NAME
    with closing(sqlite3.connect(file)) as database:
        database.executescript((LEDGERS / f"version-{version}.sql").read_text(encoding="utf-8"))
        database.execute(f"PRAGMA user_version = {version}")
    return file


@pytest.mark.parametrize(("version", "freed"), [(4, 42), (5, 45)])
def test_an_older_version_is_brought_up_with_all_it_remembered(tmp_path: Path, version: int, freed: int) -> None:
    written_by(version, tmp_path)
    with Memory(tmp_path) as memory:
        assert memory.problem is None
        assert memory.is_known(ENGINE)
        assert memory.layers(ENGINE) == {"layer:a": b"\x00\xff"}
        assert len(memory.sizes(ENGINE, "disk")) == 3
        assert [memory.last_run(engine)[1] for engine in (ENGINE, OTHER)] == [freed, 7]
        seen = memory.remember(inventory(volume("w")), (), NOW + 3 * DAY)
        assert [(one.first_seen_at, one.first_seen_unused_at) for one in seen.volumes] == [(NOW, NOW)]
        assert [mark.id for mark in seen.marks or ()] == ["w"]
        assert seen.refusals == ()
    assert [run.number for run in read_runs(tmp_path, None).runs] == [4, 3, 2, 1]
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        assert (schema.version_of(database), schema.what_differs(database)) == (schema.VERSION, None)
    assert find_problems(tmp_path) == ()


@pytest.mark.parametrize("version", [4, 5])
def test_runs_of_an_older_version_are_told_before_a_run_brings_it_up(tmp_path: Path, version: int) -> None:
    file = written_by(version, tmp_path)
    before = file.read_bytes()
    assert [run.measured_bytes for run in read_runs(tmp_path, None).runs] == [7, 2, None, 40]
    assert [one.status for one in read_run(tmp_path, 1).removals] == ["removed", "failed"]
    assert [one.is_there for one in read_object(tmp_path, "v0", None).lives] == [False]
    assert find_problems(tmp_path) == ()
    assert file.read_bytes() == before
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE runs SET engine = 9 WHERE number = 2")
    assert find_problems(tmp_path) == ("run 2 is of no engine",)


@pytest.mark.parametrize("begins_with", [4, schema.VERSION])
def test_what_all_runs_gave_back_never_falls_when_runs_are_forgotten(tmp_path: Path, begins_with: int) -> None:
    written_by(4, tmp_path)
    if begins_with == schema.VERSION:
        Memory(tmp_path).close()
    told = []
    with Memory(tmp_path) as memory:
        for day in range(6):
            at = NOW + day * DAY
            run = memory.begin(replace(START, started_at=at))
            reclaimed = Reclaimed(low_bytes=1, high_bytes=1, measured_bytes=1)
            run.finish(0, at, replace(document(), reclaimed=reclaimed), None)
            before = memory.last_run(ENGINE)[1]
            memory.forget_before(at + timedelta(seconds=1))
            # Once more, which forgets nothing more.
            memory.forget_before(at + timedelta(seconds=1))
            told += [before, memory.last_run(ENGINE)[1]]
        assert memory.problem is None
        assert memory.last_run(OTHER)[1] == 7
    assert read_runs(tmp_path, None).runs == ()
    assert told == [43, 43, 44, 44, 45, 45, 46, 46, 47, 47, 48, 48]


def test_what_a_run_gave_back_that_has_something_in_hand_is_counted_once(tmp_path: Path) -> None:
    with Memory(tmp_path) as memory:
        run = memory.begin(START)
        run.plan(PLAN, SEEN)
        run.sending(PLAN.removals[0])
        run.finish(1, NOW, document(), None)
        for _ in range(2):
            memory.forget_before(NOW + DAY)
            assert memory.last_run(ENGINE)[1] == 12
        assert len(read_runs(tmp_path, None).runs) == 1
        memory.settle(1, ())
        memory.forget_before(NOW + DAY)
        assert memory.last_run(ENGINE) == (None, 12)
