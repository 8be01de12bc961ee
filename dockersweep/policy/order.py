"""The order in which objects are judged and removed: what holds another comes before what it holds."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from dockersweep.model.inventory import Kind, Object
from dockersweep.model.naming import id_of, ref_of
from dockersweep.model.plan import Decision, ObjectRef
from dockersweep.policy.references import Holds

T = TypeVar("T")

# What holds goes before what is held: containers hold all that follows. The build cache comes last, because images
# may stand on its layers, and a record that became unshared is then gone in one run.
ORDER: tuple[Kind, ...] = ("container", "image", "volume", "network", "build-cache")


def in_order_of_removal(decisions: Iterable[Decision]) -> list[Decision]:
    """Return decisions kind by kind as removals go."""
    return sorted(decisions, key=lambda decision: ORDER.index(decision.kind))


def holders_first(objects: Iterable[Object], holds: Holds) -> Iterator[tuple[ObjectRef, Object]]:
    """Yield the objects of one kind so that each comes after all of its kind that hold it: children first.

    Where nothing holds them they come in the order of their ids. What hangs in a circle, which no engine should tell,
    comes last.
    """
    return after_holders({ref_of(seen): seen for seen in sorted(objects, key=id_of)}, holds)


def after_holders(by_ref: Mapping[ObjectRef, T], holds: Holds) -> Iterator[tuple[ObjectRef, T]]:
    """Yield what stands for objects of one kind, as it is ordered, but after all of its kind that hold it."""
    waiting_for: dict[ObjectRef, set[ObjectRef]] = {}
    held_by: defaultdict[ObjectRef, list[ObjectRef]] = defaultdict(list)
    for ref in by_ref:
        known = holds.get(ref)
        of_own_kind = [hold.by for hold in known if hold.by.kind == ref.kind] if known else ()
        holders = {one for one in of_own_kind if one != ref and one in by_ref} if of_own_kind else ()
        if holders:
            waiting_for[ref] = holders
            for holder in holders:
                held_by[holder].append(ref)
    if not waiting_for:
        yield from by_ref.items()
        return
    ready = deque(ref for ref in by_ref if ref not in waiting_for)
    while ready:
        ref = ready.popleft()
        yield ref, by_ref[ref]
        for held in held_by.get(ref, ()):
            waiting = waiting_for[held]
            waiting.discard(ref)
            if not waiting:
                del waiting_for[held]
                ready.append(held)
    for ref in waiting_for:
        yield ref, by_ref[ref]
