"""How much of an inventory each rule of a policy speaks of: a rule that speaks of nothing may be misspelt."""

from collections.abc import Iterator
from typing import NamedTuple

from dockersweep.model.inventory import Inventory
from dockersweep.model.naming import objects_of
from dockersweep.model.policy import EVERYTHING, Policy
from dockersweep.policy.matching import RuleTest, facts_of
from dockersweep.policy.protections import PolicyProtections
from dockersweep.policy.services import ServiceHolds


class Coverage(NamedTuple):
    """Of how many objects of its kinds a rule speaks."""

    rule: str
    spoken_of: int
    there: int


def coverage(inventory: Inventory, policy: Policy) -> Iterator[Coverage]:
    """Yield what each rule speaks of, in order."""
    facts = facts_of(inventory)
    for rule in policy.rules:
        test = RuleTest(rule, facts)
        objects = [seen for kind in rule.kinds for seen in objects_of(inventory, kind)]
        yield Coverage(rule.name, sum(test.speaks_of(seen) for seen in objects), len(objects))


def findings(inventory: Inventory, policy: Policy) -> Iterator[str]:
    """Yield a sentence for each rule that speaks of nothing or of everything, and each protection that is idle."""
    rules = {rule.name: rule for rule in policy.rules}
    for found in coverage(inventory, policy):
        kinds = " or ".join(rules[found.rule].kinds)
        if not found.spoken_of:
            yield f'the rule "{found.rule}" speaks of none of the {found.there} objects of the kind {kinds}'
        elif found.spoken_of == found.there and rules[found.rule].match != EVERYTHING:
            yield f'the rule "{found.rule}" speaks of all {found.there} objects of the kind {kinds}'
    protected = PolicyProtections(policy.protections, ServiceHolds(inventory))
    for seen in objects_of(inventory):
        list(protected.of(seen))
    for idle in protected.idle():
        yield f"{idle.source} {idle.pattern} protects nothing that is there"
