"""Events that a watcher has put into the ledger, and how they leave it."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.ledger import FILE_NAME, Ledger
from dockersweep.model.event_reading import EngineEvent, EventMark, EventPosition, Held, NoticedUses
from dockersweep.model.last_use import Span
from tests.rig.inventories import ENGINE, NOW, inventory, volume

MINUTE = timedelta(minutes=1)
THERE = inventory(volume("v"))
OTHER = replace(ENGINE, id="OTHER")
MOUNT = EngineEvent(1_000, "volume", "mount", "v", {"container": "c1"})
DIE = EngineEvent(2_000, "container", "die", "c1", {"name": "job", "image": "app:1"}, 1, Held(("v",), ("lan",)))


def position(minute: int) -> EventPosition:
    anchor = EventMark(at_nanos=minute, type="volume", action="mount", id="v")
    return EventPosition(ends_at=NOW + minute * MINUTE, anchor=anchor)


def noticed(*pending: EngineEvent, until: EventPosition | None = None) -> NoticedUses:
    return NoticedUses(position=until, watched=None, uses={}, pending=pending)


def test_what_is_recorded_comes_back_as_it_was_for_its_engine(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        assert ledger.record_events(ENGINE, [MOUNT, DIE]) == 2
        assert sorted(ledger.pending_events(ENGINE)) == [MOUNT, DIE]
        assert ledger.pending_events(OTHER) == ()
        assert ledger.problem is None


def test_of_what_repeats_the_last_is_kept_and_counted(tmp_path: Path) -> None:
    later = MOUNT._replace(at_nanos=5_000, times=3)
    with Ledger(tmp_path) as ledger:
        ledger.record_events(ENGINE, [later])
        assert ledger.record_events(ENGINE, [MOUNT]) == 1
        assert ledger.pending_events(ENGINE) == (later._replace(times=4),)


def test_a_scan_takes_what_it_made_uses_of_and_leaves_what_happened_since(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.record_events(ENGINE, [MOUNT, DIE])
        again = MOUNT._replace(at_nanos=9_000)
        taken = ledger.pending_events(ENGINE)
        ledger.record_events(ENGINE, [again])
        ledger.update_objects(THERE, (), NOW, True, noticed(*taken))
        assert [event.at_nanos for event in ledger.pending_events(ENGINE)] == [9_000]
        # Without writes nothing is taken.
        ledger.update_objects(THERE, (), NOW, False, noticed(*ledger.pending_events(ENGINE)))
        assert len(ledger.pending_events(ENGINE)) == 1


def test_the_position_only_moves_on_whoever_writes_it_last(tmp_path: Path) -> None:
    now = NOW + 10 * MINUTE
    with Ledger(tmp_path) as ledger:
        ledger.record_events(ENGINE, (), position(5), (), now)
        ledger.record_events(ENGINE, (), position(3), (), now)
        assert ledger.event_position(ENGINE) == position(5)
        ledger.update_objects(THERE, (), now, True, noticed(until=position(4)))
        assert ledger.event_position(ENGINE) == position(5)
        ledger.update_objects(THERE, (), now, True, noticed(until=position(6)))
        assert ledger.event_position(ENGINE) == position(6)
        # The clock was set back: what is in the future is none.
        ledger.record_events(ENGINE, (), position(1), (), NOW + MINUTE)
        assert ledger.event_position(ENGINE) == position(1)
        ledger.record_events(ENGINE, (), position(8), (), now)
        ledger.update_objects(THERE, (), NOW + 2 * MINUTE, True, noticed(until=position(2)))
        assert ledger.event_position(ENGINE) == position(2)


def test_what_was_watched_after_a_clock_that_was_set_back_is_forgotten(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.record_events(ENGINE, (), None, [Span(begins_at=NOW, ends_at=NOW + 60 * MINUTE)], NOW + 60 * MINUTE)
        ledger.record_events(ENGINE, (), None, (), NOW + MINUTE)
        [span] = ledger.update_objects(THERE, (), NOW + 90 * MINUTE).watched or ()
        assert span.ends_at <= NOW + MINUTE + timedelta(seconds=1)


def test_names_that_are_no_text_are_kept_too(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.record_events(ENGINE, [MOUNT._replace(id="v\udcff", at_nanos=2**70)])
        [event] = ledger.pending_events(ENGINE)
        assert (event.id, ledger.problem) == ("v\\udcff", None)


@pytest.mark.parametrize("column", ["told", "at_nanos"])
def test_a_row_that_no_version_wrote_is_damage(tmp_path: Path, column: str) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.record_events(ENGINE, [MOUNT])
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database, database:
        database.execute(f"UPDATE pending_events SET {column} = 'x'")
    with Ledger(tmp_path) as ledger:
        assert ledger.pending_events(ENGINE) == ()
        assert ledger.problem is not None
        assert "is damaged" in ledger.problem


@pytest.mark.parametrize("seconds", [-1, 0, 1])
@pytest.mark.parametrize("comes_first", [False, True])
def test_what_a_container_held_is_not_forgotten_by_who_found_it_gone(
    tmp_path: Path, seconds: int, comes_first: bool
) -> None:
    attributes = {"name": 'a "held": b'}
    known = EngineEvent(5 * 10**9, "container", "start", "c1", attributes, held=Held(("v",), ()))
    gone = EngineEvent((5 + seconds) * 10**9, "container", "start", "c1", attributes)
    with Ledger(tmp_path) as ledger:
        for event in (gone, known) if comes_first else (known, gone):
            ledger.record_events(ENGINE, [event])
        [event] = ledger.pending_events(ENGINE)
    assert (event.held, event.at_nanos, event.attributes) == (
        known.held,
        max(known.at_nanos, gone.at_nanos),
        attributes,
    )
