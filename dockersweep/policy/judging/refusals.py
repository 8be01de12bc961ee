"""Keeps for a while what the engine refused to remove in several runs in a row, instead of planning it every time."""

from collections.abc import Iterator
from datetime import datetime

from dockersweep.model.inventory import Image, Inventory, Kind, ObjectRef, Refusal
from dockersweep.model.naming import id_of, kind_of, objects_of
from dockersweep.model.policy import Policy
from dockersweep.model.reason import Reason, Refused
from dockersweep.policy.judging.retention import Unit
from dockersweep.units import parse_age

REFUSED_RUNS = 3
RETRIED_AFTER = parse_age("7d")


def refused(inventory: Inventory, policy: Policy, now: datetime) -> Iterator[tuple[Kind, Unit, Reason]]:
    """Yield what is kept, with the reason: the tag that could not be removed from an image, or the whole object."""
    recent = [refusal for refusal in inventory.refusals or () if _is_recent(refusal, now)]
    if policy.retry_refused or not recent:
        return
    wanted = {(refusal.kind, refusal.id) for refusal in recent}
    tags = {
        place: item.tags if isinstance(item, Image) else ()
        for item in objects_of(inventory)
        if (place := (kind_of(item), id_of(item))) in wanted
    }
    for refusal in recent:
        names = (refusal.name,) if refusal.action == "untag" else tags.get((refusal.kind, refusal.id)) or (None,)
        for name in names:
            yield refusal.kind, (refusal.id, name), _reason(refusal)


def _is_recent(refusal: Refusal, now: datetime) -> bool:
    return refusal.runs >= REFUSED_RUNS and RETRIED_AFTER.after(refusal.refused_at) > now


def _reason(refusal: Refusal) -> Reason:
    about = Refused(runs=refusal.runs, answer=refusal.text, retried_at=RETRIED_AFTER.after(refusal.refused_at))
    return Reason(code="refused", rule="protected", about=about)


def tried_again(policy: Policy, inventory: Inventory, ref: ObjectRef) -> Iterator[datetime]:
    """Yield the instants from which refused removals of an object are planned again."""
    for refusal in inventory.refusals or ():
        if (
            (refusal.kind, refusal.id) == (ref.kind, ref.id)
            and refusal.runs >= REFUSED_RUNS
            and not policy.retry_refused
        ):
            yield RETRIED_AFTER.after(refusal.refused_at)
