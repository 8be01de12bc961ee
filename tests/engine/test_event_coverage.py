"""For which time a watcher says that it knows every event."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.engine.reading.event_coverage import (
    LAG_NANOS,
    LONGEST_LAGGING_RUN,
    QUIET_NANOS,
    StreamProof,
    compared,
    without,
)
from dockersweep.model.event_reading import EngineEvent, EventPosition
from dockersweep.model.last_use import Span
from tests.rig.examples import examples
from tests.rig.inventories import NOW

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
LAST = EventPosition(ends_at=NOW - MINUTE, anchor=None)
START = int(NOW.timestamp()) * 10**9


def at(nanos: int) -> EngineEvent:
    return EngineEvent(nanos, "volume", "mount", "v", {})


@pytest.mark.parametrize(("late", "count", "is_proof"), [
    (LAG_NANOS, LONGEST_LAGGING_RUN, True),
    (LAG_NANOS, LONGEST_LAGGING_RUN + 1, False),
    (LAG_NANOS - 1, 10 * LONGEST_LAGGING_RUN, True),
    (-1, LONGEST_LAGGING_RUN + 1, False),
])  # fmt: skip
def test_a_stream_is_proof_until_as_many_come_late_as_docker_may_have_dropped_after(
    late: int, count: int, is_proof: bool
) -> None:
    proof = StreamProof(NOW)
    proof.count([at(START)] * count, START + late)
    assert (proof.since() == NOW) is is_proof


def test_after_a_doubt_it_is_proof_since_the_first_event_in_time() -> None:
    proof = StreamProof(NOW)
    proof.count([at(START)] * 1000, START + 5 * 10**9)
    assert proof.since() is None
    later = START + 6 * 10**9
    proof.count([at(later)], later + 1000)
    assert proof.since() == NOW + 7 * SECOND


def test_a_doubt_ends_too_where_nothing_more_comes() -> None:
    proof = StreamProof(NOW)
    late = START + 5 * 10**9
    proof.count([at(START)] * 1000, late)
    proof.begin_again(NOW + 6 * SECOND, late + QUIET_NANOS)
    assert proof.since() is None
    proof.begin_again(NOW + 7 * SECOND, late + QUIET_NANOS + 1)
    assert proof.since() == NOW + 7 * SECOND


def test_late_events_that_are_not_in_a_row_leave_no_doubt() -> None:
    proof = StreamProof(NOW)
    for _ in range(20):
        proof.count([at(START)] * LONGEST_LAGGING_RUN, START + LAG_NANOS)
        proof.count([at(START)], START)
    assert proof.since() == NOW


def test_a_proof_never_reaches_back_but_where_the_clock_was_set_back() -> None:
    proof = StreamProof(NOW)
    proof.begin_again(NOW - 5 * SECOND, START)
    assert proof.since() == NOW
    proof.begin_again(NOW - MINUTE, START)
    assert proof.since() == NOW - MINUTE


@pytest.mark.parametrize(("proven", "begins", "gap"), [
    ([NOW - 2 * MINUTE, None], LAST.ends_at, None),
    ([None, LAST.ends_at], LAST.ends_at, None),
    ([NOW - 2 * SECOND, NOW - 30 * SECOND], NOW - 30 * SECOND, NOW - 30 * SECOND),
    ([None, NOW + SECOND], None, NOW),
    ([], None, NOW),
])  # fmt: skip
def test_what_neither_the_engine_nor_the_stream_proves_is_a_gap(
    proven: list[datetime | None], begins: datetime | None, gap: datetime | None
) -> None:
    told = compared(LAST, NOW, proven, MINUTE, "too many events")
    assert told.span == (None if begins is None else Span(begins_at=begins, ends_at=NOW))
    assert (None if told.gap is None else (told.gap.begins_at, told.gap.ends_at)) == (gap and (LAST.ends_at, gap))


def test_the_first_reading_ever_has_no_gap_before_it() -> None:
    told = compared(None, NOW, [NOW - MINUTE], None, "not watched")
    assert told == (Span(begins_at=NOW - MINUTE, ends_at=NOW), None)


def test_time_that_was_only_set_is_not_covered() -> None:
    told = compared(LAST, NOW, [LAST.ends_at], timedelta(seconds=1), "too many events")
    assert told.span is None
    assert told.gap is not None
    assert told.gap.why == "clock changed"
    # What another process read last may be as long ago as it likes.
    assert compared(LAST, NOW, [LAST.ends_at], None, "too many events").gap is None


def instant(second: int) -> datetime:
    return datetime.fromtimestamp(1_000_000 + second, UTC)


SECONDS = st.integers(0, 100)


@examples(300)
@given(st.tuples(SECONDS, SECONDS), st.lists(st.tuples(SECONDS, SECONDS)))
def test_a_span_without_lives_covers_each_second_once_and_those_of_lives_for_less(
    span: tuple[int, int], lives: list[tuple[int, int]]
) -> None:
    begin, end = sorted(span)
    whole = Span(begins_at=instant(begin), ends_at=instant(end))
    parts = without(whole, [(instant(born), instant(died)) for born, died in map(sorted, lives)])
    for second in range(101):
        covering = [part for part in parts if part.begins_at <= instant(second) < part.ends_at]
        assert len(covering) == (begin <= second < end)
        lived = any(born <= second < died for born, died in map(sorted, lives))
        assert [part.of_held for part in covering] == [not lived] * len(covering)
    assert all(part.begins_at < part.ends_at for part in parts)
