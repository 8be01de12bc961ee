"""The rules of a policy, made ready to be asked of the objects of a survey, what those that keep count there, and what
the policy protects."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from dockersweep.model.inventory import Inventory, Kind, Object
from dockersweep.model.naming import id_of, objects_of
from dockersweep.model.policy import Policy
from dockersweep.model.reason import Doubt, Reason
from dockersweep.policy.judging.matching import RuleTest, Units
from dockersweep.policy.judging.policy_protections import PolicyProtections
from dockersweep.policy.judging.survey import Survey

Tags = tuple[str, ...]


class Counted(NamedTuple):
    """What a rule matches of one kind of object."""

    certain: list[tuple[Object, Tags]]
    """With the tags that it matches."""
    in_doubt: list[tuple[Object, Tags, Doubt]]
    """Where it is not known whether it matches."""
    units: dict[str, Units]
    """What it matches in each of them, by id."""

    def units_of(self, item: Object) -> Units:
        """Return what it matches in an object."""
        return self.units.get(id_of(item), ())


class RuleSet:
    """A policy for one survey. What its patterns match does not depend on the time, so it serves any instant."""

    def __init__(self, survey: Survey, policy: Policy) -> None:
        self._inventory = survey.inventory
        self._declared = survey.declared
        self.tests = tuple(map(partial(RuleTest, facts=survey.facts), policy.rules))
        self.protected = PolicyProtections(policy.protections, survey.hard.services, survey.inventory)
        self._counted: dict[tuple[int, Kind], Counted] = {}

    def protected_of(self, kind: Kind) -> Mapping[str, tuple[Reason, ...]]:
        """Return the objects of a kind that patterns of the policy or files protect, by id, with the reasons."""
        by_pattern = self.protected.of_kind(kind)
        if self._declared is None:
            return by_pattern
        by_file = {ref.id: reason for ref, reason in self._declared.reasons.items() if ref.kind == kind}
        return {**by_pattern, **{own: (*by_pattern.get(own, ()), reason) for own, reason in by_file.items()}}

    def counted(self, rule: int, kind: Kind) -> Counted:
        """Return what the rule at this place of the policy matches of one kind."""
        counted = self._counted.get((rule, kind))
        if counted is None:
            counted = self._counted[rule, kind] = _count(self._inventory, kind, self.tests[rule])
        return counted


def _count(inventory: Inventory, kind: Kind, test: RuleTest) -> Counted:
    counted = Counted([], [], {})
    for item in objects_of(inventory, kind):
        units = test.units(item)
        if units:
            counted.units[id_of(item)] = units
            tags = tuple([tag for tag in units if tag is not None])
            doubt = test.doubt(item) if test.may_doubt else None
            if doubt is None:
                counted.certain.append((item, tags))
            else:
                counted.in_doubt.append((item, tags, doubt))
    return counted
