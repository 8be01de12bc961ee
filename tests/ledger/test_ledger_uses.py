"""What the ledger keeps of uses, and of the time for which they were noticed."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.ledger import FILE_NAME, Ledger, schema, watched
from dockersweep.model.event_reading import EventMark, EventPosition, NoticedUses
from dockersweep.model.inventory import Inventory, ObjectRef
from dockersweep.model.last_use import PastUse, Span
from tests.rig.inventories import ENGINE, NOW, inventory, volume

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LATER = NOW + 40 * DAY
THERE = inventory(volume("v"), volume("w"))
V = ObjectRef(kind="volume", id="v")


def use(minute: int, by: str | None = None, action: str = "unmounted") -> PastUse:
    return PastUse(at=NOW + minute * MINUTE, action=action, by=by, by_id=by)  # type: ignore[arg-type]


def span(begin: datetime, end: datetime, of_held: bool = True) -> Span:
    return Span(begins_at=begin, ends_at=end, of_held=of_held)


def noticed(*uses: PastUse, of: ObjectRef = V, time: Span | None = None, number: int = 1) -> NoticedUses:
    anchor = EventMark(at_nanos=number, type="volume", action="unmount", id="v")
    return NoticedUses(position=EventPosition(ends_at=NOW, anchor=anchor), watched=time, uses={of: uses})


def seen(folder: Path, told: NoticedUses | None, there: Inventory = THERE, writes: bool = True) -> Inventory:
    with Ledger(folder) as ledger:
        after = ledger.update_objects(there, (), LATER, writes, told)
        assert ledger.problem is None
        return after


def test_the_last_five_of_an_object_are_kept_and_each_container_counts_once(tmp_path: Path) -> None:
    seen(tmp_path, noticed(use(2, "job-2"), use(1, "job-1")))
    told = seen(tmp_path, noticed(*(use(minute, f"job-{minute}") for minute in (8, 7, 6, 4)), use(3, "job-1")))
    by = [(one.by, one.at) for one in told.volumes[0].uses]
    assert by == [
        (f"job-{number}", NOW + minute * MINUTE) for number, minute in ((8, 8), (7, 7), (6, 6), (4, 4), (1, 3))
    ]
    assert told.volumes[1].uses == ()
    assert seen(tmp_path, None).volumes[0].uses == told.volumes[0].uses


def test_uses_that_are_told_again_are_the_same(tmp_path: Path) -> None:
    told = noticed(use(2, "b"), use(1, "a"), use(0, None, "mounted"))
    first = seen(tmp_path, told)
    assert seen(tmp_path, told).volumes[0].uses == first.volumes[0].uses
    assert [one.by for one in first.volumes[0].uses] == ["b", "a", None]


def test_what_is_gone_takes_its_uses_with_it_and_comes_back_without(tmp_path: Path) -> None:
    seen(tmp_path, noticed(use(1, "a")))
    seen(tmp_path, noticed(use(2, "b"), of=V), there=inventory(volume("w")))
    assert seen(tmp_path, None).volumes[0].uses == ()


def test_an_instant_that_somebody_chose_is_not_written(tmp_path: Path) -> None:
    seen(tmp_path, noticed(use(1, "a"), time=span(NOW - DAY, NOW)))
    told = seen(tmp_path, noticed(use(2, "b"), time=span(NOW, NOW + DAY), number=2), writes=False)
    assert [one.by for one in told.volumes[0].uses] == ["b", "a"]
    assert told.watched == (span(NOW - DAY, NOW + DAY),)
    again = seen(tmp_path, None)
    assert ([one.by for one in again.volumes[0].uses], again.watched) == (["a"], (span(NOW - DAY, NOW),))
    with Ledger(tmp_path) as ledger:
        position = ledger.event_position(ENGINE)
    assert position == noticed().position


def test_engines_are_kept_apart(tmp_path: Path) -> None:
    seen(tmp_path, noticed(use(1, "a"), time=span(NOW - DAY, NOW)))
    other = seen(tmp_path, None, there=replace(THERE, engine=replace(ENGINE, id="OTHER")))
    assert (other.volumes[0].uses, other.watched) == ((), ())


def test_a_reading_that_was_refused_leaves_all_as_it_was(tmp_path: Path) -> None:
    before = seen(tmp_path, noticed(use(1, "a"), time=span(NOW - DAY, NOW)))
    after = seen(tmp_path, None)
    assert (after.watched, after.volumes[0].uses) == (before.watched, before.volumes[0].uses)


def test_time_is_joined_where_it_meets_and_not_over_gaps(tmp_path: Path) -> None:
    for begin, end in ((0, 1), (1, 2), (3, 4), (4, 5)):
        told = seen(tmp_path, noticed(time=span(NOW + begin * DAY, NOW + end * DAY)))
    assert told.watched == (span(NOW, NOW + 2 * DAY), span(NOW + 3 * DAY, NOW + 5 * DAY))


def test_time_in_which_less_was_noticed_is_told_apart(tmp_path: Path) -> None:
    for day, of_held in enumerate((True, False, False, True)):
        told = seen(tmp_path, noticed(time=span(NOW + day * DAY, NOW + (day + 1) * DAY, of_held)))
    assert told.watched == (
        span(NOW, NOW + DAY),
        span(NOW + DAY, NOW + 3 * DAY, False),
        span(NOW + 3 * DAY, NOW + 4 * DAY),
    )


def test_of_too_many_spans_the_shortest_go(tmp_path: Path) -> None:
    seen(tmp_path, noticed(time=span(NOW - DAY, NOW)))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database, database:
        begin = int(NOW.timestamp())
        for number in range(1, watched.MOST_SPANS + 5):
            length = 9 if number % 2 else 5
            database.execute(
                "INSERT INTO watched VALUES (1, ?, ?, 1)", (begin + 60 * number, begin + 60 * number + length)
            )
    told = seen(tmp_path, noticed(time=span(NOW + 30 * DAY, NOW + 31 * DAY)))
    assert told.watched is not None
    assert len(told.watched) == watched.MOST_SPANS
    assert told.watched[0] == span(NOW - DAY, NOW)
    assert told.watched[-1] == span(NOW + 30 * DAY, NOW + 31 * DAY)
    assert seen(tmp_path, None).watched == told.watched


SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20), st.booleans()), max_size=12)


@given(SPANS)
def test_no_second_counts_that_was_not_watched(lengths: list[tuple[int, int, bool]]) -> None:
    """The slow way: every second by itself, and the one holds that knows most."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute(schema.TABLES["watched"])
        known: dict[int, bool] = {}
        begin = int(NOW.timestamp())
        for start, length, of_held in lengths:
            first, last = NOW + timedelta(seconds=start), NOW + timedelta(seconds=start + length)
            watched.add_span(database, 1, span(first, last, of_held))
            for second in range(begin + start, begin + start + length):
                known[second] = of_held or known.get(second, False)
        told = watched.spans_of(database, 1)
        counted = {
            second: one.of_held
            for one in told
            for second in range(int(one.begins_at.timestamp()), int(one.ends_at.timestamp()))
        }
    assert counted == known
    assert all(one.ends_at < other.begins_at or one.of_held != other.of_held for one, other in pairwise(told))


