"""What the engine refused in several runs in a row is kept for a while: it would be offered for ever, and never go."""

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
    """Yield what is kept for it, with the reason: of an image the tag that could not be taken off, or all of it."""
    standing = [one for one in inventory.refusals or () if _stands(one, now)] if not policy.retry_refused else []
    if not standing:
        return
    wanted = {(one.kind, one.id) for one in standing}
    tags = {
        place: item.tags if isinstance(item, Image) else ()
        for item in objects_of(inventory)
        if (place := (kind_of(item), id_of(item))) in wanted
    }
    for one in standing:
        names = (one.name,) if one.action == "untag" else tags.get((one.kind, one.id)) or (None,)
        for name in names:
            yield one.kind, (one.id, name), _reason(one)


def _stands(one: Refusal, now: datetime) -> bool:
    return one.runs >= REFUSED_RUNS and RETRIED_AFTER.after(one.refused_at) > now


def _reason(one: Refusal) -> Reason:
    about = Refused(runs=one.runs, answer=one.text, retried_at=RETRIED_AFTER.after(one.refused_at))
    return Reason(code="refused", rule="protected", about=about)


def tried_again(policy: Policy, inventory: Inventory, ref: ObjectRef) -> Iterator[datetime]:
    """Yield the instants from which what the engine refused of an object is planned again."""
    for one in inventory.refusals or ():
        if (one.kind, one.id) == (ref.kind, ref.id) and one.runs >= REFUSED_RUNS and not policy.retry_refused:
            yield RETRIED_AFTER.after(one.refused_at)
