"""How much of an inventory each rule of a policy matches: a rule that matches nothing may be misspelt."""

from collections.abc import Iterator
from typing import NamedTuple

from dockersweep.model.naming import objects_of
from dockersweep.model.policy import EVERYTHING, Policy
from dockersweep.policy.judging.matching import RuleTest
from dockersweep.policy.judging.policy_protections import PolicyProtections
from dockersweep.policy.judging.survey import Survey


class Coverage(NamedTuple):
    """How many objects of its kinds a rule matches."""

    rule: str
    matched: int
    total: int


def coverage(survey: Survey, policy: Policy) -> Iterator[Coverage]:
    """Yield what each rule matches, in order."""
    for rule in policy.rules:
        test = RuleTest(rule, survey.facts)
        objects = [item for kind in rule.kinds for item in objects_of(survey.inventory, kind)]
        yield Coverage(rule.name, sum(test.matches(item) for item in objects), len(objects))


def findings(survey: Survey, policy: Policy) -> Iterator[str]:
    """Yield a sentence for each rule that matches nothing or everything, and each protection that is idle."""
    rules = {rule.name: rule for rule in policy.rules}
    for row in coverage(survey, policy):
        kinds = " or ".join(rules[row.rule].kinds)
        if not row.matched:
            yield f'the rule "{row.rule}" matches none of the {row.total} objects of the kind {kinds}'
        elif row.matched == row.total and rules[row.rule].match != EVERYTHING:
            yield f'the rule "{row.rule}" matches all {row.total} objects of the kind {kinds}'
    for idle in PolicyProtections(policy.protections, survey.hard.services, survey.listing).idle():
        yield f"{idle.source} {idle.pattern} protects nothing that is there"
