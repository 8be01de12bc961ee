"""Problems of the values of [watch] in a policy file, where each value is valid by itself; and what they mean."""

from collections.abc import Iterator

from dockersweep.model.policy import Schedule, WatchSettings
from dockersweep.model.policyfile import WatchTable
from dockersweep.policy.language.problems import KeyProblem
from dockersweep.policy.language.schedules import parse_schedule
from dockersweep.units import DAY, Age, parse_age

DEFAULT_SPLAY = parse_age("1h")
DEFAULT_AT_MOST = parse_age("5m")


def watch_problems(watch: WatchTable) -> Iterator[KeyProblem]:
    """Yield what could not be meant."""
    schedule, settle = parse_schedule(watch.sweep), parse_age(watch.settle)
    if watch.splay is not None and parse_age(watch.splay).seconds > _longest_splay(schedule):
        text = f"splay = {watch.splay} is longer than from one sweep to the next ({schedule.text})"
        yield KeyProblem(("watch", "splay"), text, at="value")
    if watch.settle_at_most is not None and parse_age(watch.settle_at_most).seconds < settle.seconds:
        text = (
            f"settle_at_most = {watch.settle_at_most} is less than settle = {watch.settle}: "
            "it is how long a sweep waits for that at the most"
        )
        yield KeyProblem(("watch", "settle_at_most"), text, at="value")
    if parse_age(watch.backoff).is_zero:
        text = "backoff = 0s would sweep without a pause where nothing more may go: write a duration, like 10m"
        yield KeyProblem(("watch", "backoff"), text, at="value")


def watch_of(table: WatchTable) -> WatchSettings:
    """Return the settings of a watcher; an empty table has the defaults."""
    schedule, settle = parse_schedule(table.sweep), parse_age(table.settle)
    return WatchSettings(
        sweep=schedule,
        splay=_splay(schedule) if table.splay is None else parse_age(table.splay),
        settle=settle,
        settle_at_most=_at_most(settle) if table.settle_at_most is None else parse_age(table.settle_at_most),
        backoff=parse_age(table.backoff),
    )


def _longest_splay(schedule: Schedule) -> int:
    return DAY if schedule.every_seconds is None else schedule.every_seconds


def _splay(schedule: Schedule) -> Age:
    longest = _longest_splay(schedule)
    return DEFAULT_SPLAY if longest >= DEFAULT_SPLAY.seconds else parse_age(f"{longest}s")


def _at_most(settle: Age) -> Age:
    return DEFAULT_AT_MOST if DEFAULT_AT_MOST.seconds >= settle.seconds else settle
