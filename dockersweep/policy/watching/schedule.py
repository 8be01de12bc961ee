"""When the rules are due next, by the clock on the wall of a machine.

A time of the day is met at the first instant at which the clock shows it or something later: one that is skipped when
clocks go forward is met at that instant, and one that comes twice is met the first time.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from dockersweep.model.policy import Schedule

Offset = Callable[[datetime], timedelta]
"""How far the clock on the wall is ahead of UTC at an instant."""

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def next_due(schedule: Schedule, last: datetime, offset: Offset, splay: timedelta) -> datetime | None:
    """Return when the rules are due, which may be past; None for never.

    `last` is when they were carried out last, see `first_last` and `believed`; `splay` is how much later this machine
    comes.
    """
    if schedule.every_seconds is not None:
        return last + timedelta(seconds=schedule.every_seconds)
    if schedule.daily_minute is None:
        return None
    wanted = time(*divmod(schedule.daily_minute, 60))
    day = (last - splay + offset(last - splay)).date() - _DAY
    while (due := met_on(day, wanted, offset) + splay) <= last:
        day += _DAY
    return due


def made_up_for(due: datetime, started: datetime, splay: timedelta) -> datetime:
    """Return when to do what was due before the watcher was started: after the splay too, as a hundred machines may
    have lost their power together."""
    return due if due > started else started + splay


def believed(schedule: Schedule, last: datetime, now: datetime) -> datetime:
    """Return the last time as the clock has it now, which may have been put back since: where it is ahead of the clock
    by more than a day it was wrong, and counts as now. Less may be meant: no time of the day comes twice."""
    ahead = last - now
    is_wrong = ahead > (timedelta(0) if schedule.daily_minute is None else _DAY)
    return now if is_wrong else last


def first_last(schedule: Schedule, started: datetime, splay: timedelta) -> datetime:
    """Return what is the last time for a watcher that never carried out the rules: it does after the splay where they
    are due every so often, else when they are due by the clock."""
    if schedule.every_seconds is None:
        return started
    return started - timedelta(seconds=schedule.every_seconds) + splay


def met_on(day: date, wanted: time, offset: Offset) -> datetime:
    """Return the first instant of a day at which the clock on the wall shows a time, or has skipped it."""
    on_the_wall = datetime.combine(day, wanted, tzinfo=UTC)
    early, late = sorted(on_the_wall - offset(on_the_wall + shift) for shift in (-_DAY, _DAY))
    if early + offset(early) == on_the_wall:
        return early
    # The clock changes in between, or has changed just before.
    while late - early > _SECOND:
        middle = early + _whole_seconds((late - early) / 2)
        if middle + offset(middle) >= on_the_wall:
            late = middle
        else:
            early = middle
    return late


def _whole_seconds(length: timedelta) -> timedelta:
    return timedelta(seconds=length // _SECOND)


def splay_of(splay: timedelta, machine: str) -> timedelta:
    """Return how much later than others a machine comes: always the same for the same text, in whole seconds."""
    # Only a watcher asks, once.
    from hashlib import sha256

    share = int.from_bytes(sha256(machine.encode("utf-8", "backslashreplace")).digest()[:8], "big")
    return timedelta(seconds=share % (splay // _SECOND)) if splay >= _SECOND else timedelta(0)
