"""The rules of a policy, made ready to be asked of the objects of a survey, what those that keep count there, and what
the policy protects."""

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
    """What it matches in each object, by place."""
    why_not: list[Reason | None]
    """Why it does not match one, by place; None where it does."""
    doubts: Mapping[int, Doubt]
    """Where it is not known whether it matches, by place."""

    def certain(self) -> list[tuple[Object, Tags]]:
        """Return what it matches for certain, with the tags that it matches."""
        doubts = self.doubts
        found = (place for place, why_not in enumerate(self.why_not) if why_not is None and place not in doubts)
        return [self._matched(place) for place in found]

    def in_doubt(self) -> Iterator[tuple[Object, Tags, Doubt]]:
        """Yield what it may match, with the same and why that is not known."""
        yield from ((*self._matched(place), doubt) for place, doubt in self.doubts.items())

    def _matched(self, place: int) -> tuple[Object, Tags]:
        units = self.units[place]
        return self.items[place], () if units == WHOLE else tuple([tag for tag in units if tag is not None])


class RuleSet:
    """A policy for one survey. What its patterns match does not depend on the time, so it serves any instant."""

    def __init__(self, survey: Survey, policy: Policy) -> None:
        self._listing = survey.listing
        self._declared = survey.declared
        self.tests = tuple(map(partial(RuleTest, facts=survey.facts), policy.rules))
        self.protected = PolicyProtections(policy.protections, survey.hard.services, survey.listing)
        self._counted: dict[tuple[int, Kind], Counted] = {}

    def protected_of(self, kind: Kind) -> Mapping[int, tuple[Reason, ...]]:
        """Return the objects of a kind that patterns of the policy or files protect, by place, with the reasons."""
        by_pattern = self.protected.of_kind(kind)
        if self._declared is None:
            return by_pattern
        places = self._listing.of_kind(kind).places
        by_file = {places[ref.id]: reason for ref, reason in self._declared.reasons.items() if ref.kind == kind}
        return {**by_pattern, **{place: (*by_pattern.get(place, ()), reason) for place, reason in by_file.items()}}

    def counted(self, rule: int, kind: Kind) -> Counted:
        """Return what the rule at this place of the policy matches of one kind."""
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