def test_a_position_that_does_not_hold_is_damage(tmp_path: Path) -> None:
    seen(tmp_path, noticed(use(1, "a")))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database, database:
        database.execute("UPDATE event_readings SET position = 'none'")
    with Ledger(tmp_path) as ledger:
        assert ledger.event_position(ENGINE) is None
        assert "it does not tell where events were read to" in (ledger.problem or "")


@pytest.mark.parametrize(
    "told", ["[1]", "[", '[{"at": "now", "action": "mounted"}]', '[{"at": "2026-11-24T12:00:00Z", "action": "eaten"}]']
)
def test_uses_that_do_not_hold_are_damage(tmp_path: Path, told: str) -> None:
    seen(tmp_path, noticed(use(1, "a")))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database, database:
        database.execute("UPDATE uses SET told = ?", (told.encode(),))
    with Ledger(tmp_path) as ledger:
        ledger.update_objects(THERE, (), NOW)
        assert "it does not tell what was used" in (ledger.problem or "")


def test_what_is_watched_up_to_now_has_no_gap_of_less_than_a_second_before_it(tmp_path: Path) -> None:
    now = NOW + timedelta(milliseconds=700)
    assert seen(tmp_path, noticed(time=span(NOW - DAY, now))).watched == (span(NOW - DAY, now),)
    later = now + MINUTE
    assert seen(tmp_path, noticed(time=span(now, later))).watched == (span(NOW - DAY, later),)
    # A reading in the same second adds nothing that a row could hold.
    at_once = later + timedelta(milliseconds=100)
    assert seen(tmp_path, noticed(time=span(later, at_once))).watched == (span(NOW - DAY, at_once),)
    first = replace(ENGINE, id="OTHER")
    short = noticed(time=span(NOW, NOW + timedelta(milliseconds=1)))
    assert seen(tmp_path, short, there=replace(THERE, engine=first)).watched == ()
    # Nor does it close a gap.
    gone = noticed(time=span(later + DAY, later + DAY + timedelta(milliseconds=1)))
    assert seen(tmp_path, gone).watched == (span(NOW - DAY, later.replace(microsecond=0)),)
