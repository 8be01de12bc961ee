"""Makes a plan of decisions: the removals in order, what each waits for, and what they give back."""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from msgspec import Struct

from dockersweep.model.fingerprint import fingerprint_of, image_fingerprint
from dockersweep.model.inventory import Image, Inventory, Kind, Object, ScanWarning
from dockersweep.model.naming import id_of, objects_of
from dockersweep.model.plan import (
    NOTHING,
    Decision,
    Fingerprint,
    Interval,
    Limits,
    ObjectRef,
    Plan,
    Removal,
    TargetVerdict,
)
from dockersweep.model.policy import Policy, Protection
from dockersweep.policy.limits import NOTHING_GONE, Gone, exceeded
from dockersweep.policy.order import ORDER, after_holders
from dockersweep.policy.reclaim import Reclaim
from dockersweep.policy.references import Holds, find_holds
from dockersweep.policy.rules import Judge
from dockersweep.policy.sizes import size_base
from dockersweep.policy.target import decide_for_target


@contextmanager
def without_collector() -> Iterator[None]:
    """A plan makes millions of values and no circles; the garbage collector would walk over them again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@without_collector()
def make_plan(inventory: Inventory, policy: Policy, now: datetime, before: Gone = NOTHING_GONE) -> Plan:
    """Return the plan for an inventory under a policy; ages are counted up to `now`.

    `before` is what the same run has removed already; the limits of the policy are for both.
    """
    holds = find_holds(inventory, now)
    judge = Judge(inventory, policy, now, holds)
    reclaim = Reclaim(inventory)
    by_rules = judge.decide_all()
    decisions, target = decide_for_target(inventory, policy.target, judge, by_rules, reclaim)
    idle = judge.idle_protections()
    return plan_of_decisions(inventory, policy, now, decisions, holds, reclaim, idle, target, before)


def plan_of_decisions(
    inventory: Inventory,
    policy: Policy,
    now: datetime,
    decisions: tuple[Decision, ...],
    holds: Holds,
    reclaim: Reclaim,
    idle_protections: Iterable[Protection],
    target: TargetVerdict | None = None,
    before: Gone = NOTHING_GONE,
) -> Plan:
    """Return the plan that carries out decisions, of which there is one for every object of the inventory."""
    steps = list(_steps(inventory, decisions, holds))
    prediction = reclaim.in_order([ref for ref, step in steps if step.decision.verdict == "remove"])
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
        warnings=(*inventory.warnings, *_idle(idle_protections)),
        size_base=size_base(inventory),
        not_from_disk=inventory.storage.not_from_disk if inventory.storage else None,
        reclaim_of_kinds=prediction.of_kinds,
        target=target,
    )


def _idle(patterns: Iterable[Protection]) -> Iterator[ScanWarning]:
    for pattern in patterns:
        yield ScanWarning(about=f"{pattern.source} {pattern.pattern}", text="matches nothing here")


class _Step(Struct, frozen=True, gc=False):
    """An object that goes, or of which tags go."""

    seen: Object
    decision: Decision


def _steps(inventory: Inventory, decisions: tuple[Decision, ...], holds: Holds) -> Iterator[tuple[ObjectRef, _Step]]:
    """Yield what is to be done, in order."""
    acting: dict[Kind, dict[str, Decision]] = {kind: {} for kind in ORDER}
    for decision in decisions:
        if decision.verdict == "remove" or decision.untag:
            acting[decision.kind][decision.id] = decision
    for kind, of_kind in acting.items():
        objects = {id_of(seen): seen for seen in objects_of(inventory, kind) if id_of(seen) in of_kind}
        # A sweep that is cut short has then removed what was of no use for the longest; decisions come by their ids.
        oldest_first = sorted(of_kind.values(), key=lambda decision: -(decision.age_seconds or 0))
        steps = {ObjectRef(kind=kind, id=one.id): _Step(objects[one.id], one) for one in oldest_first}
        yield from after_holders(steps, holds)


def _removals(
    steps: Iterable[tuple[ObjectRef, _Step]], holds: Holds, rows: Iterable[Interval], reclaim: Reclaim
) -> Iterator[Removal]:
    """Yield the removals of all steps; `rows` are what each object that goes gives back, one after the other."""
    row_of = iter(rows)
    for ref, step in steps:
        seen, decision = step.seen, step.decision
        after = tuple([hold.by for hold in holds.get(ref, ())])
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
