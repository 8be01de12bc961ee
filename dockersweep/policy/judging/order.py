"""The order in which objects are judged and removed: what holds another comes before what it holds."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from dockersweep.model.inventory import Kind, Object
from dockersweep.model.naming import by_id
from dockersweep.model.plan import Decision
from dockersweep.policy.judging.holders import Holder, Holders

T = TypeVar("T")

# What holds goes before what is held: containers hold all that follows. The build cache comes last, because images
# may stand on its layers, and a record that became unshared is then gone in one run.
ORDER: tuple[Kind, ...] = ("container", "image", "volume", "network", "build-cache")


def in_order_of_removal(decisions: Iterable[Decision]) -> list[Decision]:
    """Return decisions kind by kind as removals go."""
    return sorted(decisions, key=lambda decision: ORDER.index(decision.kind))


def holders_first(kind: Kind, objects: Iterable[Object], holders: Holders) -> Iterable[tuple[str, Object]]:
    """Return objects of one kind by their ids, as they are ordered, but each after all of its kind that hold it:
    children first.

    What hangs in a circle, which no engine should tell, comes last.
    """
    return after_holders(kind, by_id(kind, objects), holders)


def after_holders(kind: Kind, steps: Mapping[str, T], holders: Holders) -> Iterable[tuple[str, T]]:
    """Return what stands for objects of one kind, by their ids and as it is ordered, but after all of its kind that
    hold it."""
    return _after(kind, steps, holders.of_kind(kind)) if kind in holders.own_kinds else steps.items()


def _after(kind: Kind, steps: Mapping[str, T], holders_of: Mapping[str, Sequence[Holder]]) -> Iterator[tuple[str, T]]:
    waiting_for: dict[str, int] = {}
    held_by: defaultdict[str, list[str]] = defaultdict(list)
    ready: deque[str] = deque()
    for own in steps:
        holders = {hold.by.id for hold in holders_of.get(own, ()) if hold.by.kind == kind and hold.by.id in steps}
        holders.discard(own)
        for holder in holders:
            held_by[holder].append(own)
        if holders:
            waiting_for[own] = len(holders)
        else:
            ready.append(own)
    while ready:
        own = ready.popleft()
        yield own, steps[own]
        for held in held_by.get(own, ()):
            waiting_for[held] -= 1
            if not waiting_for[held]:
                del waiting_for[held]
                ready.append(held)
    for own in waiting_for:
        yield own, steps[own]
