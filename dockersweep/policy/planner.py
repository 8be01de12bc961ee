"""Makes a plan of decisions: the removals in order, what each waits for, and what they give back."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import structs

from dockersweep.model.fingerprint import fingerprint_of, image_fingerprint
from dockersweep.model.inventory import Image, Inventory, Object, ScanWarning
from dockersweep.model.naming import name_of, objects_of, ref_of
from dockersweep.model.plan import NOTHING, Decision, Fingerprint, Limits, ObjectRef, Plan, Removal
from dockersweep.model.policy import Policy, Protection
from dockersweep.policy.limits import NOTHING_GONE, Gone, exceeded
from dockersweep.policy.order import ORDER, holders_first
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
    steps = list(_removals(inventory, decisions, holds))
    order = [_object_of(step) for step in steps if step.action == "remove"]
    prediction = reclaim.in_order(order)
    rows = iter(prediction.rows)
    return Plan(
        schema="dockersweep.plan/1",
        engine=inventory.engine,
        taken_at=inventory.taken_at,
        now=now,
        policy=policy,
        decisions=decisions,
        removals=tuple(
            structs.replace(step, reclaim=next(rows), reclaim_alone=reclaim.alone(_object_of(step)))
            if step.action == "remove"
            else step
            for step in steps
        ),
        reclaim=prediction.total,
        limits=Limits(exceeded=exceeded(policy.limits, decisions, prediction.total, before)),
        warnings=(*inventory.warnings, *_idle(judge.idle_protections())),
        size_base=size_base(inventory),
        not_from_disk=inventory.storage.not_from_disk if inventory.storage else None,
        reclaim_of_kinds=prediction.of_kinds,
        target=target,
    )


def _object_of(removal: Removal) -> ObjectRef:
    return ObjectRef(kind=removal.kind, id=removal.id)


def _idle(patterns: Iterable[Protection]) -> Iterator[ScanWarning]:
    for pattern in patterns:
        yield ScanWarning(about=f"{pattern.source} {pattern.pattern}", text="matches nothing here")


def _removals(inventory: Inventory, decisions: tuple[Decision, ...], holds: Holds) -> Iterator[Removal]:
    acting = {
        ObjectRef(kind=decision.kind, id=decision.id): decision
        for decision in decisions
        if decision.verdict == "remove" or decision.untag
    }
    for kind in ORDER:
        objects = [seen for seen in objects_of(inventory, kind) if ref_of(seen) in acting]
        for ref, seen in holders_first(objects, holds, lambda seen: _oldest_first(acting[ref_of(seen)])):
            after = tuple(hold.by for hold in holds.get(ref, ()))
            decision = acting[ref]
            if isinstance(seen, Image):
                # Of one that goes all tags but the first: an engine refuses to remove by its id an image that has
                # several (engine-api.md §4).
                yield from _untags(seen, decision.untag or seen.tags[:0:-1], after)
            if decision.verdict == "keep":
                continue
            yield Removal(
                kind=ref.kind,
                id=ref.id,
                name=name_of(seen),
                action="remove",
                fingerprint=_last_fingerprint(seen),
                reclaim=NOTHING,
                after=after,
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
    return image_fingerprint(seen.id, seen.tags[:1]) if isinstance(seen, Image) else fingerprint_of(seen)
