"""Which objects nothing uses, whatever a policy says."""

from collections.abc import Collection

from dockersweep.model.inventory import KINDS, ObjectRef
from dockersweep.model.listed import Listing
from dockersweep.policy.judging.hard_protections import HardProtections
from dockersweep.policy.judging.holders import Holders
from dockersweep.policy.judging.order import holders_first


def find_unused(listing: Listing, holders: Holders, hard: HardProtections) -> frozenset[ObjectRef]:
    """Return the unused objects; what a stopped container holds is in use.

    A parent is in use where a child in use depends on it, so holders are looked at first.
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
    """Return the remaining objects whose holders have all been removed."""
    return [
        held for held, holds in holders.items() if held not in removed and all(hold.by in removed for hold in holds)
    ]


def uses(holder: ObjectRef, unused: set[ObjectRef] | frozenset[ObjectRef]) -> bool:
    """Whether being held by this holder is a use: by a container in any state, or by anything in use."""
    return holder.kind == "container" or holder not in unused
