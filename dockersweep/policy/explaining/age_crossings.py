"""The instants at which the ages of objects reach what a policy asks for."""

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from dockersweep.model.inventory import Image, Object
from dockersweep.model.naming import id_of, kind_of, ref_of
from dockersweep.model.policy import Policy, Remove, Rule
from dockersweep.policy.judging.ages import built_since, created_since, since_of, unused_since
from dockersweep.policy.judging.matching import RuleTest
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.watch import WatchedTime
from dockersweep.units import DAY, Age

LONGEST_WOBBLE = timedelta(days=3)
"""At the end of a month, an age in months can be reached, drop again at midnight and be reached once more: several days
are one month after the same day."""
_LAST = datetime.max.replace(tzinfo=UTC) - timedelta(days=10)


def crossings(
    policy: Policy, tests: Sequence[RuleTest], objects: Iterable[Object], others: Iterable[Object], survey: Survey
) -> Iterator[datetime]:
    """Yield every instant at which decisions on the objects may change, in whole seconds and in no order.

    `tests` are those of the policy's rules. `others` are the objects that rules count together with these: one dated in
    the future is counted from its date on.
    """
    for item in objects:
        kind = kind_of(item)
        ages = {age for test in tests if kind in test.rule.kinds and test.matches(item) for age in _ages(test.rule)}
        if policy.protections.younger_than is not None:
            ages.add(policy.protections.younger_than)
        for instant in _instants(item, survey):
            for age in ages:
                yield from map(_whole_second, reached(age, instant))
    for item in others:
        dated = item.built_at if isinstance(item, Image) else item.created_at
        if dated is not None and dated < _LAST:
            yield _whole_second(dated)
    for rule in policy.rules:
        if rule.remove is not None and rule.remove.unused_for is not None and not rule.remove.unused_for.is_zero:
            for watched in (survey.watch.of_images, survey.watch.of_held):
                yield _whole_second(_watched_from(rule.remove.unused_for, watched, survey.now))


def _watched_from(age: Age, watched: WatchedTime, now: datetime) -> datetime:
    """Return the first second from now on at which enough of an age is watched, if watching goes on."""
    longest = math.ceil((age.after(now) - now).total_seconds()) + LONGEST_WOBBLE.days * DAY
    early, late = -1, min(longest, max(0, int((_LAST - now).total_seconds())))
    while late - early > 1:
        middle = (early + late) // 2
        at = now + timedelta(seconds=middle)
        early, late = (early, middle) if watched.is_enough(age.before(at), at) else (middle, late)
    return now + timedelta(seconds=late)


def reached(age: Age, instant: datetime) -> Iterator[datetime]:
    """Yield the instants at which what counts from `instant` reaches an age, in order.

    For calendar ages there may be several, a day apart: in between it is younger again.
    """
    counted = Age(months=0, seconds=age.seconds, text=age.text).after(instant)
    first = Age(months=age.months, seconds=0, text=age.text).after(counted)
    if first > _LAST:
        return
    while age.before(first) < instant:
        # The month has no such day: the age is reached in the next month.
        first = (first + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    yield first
    if not age.months:
        return
    for days in range(1, LONGEST_WOBBLE.days + 1):
        again = first + timedelta(days=days)
        if age.before(again) == instant:
            yield again


def has_calendar_ages(policy: Policy) -> bool:
    """Whether a policy asks for an age in months or years."""
    youngest = policy.protections.younger_than
    ages = [age for rule in policy.rules for age in _ages(rule)]
    return any(age.months for age in ages) or (youngest is not None and youngest.months > 0)


def _ages(rule: Rule) -> Iterator[Age]:
    remove = rule.remove or Remove()
    for age in (remove.older_than, remove.stopped_for, remove.unused_for, remove.built_over, remove.created_over):
        if age is not None and not age.is_zero:
            yield age


def _instants(item: Object, survey: Survey) -> set[datetime]:
    by_builds = survey.build_uses(kind_of(item)).get(id_of(item), ())
    known = (since_of(item, by_builds), unused_since(item, by_builds), built_since(item), created_since(item))
    instants = {since.instant for since in known if since is not None}
    return instants | {hold.until for hold in survey.holders.get(ref_of(item), ()) if hold.until is not None}


def _whole_second(instant: datetime) -> datetime:
    return instant if not instant.microsecond else instant.replace(microsecond=0) + timedelta(seconds=1)
