"""Ledgers that older versions with runs wrote, dumped from their files: read, verified, and brought up."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.ledger import FILE_NAME, Ledger, schema
from dockersweep.ledger.check import find_problems
from dockersweep.ledger.reading import read_object, read_run, read_runs
from dockersweep.model.event_reading import EventMark, EventPosition, NoticedUses
from dockersweep.model.inventory import ObjectRef
from dockersweep.model.last_use import PastUse, Span
from dockersweep.model.outcome import Reclaimed
from tests.ledger.past_runs import PLAN, SEEN, START, document
from tests.rig.inventories import ENGINE, NOW, inventory, volume

LEDGERS = Path(__file__).parent / "ledgers"
DAY = timedelta(days=1)
OTHER = replace(ENGINE, id="OTHER")
POSITION = EventPosition(ends_at=NOW, anchor=EventMark(at_nanos=1, type="volume", action="unmount", id="w"))
WATCHED = Span(begins_at=NOW - DAY, ends_at=NOW)
MOUNTED = PastUse(at=NOW, action="mounted", by="job-1", by_id="1", project="shop", service="job")


def written_by(version: int, folder: Path) -> Path:
    """The ledger that this version wrote: three runs of ENGINE that freed 40 bytes, an unknown number and 2, and one of
    OTHER that freed 7; with something in every table."""
    file = folder / FILE_NAME
    with closing(sqlite3.connect(file)) as database:
        database.executescript((LEDGERS / f"version-{version}.sql").read_text(encoding="utf-8"))
        database.execute(f"PRAGMA user_version = {version}")
    return file


@pytest.mark.parametrize(("version", "freed"), [(4, 42), (5, 45), (6, 45), (7, 45), (8, 45), (9, 45)])
def test_an_older_version_is_brought_up_with_all_it_remembered(tmp_path: Path, version: int, freed: int) -> None:
    written_by(version, tmp_path)
    with Ledger(tmp_path) as ledger:
        assert ledger.problem is None
        assert ledger.is_known(ENGINE)
        assert ledger.layers(ENGINE) == {"layer:a": b"\x00\xff"}
        assert len(ledger.sizes(ENGINE, "disk")) == 3
        assert [ledger.last_run(engine)[1] for engine in (ENGINE, OTHER)] == [freed, 7]
        # What no older version knew begins empty, and then fills.
        assert ledger.event_position(ENGINE) is None
        seen = ledger.update_objects(inventory(volume("w")), (), NOW + 3 * DAY)
        assert (seen.volumes[0].uses, seen.watched) == ((), ())
        told = NoticedUses(position=POSITION, watched=WATCHED, uses={ObjectRef(kind="volume", id="w"): (MOUNTED,)})
        seen = ledger.update_objects(inventory(volume("w")), (), NOW + 3 * DAY, noticed=told)
        assert (seen.volumes[0].uses, seen.watched, ledger.event_position(ENGINE)) == ((MOUNTED,), (WATCHED,), POSITION)
        assert [(one.first_seen_at, one.first_seen_unused_at) for one in seen.volumes] == [(NOW, NOW)]
        assert [mark.id for mark in seen.marks or ()] == ["w"]
        assert [one.text for one in seen.refusals or ()] == (["In use"] if version >= 6 else [])
    assert [run.number for run in read_runs(tmp_path, None).runs] == [4, 3, 2, 1]
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        assert (schema.version_of(database), schema.what_differs(database)) == (schema.VERSION, None)
    assert find_problems(tmp_path) == ()


def test_older_versions_tell_by_names_which_images_had_no_tag(tmp_path: Path) -> None:
    written_by(6, tmp_path)
    with Ledger(tmp_path) as ledger:
        told = {one.id: one.is_there for one in ledger.dangling_since(ENGINE, NOW - 10 * DAY)}
    assert told == {"sha256:a": True, "sha256:c": False}


@pytest.mark.parametrize("version", [4, 5, 6, 7, 8, 9])
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
        Ledger(tmp_path).close()
    told = []
    with Ledger(tmp_path) as ledger:
        for day in range(6):
            at = NOW + day * DAY
            run = ledger.begin(replace(START, started_at=at))
            reclaimed = Reclaimed(low_bytes=1, high_bytes=1, measured_bytes=1)
            run.finish(0, at, replace(document(), reclaimed=reclaimed), None)
            before = ledger.last_run(ENGINE)[1]
            ledger.forget_before(at + timedelta(seconds=1))
            # Once more, which forgets nothing more.
            ledger.forget_before(at + timedelta(seconds=1))
            told += [before, ledger.last_run(ENGINE)[1]]
        assert ledger.problem is None
        assert ledger.last_run(OTHER)[1] == 7
    assert read_runs(tmp_path, None).runs == ()
    assert told == [43, 43, 44, 44, 45, 45, 46, 46, 47, 47, 48, 48]


def test_what_a_run_gave_back_that_has_something_in_hand_is_counted_once(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        run = ledger.begin(START)
        run.plan(PLAN, SEEN)
        run.sending(PLAN.removals[0])
        run.finish(1, NOW, document(), None)
        for _ in range(2):
            ledger.forget_before(NOW + DAY)
            assert ledger.last_run(ENGINE)[1] == 12
        assert len(read_runs(tmp_path, None).runs) == 1
        ledger.settle(1, ())
        ledger.forget_before(NOW + DAY)
        assert ledger.last_run(ENGINE) == (None, 12)
