"""What rules keep by counting, and what the engine refused: found once, then asked for object by object."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from dockersweep.model.inventory import Kind, Object
from dockersweep.model.listed import Listed
from dockersweep.model.naming import id_of
from dockersweep.model.policy import Policy
from dockersweep.model.reason import Doubt, Reason
from dockersweep.policy.judging.retention import Unit, kept_by
from dockersweep.policy.judging.rule_set import RuleSet

Kept = Mapping[int, Mapping[str | None, tuple[Reason, ...]]]
"""Why objects of one kind are kept whatever rules remove, by their places: for single tags of an image, or None."""


def kept_of_kind(
    listed: Listed, policy: Policy, rules: RuleSet, refusals: Iterable[tuple[Kind, Unit, Reason]], now: datetime
) -> Kept:
    """Return what rules keep of one kind, and what the engine refused; `refusals` are those of `refused`.

    What is in use takes its place in a count like all others. Where it is not known whether a rule matches, the object
    is kept in doubt, and takes no place.
    """
    kept: dict[int, dict[str | None, tuple[Reason, ...]]] = {}
    for (own, tag), reasons in _kept(listed.kind, policy, rules, refusals, now):
        place = listed.places.get(own)
        if place is not None:
            of_object = kept.setdefault(place, {})
            of_object[tag] = of_object[tag] + reasons if tag in of_object else reasons
    return kept


def _kept(
    kind: Kind, policy: Policy, rules: RuleSet, refusals: Iterable[tuple[Kind, Unit, Reason]], now: datetime
) -> Iterator[tuple[Unit, tuple[Reason, ...]]]:
    for number, rule in enumerate(policy.rules):
        if rule.keep is not None and kind in rule.kinds:
            counted = rules.counted(number, kind)
            yield from _in_doubt(rule.name, counted.in_doubt())
            for unit, why in kept_by(rule.keep, counted.certain(), now).items():
                yield unit, tuple([Reason(code="kept", rule=rule.name, about=about) for about in why])
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
