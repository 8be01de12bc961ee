"""The rules and protections of a policy, compiled for the objects of one survey, and what its counting rules match."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from dockersweep.model.inventory import Kind, Object
from dockersweep.model.policy import Policy
from dockersweep.model.reason import Doubt, Reason
from dockersweep.policy.judging.matching import WHOLE, RuleTest, Units
from dockersweep.policy.judging.policy_protections import PolicyProtections
from dockersweep.policy.judging.survey import Survey

Tags = tuple[str, ...]


class Counted(NamedTuple):
    """What a rule matches of one kind of object."""

    items: Sequence[Object]
    units: list[Units]
    """What it matches of each object, by place."""
    why_not: list[Reason | None]
    """Why it does not match each object, by place; None where it does."""
    doubts: Mapping[int, Doubt]
    """Place -> why it is not known whether the rule matches, where it is not."""

    def certain(self) -> list[tuple[Object, Tags]]:
        """Return the objects that it certainly matches, each with the matching tags."""
        doubts = self.doubts
        places = (place for place, why_not in enumerate(self.why_not) if why_not is None and place not in doubts)
        return [self._matched(place) for place in places]

    def in_doubt(self) -> Iterator[tuple[Object, Tags, Doubt]]:
        """Yield the objects that it may match, each with the matching tags and the reason for the doubt."""
        yield from ((*self._matched(place), doubt) for place, doubt in self.doubts.items())

    def _matched(self, place: int) -> tuple[Object, Tags]:
        units = self.units[place]
        return self.items[place], () if units == WHOLE else tuple([tag for tag in units if tag is not None])


class RuleSet:
    """A policy compiled for one survey. It serves any instant: what patterns match does not depend on the time."""

    def __init__(self, survey: Survey, policy: Policy) -> None:
        self._listing = survey.listing
        self._declared = survey.declared
        self.tests = tuple(map(partial(RuleTest, facts=survey.facts), policy.rules))
        self.protected = PolicyProtections(policy.protections, survey.hard.services, survey.listing)
        self._counted: dict[tuple[int, Kind], Counted] = {}

    def protected_of(self, kind: Kind) -> Mapping[int, tuple[Reason, ...]]:
        """Return place -> why the policy's patterns or declaring files protect an object of a kind."""
        by_pattern = self.protected.of_kind(kind)
        if self._declared is None:
            return by_pattern
        places = self._listing.of_kind(kind).places
        by_file = {places[ref.id]: reason for ref, reason in self._declared.reasons.items() if ref.kind == kind}
        return {**by_pattern, **{place: (*by_pattern.get(place, ()), reason) for place, reason in by_file.items()}}

    def counted(self, rule: int, kind: Kind) -> Counted:
        """Return what the rule with this index matches of one kind."""
        counted = self._counted.get((rule, kind))
        if counted is None:
            counted = self._counted[rule, kind] = _count(self._listing.of_kind(kind).items, self.tests[rule])
        return counted


def _count(items: Sequence[Object], test: RuleTest) -> Counted:
    why_not = list(map(test.why_not, items))
    matched = [place for place, why in enumerate(why_not) if why is None]
    units: list[Units] = [()] * len(items)
    doubts: dict[int, Doubt] = {}
    for place in matched:
        units[place] = test.units_of_match(items[place])
        doubt = test.doubt(items[place]) if test.may_doubt else None
        if doubt is not None:
            doubts[place] = doubt
    return Counted(items, units, why_not, doubts)
