"""What rules keep by counting, and what the engine refused: computed once for all objects of a kind."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from dockersweep.model.inventory import Kind, Object
from dockersweep.model.listed import Listed
from dockersweep.model.naming import id_of
from dockersweep.model.policy import Policy
from dockersweep.model.reason import Beyond, Doubt, Reason
from dockersweep.policy.judging.retention import Retained, Unit, retain
from dockersweep.policy.judging.rule_set import RuleSet

Kept = Mapping[int, Mapping[str | None, tuple[Reason, ...]]]
"""Object's place -> tag, None for the whole object -> why it is kept, whatever rules remove."""


Places = Mapping[str, tuple[Beyond, ...]]
"""Object id -> its positions beyond those that a rule keeps."""


class Keeping(NamedTuple):
    """What the rules of a policy keep of one kind, and what they counted and did not keep."""

    kept: Kept
    beyond: Mapping[int, Places]
    """By the index of the rule."""


def kept_of_kind(
    listed: Listed, policy: Policy, rules: RuleSet, refusals: Iterable[tuple[Kind, Unit, Reason]], now: datetime
) -> Keeping:
    """Return what rules keep of one kind, and what the engine refused; `refusals` are those of `refused`.

    Objects in use are counted too. Where it is not known whether a rule matches an object, the object is kept and not
    counted.
    """
    kept: dict[int, dict[str | None, tuple[Reason, ...]]] = {}
    by_rules = {
        number: retain(rule.keep, rules.counted(number, listed.kind).certain(), now)
        for number, rule in enumerate(policy.rules)
        if rule.keep is not None and listed.kind in rule.kinds
    }
    for (own, tag), reasons in _kept(listed.kind, policy, rules, refusals, by_rules):
        place = listed.places.get(own)
        if place is not None:
            of_object = kept.setdefault(place, {})
            of_object[tag] = of_object[tag] + reasons if tag in of_object else reasons
    return Keeping(kept, {number: by_rule.beyond for number, by_rule in by_rules.items()})


def _kept(
    kind: Kind,
    policy: Policy,
    rules: RuleSet,
    refusals: Iterable[tuple[Kind, Unit, Reason]],
    by_rules: Mapping[int, Retained],
) -> Iterator[tuple[Unit, tuple[Reason, ...]]]:
    for number, by_rule in by_rules.items():
        name = policy.rules[number].name
        yield from _in_doubt(name, rules.counted(number, kind).in_doubt())
        for unit, why in by_rule.kept.items():
            yield unit, tuple([Reason(code="kept", rule=name, about=about) for about in why])
    yield from ((unit, (reason,)) for of_kind, unit, reason in refusals if of_kind == kind)


def _in_doubt(
    rule: str, objects: Iterable[tuple[Object, tuple[str, ...], Doubt]]
) -> Iterator[tuple[Unit, tuple[Reason, ...]]]:
    for item, tags, doubt in objects:
        reason = Reason(
            code="kept", rule=rule, about=Doubt(condition=doubt.condition, excludes=doubt.excludes, keeps=True)
        )
        for tag in tags or (None,):
            yield (id_of(item), tag), (reason,)
