"""Which objects nothing uses, whatever a policy would do with them."""

from collections.abc import Collection

from dockersweep.model.inventory import KINDS, Inventory, ObjectRef
from dockersweep.model.naming import objects_of
from dockersweep.policy.judging.hard_protections import HardProtections
from dockersweep.policy.judging.holders import Holders
from dockersweep.policy.judging.order import holders_first


def find_unused(inventory: Inventory, holders: Holders, hard: HardProtections) -> frozenset[ObjectRef]:
    """Return what is of no use; what a stopped container names is used.

    A parent is used where something used stands on it, so what holds comes before what is held.
    """
    unused: set[ObjectRef] = set()
    for kind in KINDS:
        for ref, item in holders_first(objects_of(inventory, kind), holders):
            held_by = holders.get(ref)
            is_used = held_by is not None and any(uses(holder.by, unused) for holder in held_by)
            if not is_used and not hard.of(ref, item, bool(held_by)):
                unused.add(ref)
    return frozenset(unused)


def freed_by(removed: Collection[ObjectRef], holders: Holders) -> list[ObjectRef]:
    """Return what is left and was held by nothing but what has been removed."""
    return [
        held for held, holds in holders.items() if held not in removed and all(hold.by in removed for hold in holds)
    ]


def uses(holder: ObjectRef, unused: set[ObjectRef] | frozenset[ObjectRef]) -> bool:
    """Whether what a holder holds is used by that: a container uses it in any state."""
    return holder.kind == "container" or holder not in unused
