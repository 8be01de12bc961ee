"""What stands between a space target and what it wants: the objects that it may not remove, by kind and reason."""

from collections.abc import Iterable, Sequence

from dockersweep.model.inventory import Kind, ObjectRef
from dockersweep.model.plan import NOTHING, Decision, Spared
from dockersweep.model.policy import Target
from dockersweep.policy.judging.holders import Holders
from dockersweep.policy.judging.survey import Survey
from dockersweep.words.spared import spared_words


def what_is_spared(decisions: Iterable[Decision], target: Target, survey: Survey) -> tuple[Spared, ...]:
    """Return the objects that use space and that neither the rules nor the target remove, what frees the most first."""
    groups: dict[tuple[Kind, str], list[ObjectRef]] = {}
    for decision in decisions:
        if decision.verdict == "keep" and decision.size_bytes != 0 and decision.kind != "network":
            why = spared_words(decision, target)
            if why is not None:
                groups.setdefault((decision.kind, why), []).append(decision.ref)
    spared = [_spared(kind, why, refs, survey) for (kind, why), refs in groups.items()]
    spared = [one for one in spared if one.frees.high_bytes != 0]
    return tuple(sorted(spared, key=lambda one: -(one.frees.high_bytes or one.frees.low_bytes)))


def _spared(kind: Kind, why: str, refs: Sequence[ObjectRef], survey: Survey) -> Spared:
    holders = _holders(refs, survey.holders)
    rows = survey.reclaim.in_order([*holders, *refs]).rows
    return Spared(kind=kind, objects=len(refs), frees=sum(rows[len(holders) :], NOTHING), why=why)


def _holders(refs: Sequence[ObjectRef], holders: Holders) -> list[ObjectRef]:
    """Return what holds any of these objects, directly or through others, and is not among them."""
    known = dict.fromkeys(refs)
    waiting = list(refs)
    for ref in waiting:
        new = [hold.by for hold in holders.get(ref, ()) if hold.by not in known]
        known.update(dict.fromkeys(new))
        waiting += new
    return list(known)[len(refs) :]
