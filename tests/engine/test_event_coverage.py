"""For which time a watcher says that it knows every event."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.engine.reading.event_coverage import compared, without
from dockersweep.model.event_reading import EventPosition
from dockersweep.model.last_use import Span
from tests.rig.examples import examples
from tests.rig.inventories import NOW

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
LAST = EventPosition(ends_at=NOW - MINUTE, anchor=None)


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
