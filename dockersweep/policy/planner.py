"""Makes a plan of decisions: the removals in order, what each waits for, and what they give back."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import structs

from dockersweep.model.fingerprint import fingerprint_of, image_fingerprint
from dockersweep.model.inventory import Image, Inventory, Kind, Object, ScanWarning
from dockersweep.model.naming import id_of, kind_of, name_of, objects_of, ref_of
from dockersweep.model.plan import NOTHING, Decision, Fingerprint, Limits, ObjectRef, Plan, Removal
from dockersweep.model.policy import Policy
from dockersweep.policy.protections import idle_protections
from dockersweep.policy.reclaim import Reclaim
from dockersweep.policy.references import Holds, find_holds
from dockersweep.policy.rules import evaluate, holders_first
from dockersweep.policy.sizes import size_base

# What holds goes before what is held: containers hold all that follows. The build cache comes last, because images
# may stand on its layers, and a record that became unshared is then gone in one run.
ORDER: tuple[Kind, ...] = ("container", "image", "volume", "network", "build-cache")


def make_plan(inventory: Inventory, policy: Policy, now: datetime) -> Plan:
    """Return the plan for an inventory under a policy; ages are counted up to `now`."""
    holds = find_holds(inventory, now)
    decisions = evaluate(inventory, policy, now, holds)
    going = _going(decisions)
    reclaim = Reclaim(inventory)
    steps = list(_removals(inventory, going, holds))
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
        limits=Limits(),
        warnings=(*inventory.warnings, *_idle(inventory, policy)),
        size_base=size_base(inventory),
        not_from_disk=inventory.storage.not_from_disk if inventory.storage else None,
        reclaim_of_kinds=prediction.of_kinds,
    )


def _object_of(removal: Removal) -> ObjectRef:
    return ObjectRef(kind=removal.kind, id=removal.id)


def _idle(inventory: Inventory, policy: Policy) -> Iterator[ScanWarning]:
    for pattern in idle_protections(inventory, policy.protections):
        yield ScanWarning(about=f"{pattern.source} {pattern.pattern}", text="matches nothing here")


def _going(decisions: tuple[Decision, ...]) -> frozenset[ObjectRef]:
    return frozenset(
        ObjectRef(kind=decision.kind, id=decision.id) for decision in decisions if decision.verdict == "remove"
    )


def _removals(inventory: Inventory, going: frozenset[ObjectRef], holds: Holds) -> Iterator[Removal]:
    for kind in ORDER:
        objects = [seen for seen in objects_of(inventory, kind) if ref_of(seen) in going]
        for seen in holders_first(objects, holds):
            after = tuple(hold.by for hold in holds.get(ref_of(seen), ()))
            if isinstance(seen, Image):
                yield from _untags(seen, after)
            yield Removal(
                kind=kind_of(seen),
                id=id_of(seen),
                name=name_of(seen),
                action="remove",
                fingerprint=_last_fingerprint(seen),
                reclaim=NOTHING,
                after=after,
            )


def _untags(image: Image, after: tuple[ObjectRef, ...]) -> Iterator[Removal]:
    """All tags but the first: an engine refuses to remove by its id an image that has several (engine-api.md §4)."""
    for left in range(len(image.tags), 1, -1):
        yield Removal(
            kind="image",
            id=image.id,
            name=image.tags[left - 1],
            action="untag",
            fingerprint=image_fingerprint(image.id, image.tags[:left]),
            reclaim=NOTHING,
            after=after,
        )


def _last_fingerprint(seen: Object) -> Fingerprint:
    return image_fingerprint(seen.id, seen.tags[:1]) if isinstance(seen, Image) else fingerprint_of(seen)
