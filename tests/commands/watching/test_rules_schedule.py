"""When the rules are due for a watcher, by what the ledger has of the last time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from dockersweep.commands.options import WatchOptions, options_of
from dockersweep.commands.watching.rules_schedule import RulesSchedule
from dockersweep.model.policy import WatchSettings
from dockersweep.model.policyfile import WatchTable
from dockersweep.parser import parse
from dockersweep.policy.language.watch_checks import watch_of
from tests.rig.inventories import inventory

ENGINE = inventory().engine
STARTED = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def schedule(started: datetime = STARTED, *flags: str) -> RulesSchedule:
    options = options_of(parse(["watch", *flags]))
    assert isinstance(options, WatchOptions)
    return RulesSchedule(options.run.engine, started)


def settings(sweep: str = "every 6h", splay: str = "0s") -> WatchSettings:
    return watch_of(WatchTable(sweep=sweep, splay=splay))


def test_before_the_engine_answered_nothing_is_due() -> None:
    assert schedule().due_at(settings(), STARTED) is None


def test_the_last_time_outlives_the_watcher() -> None:
    first = schedule()
    first.begin(ENGINE, settings())
    assert first.due_at(settings(), STARTED) == STARTED
    first.done(STARTED + HOUR)
    assert first.due_at(settings(), STARTED + 2 * HOUR) == STARTED + 7 * HOUR
    second = schedule(STARTED + 3 * HOUR)
    second.begin(ENGINE, settings())
    assert second.due_at(settings(), STARTED + 3 * HOUR) == STARTED + 7 * HOUR


def test_without_a_ledger_it_counts_from_its_start() -> None:
    for _ in range(2):
        one = schedule(STARTED, "--no-ledger")
        one.begin(ENGINE, settings())
        assert one.due_at(settings(), STARTED) == STARTED
        one.done(STARTED)


@pytest.fixture
def zones(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the zone as it was: the schedule has it read anew."""
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.usefixtures("zones")
def test_a_time_of_the_day_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    one = schedule()
    one.begin(ENGINE, settings("daily 04:00"))
    due = one.due_at(settings("daily 04:00"), STARTED)
    assert due is not None
    assert due.astimezone().strftime("%H:%M") == "04:00"
    assert STARTED < due <= STARTED + 24 * HOUR


def test_never_is_never_and_a_clock_that_was_ahead_holds_nothing_up() -> None:
    one = schedule()
    one.begin(ENGINE, settings())
    one.done(STARTED + 9000 * HOUR)
    assert one.due_at(settings("never"), STARTED) is None
    assert one.due_at(settings(), STARTED) == STARTED + 6 * HOUR
