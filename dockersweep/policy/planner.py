"""Makes a plan of decisions: the removals in order, what each waits for, and what they give back."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from dockersweep.model.fingerprint import fingerprint_of, image_fingerprint
from dockersweep.model.inventory import Image, Inventory, Object, ScanWarning
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import NOTHING, Decision, Fingerprint, Interval, Limits, ObjectRef, Plan, Removal
from dockersweep.model.policy import Policy, Protection
from dockersweep.policy.limits import NOTHING_GONE, Gone, exceeded
from dockersweep.policy.order import ORDER, after_holders
from dockersweep.policy.reclaim import Reclaim
from dockersweep.policy.references import Holds, find_holds
from dockersweep.policy.rules import Judge
from dockersweep.policy.sizes import size_base
from dockersweep.policy.target import decide_for_target


def make_plan(inventory: Inventory, policy: Policy, now: datetime, before: Gone = NOTHING_GONE) -> Plan:
    """Return the plan for an inventory under a policy; ages are counted up to `now`.

    `before` is what the same run has removed already; the limits of the policy are for both.
    """
    holds = find_holds(inventory, now)
    judge = Judge(inventory, policy, now, holds)
    reclaim = Reclaim(inventory)
    by_rules = [judge.decide(judge.case(*one)) for kind in ORDER for one in judge.holders_first(kind)]
    decisions, target = decide_for_target(inventory, policy.target, judge, by_rules, reclaim)
    steps = list(_steps(inventory, decisions, holds))
    prediction = reclaim.in_order([step.ref for step in steps if step.decision.verdict == "remove"])
    return Plan(
        schema="dockersweep.plan/1",
        engine=inventory.engine,
        taken_at=inventory.taken_at,
        now=now,
        policy=policy,
        decisions=decisions,
        removals=tuple(_removals(steps, holds, prediction.rows, reclaim)),
        reclaim=prediction.total,
        limits=Limits(exceeded=exceeded(policy.limits, decisions, prediction.total, before)),
        warnings=(*inventory.warnings, *_idle(judge.idle_protections())),
        size_base=size_base(inventory),
        not_from_disk=inventory.storage.not_from_disk if inventory.storage else None,
        reclaim_of_kinds=prediction.of_kinds,
        target=target,
    )


def _idle(patterns: Iterable[Protection]) -> Iterator[ScanWarning]:
    for pattern in patterns:
        yield ScanWarning(about=f"{pattern.source} {pattern.pattern}", text="matches nothing here")


class _Step(NamedTuple):
    """An object that goes, or of which tags go."""

    ref: ObjectRef
    seen: Object
    decision: Decision


def _steps(inventory: Inventory, decisions: tuple[Decision, ...], holds: Holds) -> Iterator[_Step]:
    """Yield what is to be done, in order."""
    acting = {
        ObjectRef(kind=decision.kind, id=decision.id): decision
        for decision in decisions
        if decision.verdict == "remove" or decision.untag
    }
    for kind in ORDER:
        refs = ((ref_of(seen), seen) for seen in objects_of(inventory, kind))
        steps = [_Step(ref, seen, acting[ref]) for ref, seen in refs if ref in acting]
        steps.sort(key=lambda step: _oldest_first(step.decision))
        for _, step in after_holders({step.ref: step for step in steps}, holds):
            yield step


def _removals(steps: Iterable[_Step], holds: Holds, rows: Iterable[Interval], reclaim: Reclaim) -> Iterator[Removal]:
    """Yield the removals of all steps; `rows` are what each object that goes gives back, one after the other."""
    row_of = iter(rows)
    for ref, seen, decision in steps:
        after = tuple(hold.by for hold in holds.get(ref, ()))
        if type(seen) is Image:
            # Of one that goes all tags but the first: an engine refuses to remove by its id an image that has
            # several (engine-api.md §4).
            yield from _untags(seen, decision.untag or seen.tags[:0:-1], after)
        if decision.verdict == "remove":
            yield Removal(
                kind=ref.kind,
                id=ref.id,
                name=decision.name,
                action="remove",
                fingerprint=_last_fingerprint(seen),
                reclaim=next(row_of),
                after=after,
                reclaim_alone=reclaim.alone(ref),
            )


def _oldest_first(decision: Decision) -> tuple[int, str]:
    """A sweep that is cut short has then removed what was of no use for the longest."""
    return -(decision.age_seconds or 0), decision.id


def _untags(image: Image, going: Iterable[str], after: tuple[ObjectRef, ...]) -> Iterator[Removal]:
    left = list(image.tags)
    for tag in going:
        yield Removal(
            kind="image",
            id=image.id,
            name=tag,
            action="untag",
            fingerprint=image_fingerprint(image.id, tuple(left)),
            reclaim=NOTHING,
            after=after,
        )
        left.remove(tag)


def _last_fingerprint(seen: Object) -> Fingerprint:
    return image_fingerprint(seen.id, seen.tags[:1]) if type(seen) is Image else fingerprint_of(seen)
