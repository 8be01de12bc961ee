"""However often an engine breaks off, a watcher tells of it in few lines, and leaves none of it out."""

from datetime import UTC, datetime, timedelta

from dockersweep.model.watching import EventGap, SummedGaps
from dockersweep.policy.watching.repeated_gaps import (
    AWAY_SECONDS,
    HOUR_SECONDS,
    LONG_AWAY_SECONDS,
    MOST_ONE_BY_ONE,
    Absences,
    GapNotices,
)

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def gap(second: int) -> EventGap:
    at = AT + timedelta(seconds=second)
    return EventGap(begins_at=at, ends_at=at + timedelta(seconds=2), why="connection lost")


def test_the_first_gaps_are_told_one_by_one_and_the_rest_of_an_hour_as_one() -> None:
    notices = GapNotices()
    told: list[EventGap | SummedGaps] = []
    for second in range(0, 7200, 4):
        told += notices.to_tell((gap(second),), 100.0 + second)
    told += notices.left()
    single = [one for one in told if isinstance(one, EventGap)]
    summed = [one for one in told if isinstance(one, SummedGaps)]
    assert (len(single), len(summed)) == (2 * MOST_ONE_BY_ONE, 2)
    assert len(single) + sum(one.gaps for one in summed) == 1800
    assert sum(one.seconds for one in summed) == 2 * (1800 - len(single))
    assert (summed[0].begins_at, summed[0].ends_at) == (gap(4 * MOST_ONE_BY_ONE).begins_at, gap(3596).ends_at)
    assert notices.left() == []


def test_what_was_held_back_is_told_at_the_end_of_its_hour_without_another_gap() -> None:
    notices = GapNotices()
    assert len(notices.to_tell(tuple(gap(second) for second in range(5)), 0.0)) == MOST_ONE_BY_ONE
    assert notices.to_tell((), HOUR_SECONDS - 1) == []
    [summed] = notices.to_tell((), HOUR_SECONDS)
    assert isinstance(summed, SummedGaps)
    assert summed.gaps == 5 - MOST_ONE_BY_ONE


def test_an_engine_that_comes_and_goes_is_told_to_be_away_only_where_that_lasts() -> None:
    absences = Absences()
    for number in range(MOST_ONE_BY_ONE):
        assert absences.patience(60.0 * number) == AWAY_SECONDS
        absences.told(60.0 * number)
    assert absences.patience(300.0) == LONG_AWAY_SECONDS
    assert absences.patience(HOUR_SECONDS + 1) == AWAY_SECONDS
