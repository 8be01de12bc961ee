"""Which objects nothing uses, whatever a policy would do with them."""

from collections.abc import Collection

from dockersweep.model.inventory import KINDS, ObjectRef
from dockersweep.model.listed import Listing
from dockersweep.policy.judging.hard_protections import HardProtections
from dockersweep.policy.judging.holders import Holders
from dockersweep.policy.judging.order import holders_first


def find_unused(listing: Listing, holders: Holders, hard: HardProtections) -> frozenset[ObjectRef]:
    """Return what is of no use; what a stopped container names is used.

    A parent is used where something used depends on it, so what holds comes before what is held.
    """
    unused: set[ObjectRef] = set()
    for kind in KINDS:
        listed, held_by = listing.of_kind(kind), holders.of_kind(kind)
        staying = hard.of_kind(kind, held_by)
        for place in holders_first(kind, range(len(listed)), holders):
            if place not in staying and not any(uses(hold.by, unused) for hold in held_by[place]):
                unused.add(listed.ref(place))
    return frozenset(unused)


def freed_by(removed: Collection[ObjectRef], holders: Holders) -> list[ObjectRef]:
    """Return what is left and was held by nothing but what has been removed."""
    return [
        held for held, holds in holders.items() if held not in removed and all(hold.by in removed for hold in holds)
    ]


def uses(holder: ObjectRef, unused: set[ObjectRef] | frozenset[ObjectRef]) -> bool:
    """Whether what a holder holds is used by that: a container uses it in any state."""
    return holder.kind == "container" or holder not in unused
