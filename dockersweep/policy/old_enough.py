"""Whether an object is old enough for a rule: each age or date that the rule asks for, and the words for it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from dockersweep.model.inventory import Image, Object
from dockersweep.model.plan import ReasonCode
from dockersweep.model.policy import Remove
from dockersweep.policy.ages import Since, built_since, unused_since
from dockersweep.units import Age

UsedUntil = Sequence[datetime] | None
"""When what holds an object and goes in the same plan last used it; None where that is not known."""


class Against(Struct, frozen=True, gc=False):
    """Why an object is not old enough."""

    code: ReasonCode
    text: str


class _Asked(Struct, frozen=True):
    since: Callable[[Object, Since | None, UsedUntil], Since | None]
    latest: datetime
    """It is old enough where its age counts from this instant or from earlier."""
    young: str
    old: str
    unknown: Callable[[Object], str]


class AgeTest:
    """The ages and dates of one rule, or one age that a policy asks for, at one instant."""

    def __init__(self, remove: Remove, now: datetime) -> None:
        self._now = now
        self._asked = tuple(_asked(remove, now))

    def against(self, seen: Object, since: Since | None, used_until: UsedUntil) -> Against | None:
        """Return what speaks against removing an object; None where it is old enough.

        `since` is what its age counts from, `used_until` when containers that go in the same plan last used it.
        """
        for asked in self._asked:
            known = asked.since(seen, since, used_until)
            if known is None:
                return Against("age-unknown", f"age unknown: {asked.unknown(seen)}")
            if known.instant > asked.latest:
                return Against("too-young", f"{known.words(self._now)}, {asked.young}")
        return None

    def words(self, seen: Object, since: Since | None, used_until: UsedUntil) -> str:
        """Return how old an object is that is old enough: "stopped for 10 days, over 24 hours"."""
        if not self._asked:
            return "age unknown, and none is asked for" if since is None else since.words(self._now)
        told = []
        for asked in self._asked:
            known = asked.since(seen, since, used_until)
            if known is not None:
                told.append(f"{known.words(self._now)}, {asked.old}")
        return ", ".join(told)


def _asked(remove: Remove, now: datetime) -> Iterator[_Asked]:
    ages: tuple[tuple[Age | None, Callable[..., Since | None], Callable[[Object], str]], ...] = (
        (remove.older_than, _as_tables_show_it, why_unknown),
        (remove.stopped_for, _as_tables_show_it, why_unknown),
        (remove.unused_for, _unused, lambda seen: "nothing tells since when it is unused"),
        (remove.built_over, _built, _why_no_build),
    )
    for age, since, unknown in ages:
        if age is not None and not age.is_zero:
            yield _Asked(since, age.before(now), f"not yet {age.words()}", f"over {age.words()}", unknown)
    dates = ((remove.before, _as_tables_show_it, why_unknown), (remove.built_before, _built, _why_no_build))
    for date, since, unknown in dates:
        if date is not None:
            # What is just of that instant is not before it.
            yield _Asked(since, _just_before(date), f"not before {date.date()}", f"before {date.date()}", unknown)


def _just_before(date: datetime) -> datetime:
    # Nothing lies before the first day of the calendar.
    return date if date.year == 1 else date - timedelta.resolution


def _as_tables_show_it(seen: Object, since: Since | None, used_until: UsedUntil) -> Since | None:
    return since


def _unused(seen: Object, since: Since | None, used_until: UsedUntil) -> Since | None:
    return None if used_until is None else unused_since(seen, used_until)


def _built(seen: Object, since: Since | None, used_until: UsedUntil) -> Since | None:
    return built_since(seen)


def why_unknown(seen: Object) -> str:
    """Return why the age of an object is not known."""
    if type(seen) is Image and seen.built_at is not None:
        return f"built {seen.built_at.date()}, and nothing tells when it came here"
    return "the engine does not tell it"


def _why_no_build(seen: Object) -> str:
    return "nothing tells when it was built"
