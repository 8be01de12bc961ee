"""What rules keep by counting, and what the engine refused: found once, then asked for object by object."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from dockersweep.model.inventory import Kind, Object
from dockersweep.model.naming import id_of
from dockersweep.model.policy import Policy
from dockersweep.model.reason import Doubt, Reason
from dockersweep.policy.judging.retention import Unit, kept_by
from dockersweep.policy.judging.rule_set import RuleSet

Kept = Mapping[Unit, Sequence[Reason]]
"""Why objects of one kind, and single tags of images, are kept whatever rules remove."""


def kept_of_kind(
    kind: Kind, policy: Policy, rules: RuleSet, refusals: Iterable[tuple[Kind, Unit, Reason]], now: datetime
) -> Kept:
    """Return what rules keep of one kind, and what the engine refused; `refusals` are those of `refused`.

    What is in use takes its place in a count like all others. Where it is not known whether a rule matches, the object
    is kept in doubt, and takes no place.
    """
    kept: dict[Unit, list[Reason]] = {}
    for place, rule in enumerate(policy.rules):
        if rule.keep is not None and kind in rule.kinds:
            counted = rules.counted(place, kind)
            for unit, reason in _in_doubt(rule.name, counted.in_doubt):
                kept.setdefault(unit, []).append(reason)
            for unit, places in kept_by(rule.keep, counted.certain, now).items():
                kept.setdefault(unit, []).extend([Reason(code="kept", rule=rule.name, about=about) for about in places])
    for of_kind, unit, reason in refusals:
        if of_kind == kind:
            kept.setdefault(unit, []).append(reason)
    return kept


def _in_doubt(rule: str, objects: Iterable[tuple[Object, tuple[str, ...], Doubt]]) -> Iterator[tuple[Unit, Reason]]:
    for item, tags, doubt in objects:
        reason = Reason(
            code="kept", rule=rule, about=Doubt(condition=doubt.condition, excludes=doubt.excludes, keeps=True)
        )
        for tag in tags or (None,):
            yield (id_of(item), tag), reason
