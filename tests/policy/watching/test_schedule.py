"""When the rules are due: daily through clocks that change, every so often, and with clocks that are put right."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.model.policy import Schedule
from dockersweep.policy.watching.schedule import (
    believed,
    first_last,
    made_up_for,
    met_on,
    next_due,
    splay_of,
)
from tests.rig.examples import examples

ZERO = timedelta(0)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
NEVER = Schedule(text="never")
EVERY = Schedule(text="every 6h", every_seconds=6 * 3600)
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo"),
    *("Africa/Casablanca", "Asia/Kathmandu", "Pacific/Kiritimati", "Antarctica/Troll", "America/St_Johns"),
)
"""With hours and half hours that are skipped or doubled, at midnight too, two hours at once, and a whole day."""


def daily(minute: int) -> Schedule:
    return Schedule(text="daily", daily_minute=minute)


def of_zone(name: str) -> Callable[[datetime], timedelta]:
    zone = ZoneInfo(name)
    return lambda instant: instant.astimezone(zone).utcoffset() or ZERO


def on_the_wall(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def met_slowly(day: date, wanted: time, zone: str) -> datetime:
    """The first minute at which the clock shows the time or later, by looking at each."""
    wall = datetime.combine(day, wanted)
    instant = wall.replace(tzinfo=UTC) - timedelta(hours=15)
    # Just before midnight a clock that is put back shows the day before again.
    while on_the_wall(instant, zone) < wall:
        instant += MINUTE
    return instant


DAYS = st.dates(date(1980, 1, 1), date(2037, 12, 1))
CHANGES = st.sampled_from(
    [
        (zone, change + timedelta(days=shift))
        for zone, change in (
            ("Europe/Berlin", date(2026, 3, 29)), ("Europe/Berlin", date(2026, 10, 25)),
            ("America/New_York", date(2026, 3, 8)), ("America/New_York", date(2026, 11, 1)),
            ("Australia/Lord_Howe", date(2026, 4, 5)), ("Australia/Lord_Howe", date(2026, 10, 4)),
            ("America/Sao_Paulo", date(2018, 11, 4)), ("America/Sao_Paulo", date(2018, 2, 18)),
            ("Pacific/Apia", date(2011, 12, 30)), ("Antarctica/Troll", date(2026, 3, 29)),
        )
        for shift in (-1, 0, 1)
    ]
)  # fmt: skip


@given(CHANGES | st.tuples(st.sampled_from(ZONES), DAYS), st.integers(0, 1439))
@examples(150)
def test_a_time_is_met_when_the_clock_first_shows_it_or_later(where: tuple[str, date], minute: int) -> None:
    zone, day = where
    wanted = time(*divmod(minute, 60))
    assert met_on(day, wanted, of_zone(zone)) == met_slowly(day, wanted, zone)


@pytest.mark.parametrize(
    ("zone", "day", "wanted", "utc"),
    [
        ("Europe/Berlin", date(2026, 6, 1), time(4), "2026-06-01T02:00:00Z"),
        # Skipped: at once. Doubled: the first time.
        ("Europe/Berlin", date(2026, 3, 29), time(2, 30), "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", date(2026, 10, 25), time(2, 30), "2026-10-25T00:30:00Z"),
        ("America/Sao_Paulo", date(2018, 11, 4), time(0), "2018-11-04T03:00:00Z"),
        ("Pacific/Apia", date(2011, 12, 30), time(4), "2011-12-30T10:00:00Z"),
    ],
)
def test_times_that_are_skipped_or_doubled(zone: str, day: date, wanted: time, utc: str) -> None:
    assert met_on(day, wanted, of_zone(zone)) == datetime.fromisoformat(utc)


@given(CHANGES, st.integers(0, 1439), st.integers(0, 23 * 60), st.integers(1, 90))
@examples(60)
def test_a_watcher_carries_the_rules_out_once_a_day(
    where: tuple[str, date], minute: int, splay_minutes: int, tick: int
) -> None:
    zone, change = where
    offset, splay = of_zone(zone), splay_minutes * MINUTE
    now = datetime.combine(change - timedelta(days=4), time(7), tzinfo=UTC)
    last, end, runs = now, now + timedelta(days=8), []
    while now < end:
        last = believed(daily(minute), last, now)
        due = next_due(daily(minute), last, offset, splay)
        assert due is not None
        if due <= now:
            runs.append(now)
            last = now
        now += tick * MINUTE
    begin = end - timedelta(days=8)
    days = [(begin + timedelta(days=number)).date() for number in range(-3, 11)]
    met = [met_on(day, time(*divmod(minute, 60)), offset) + splay for day in days]
    expected = [instant for instant in met if begin < instant <= runs[-1]]
    # Of a day that is left out as a whole nothing is done twice within the tick.
    assert len(set(runs)) <= len(expected)
    assert all(any(ZERO <= run - due < tick * MINUTE for run in runs) for due in expected)


def test_never_is_never() -> None:
    assert next_due(NEVER, datetime.now(UTC), of_zone("UTC"), ZERO) is None


def test_every_counts_from_the_start_of_one_to_the_next_whatever_the_clock_on_the_wall_does() -> None:
    last = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert next_due(EVERY, last, of_zone("Europe/Berlin"), HOUR) == last + 6 * HOUR


@pytest.mark.parametrize(("schedule", "due"), [(EVERY, "2026-11-24T12:20:00Z"), (daily(240), "2026-11-25T04:20:00Z")])
def test_a_watcher_that_is_new_begins_with_its_splay_or_at_the_time(schedule: Schedule, due: str) -> None:
    started = datetime(2026, 11, 24, 12, tzinfo=UTC)
    splay = 20 * MINUTE
    last = first_last(schedule, started, splay)
    found = next_due(schedule, last, of_zone("UTC"), splay)
    assert found is not None
    assert made_up_for(found, started, splay) == datetime.fromisoformat(due)


def test_what_was_missed_is_made_up_for_once_after_the_splay() -> None:
    last = datetime(2026, 11, 20, 4, tzinfo=UTC)
    started = datetime(2026, 11, 24, 12, tzinfo=UTC)
    due = next_due(daily(240), last, of_zone("UTC"), ZERO)
    assert due == datetime(2026, 11, 21, 4, tzinfo=UTC)
    assert made_up_for(due, started, 20 * MINUTE) == started + 20 * MINUTE
    assert next_due(daily(240), started + 20 * MINUTE, of_zone("UTC"), ZERO) == datetime(2026, 11, 25, 4, tzinfo=UTC)
    assert made_up_for(started + MINUTE, started, 20 * MINUTE) == started + MINUTE


@pytest.mark.parametrize(
    ("schedule", "ahead", "counts"),
    [
        (daily(240), -5 * DAY, True), (daily(240), 3 * HOUR, True), (daily(240), 25 * HOUR, False),
        (daily(240), 9000 * DAY, False), (EVERY, -DAY, True), (EVERY, HOUR, False), (EVERY, 9000 * DAY, False),
    ],
)  # fmt: skip
def test_a_last_time_that_is_ahead_of_the_clock(schedule: Schedule, ahead: timedelta, counts: bool) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert believed(schedule, now + ahead, now) == (now + ahead if counts else now)


def test_a_clock_that_was_a_year_ahead_holds_nothing_up() -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    for schedule in (EVERY, daily(240)):
        last = believed(schedule, now + 365 * DAY, now)
        due = next_due(schedule, last, of_zone("UTC"), HOUR)
        assert due is not None
        assert now < due <= now + DAY + HOUR
        assert believed(schedule, last, now + HOUR) == last


def test_a_clock_that_is_put_back_over_the_time_does_not_repeat_it() -> None:
    last = datetime(2026, 11, 24, 4, 0, 5, tzinfo=UTC)
    now = datetime(2026, 11, 24, 3, tzinfo=UTC)
    assert next_due(daily(240), believed(daily(240), last, now), of_zone("UTC"), ZERO) == datetime(
        2026, 11, 25, 4, tzinfo=UTC
    )


def test_a_splay_is_always_the_same_on_a_machine_and_shares_machines_out() -> None:
    splays = [splay_of(HOUR, f"host-{number}") for number in range(1000)]
    assert splays == [splay_of(HOUR, f"host-{number}") for number in range(1000)]
    assert all(ZERO <= splay < HOUR for splay in splays)
    quarters = [sum(15 * number <= splay / MINUTE < 15 * (number + 1) for splay in splays) for number in range(4)]
    assert min(quarters) > 200
    assert splay_of(ZERO, "host") == ZERO
