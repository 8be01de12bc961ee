"""The order in which objects are judged and removed: a holder comes before what it holds."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence

from dockersweep.model.inventory import Kind
from dockersweep.model.plan import Decision
from dockersweep.policy.judging.holders import Holder, Holders

# Holders go first: containers hold all that follows. The build cache comes last, because images may depend on its
# layers, and a record that is no longer shared then goes in the same run.
ORDER: tuple[Kind, ...] = ("container", "image", "volume", "network", "build-cache")


def in_order_of_removal(decisions: Iterable[Decision]) -> list[Decision]:
    """Return decisions kind by kind in the order of removal."""
    return sorted(decisions, key=lambda decision: ORDER.index(decision.kind))


def holders_first(kind: Kind, places: Sequence[int], holders: Holders) -> Iterable[int]:
    """Return places of objects of one kind in their given order, but each after its holders of the same kind: children
    first.

    Objects that hold each other in a circle, which no engine should report, come last.
    """
    return _holders_first(kind, places, holders.of_kind(kind)) if kind in holders.own_kinds else places


def _others(kind: Kind, place: int, holders: Sequence[Holder]) -> Collection[int]:
    """Return the places of an object's holders of its own kind, each once."""
    if len(holders) == 1:
        # Most are held by one.
        hold = holders[0]
        return (hold.place,) if hold.about.kind == kind and hold.place != place else ()
    return {hold.place for hold in holders if hold.about.kind == kind and hold.place != place}


def _holders_first(kind: Kind, places: Sequence[int], holders: Sequence[Sequence[Holder]]) -> Iterator[int]:
    given = frozenset(places)
    waiting_for: dict[int, int] = {}
    held_by: defaultdict[int, list[int]] = defaultdict(list)
    ready: deque[int] = deque()
    for place in places:
        if not holders[place]:
            ready.append(place)
            continue
        own_kind = [holder for holder in _others(kind, place, holders[place]) if holder in given]
        for holder in own_kind:
            held_by[holder].append(place)
        if own_kind:
            waiting_for[place] = len(own_kind)
        else:
            ready.append(place)
    while ready:
        place = ready.popleft()
        yield place
        for held in held_by.get(place, ()):
            waiting_for[held] -= 1
            if not waiting_for[held]:
                del waiting_for[held]
                ready.append(held)
    yield from waiting_for
