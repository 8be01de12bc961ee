"""The instants at which the ages of objects reach what a policy asks for."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from dockersweep.model.inventory import Image, Object
from dockersweep.model.naming import kind_of, ref_of
from dockersweep.model.policy import Policy, Remove, Rule
from dockersweep.policy.ages import built_since, since_of, unused_since
from dockersweep.policy.matching import Facts, RuleTest
from dockersweep.policy.references import Holds
from dockersweep.units import Age

LONGEST_WOBBLE = timedelta(days=3)
"""On the last days of a month several days lie one month after the same day, so an age can be reached, lost again at
midnight and reached once more."""
_LAST = datetime.max.replace(tzinfo=UTC) - timedelta(days=10)


def crossings(
    policy: Policy, objects: Iterable[Object], others: Iterable[Object], holds: Holds, facts: Facts
) -> Iterator[datetime]:
    """Yield every instant at which what a policy says of objects may change, in whole seconds and in no order.

    `others` are those that rules count together with them: one that is dated in the future enters the count then.
    """
    tests = [RuleTest(rule, facts) for rule in policy.rules]
    for seen in objects:
        kind = kind_of(seen)
        ages = {age for test in tests if kind in test.rule.kinds and test.speaks_of(seen) for age in _ages(test.rule)}
        if policy.protections.younger_than is not None:
            ages.add(policy.protections.younger_than)
        for instant in _instants(seen, holds):
            for age in ages:
                yield from map(_whole_second, reached(age, instant))
    for seen in others:
        dated = seen.built_at if isinstance(seen, Image) else seen.created_at
        if dated is not None and dated < _LAST:
            yield _whole_second(dated)


def reached(age: Age, instant: datetime) -> Iterator[datetime]:
    """Yield the instants from which on something that counts from `instant` is so old, the first one first.

    For calendar ages there may be several, a day apart; in between it is younger again.
    """
    counted = Age(months=0, seconds=age.seconds, text=age.text).after(instant)
    first = Age(months=age.months, seconds=0, text=age.text).after(counted)
    if first > _LAST:
        return
    while age.before(first) < instant:
        # A month has no such day: then the next one begins before it is so old.
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
    for age in (remove.older_than, remove.stopped_for, remove.unused_for, remove.built_over):
        if age is not None and not age.is_zero:
            yield age


def _instants(seen: Object, holds: Holds) -> set[datetime]:
    known = (since_of(seen, ()), unused_since(seen, ()), built_since(seen))
    instants = {since.instant for since in known if since is not None}
    return instants | {hold.until for hold in holds.get(ref_of(seen), ()) if hold.until is not None}


def _whole_second(instant: datetime) -> datetime:
    return instant if not instant.microsecond else instant.replace(microsecond=0) + timedelta(seconds=1)
