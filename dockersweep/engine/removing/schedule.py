"""The order in which workers remove the objects of a plan: an object is begun once its holders have outcomes.

Kinds are removed in parallel, each in the order of the plan, because an engine has separate locks for each. Images and
networks wait for all containers that can be begun: before each of them, the remaining containers are listed.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush

from dockersweep.model.inventory import Kind, ObjectRef
from dockersweep.model.plan import Removal

Unit = tuple[Removal, ...]
"""The removals of one object in order, for an image its tags first; or those of all build-cache records."""
_AFTER_CONTAINERS: frozenset[Kind] = frozenset(("image", "network"))
_WEIGHT_OF_CONTAINERS = 3
"""How many containers are being removed for each object of another kind. Images wait for all containers, and are then
removed in parallel to the remaining volumes; with weight 1 only images remained at the end."""


class Schedule:
    """Hands out the objects of a plan, each once. Safe for several threads."""

    def __init__(self, removals: Sequence[Removal], cache_comes_last: bool) -> None:
        """With `cache_comes_last` build cache is begun when everything else has an outcome."""
        self._units = list(_units(removals))
        self._under_way: Counter[Kind] = Counter()
        self._changed = threading.Condition()
        self._to_begin = len(self._units)
        # By their indexes in the plan; none is held by a later one.
        self._held_by: list[int] = []
        self._holds: defaultdict[int, list[int]] = defaultdict(list)
        self._ready: dict[Kind, list[int]] = {unit[0].kind: [] for unit in self._units}
        """Heaps, as objects may become ready in another order than the plan's."""
        place_of: dict[ObjectRef, int] = {}
        for place, unit in enumerate(self._units):
            first = unit[0]
            if first.kind == "build-cache" and cache_comes_last:
                holders = set(range(place))
            else:
                holders = {place_of[ref] for ref in first.after if ref in place_of}
            for holder in holders:
                self._holds[holder].append(place)
            self._held_by.append(len(holders))
            place_of[first.ref] = place
            if not holders:
                heappush(self._ready[first.kind], place)

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self._units)

    def begin(self) -> tuple[int, Unit] | None:
        """Return an object that may be removed now, with its index; None once all have been begun. Waits while all
        remaining ones have holders without an outcome."""
        with self._changed:
            self._changed.wait_for(lambda: not self._to_begin or any(self._ready.values()))
            if not self._to_begin:
                return None
            kind = self._next_kind()
            place = heappop(self._ready[kind])
            self._under_way[kind] += 1
            self._to_begin -= 1
            if not self._to_begin:
                self._changed.notify_all()
            return place, self._units[place]

    def end(self, place: int) -> None:
        """Note that an object has its outcomes: what it held may be begun, unless it has other holders."""
        with self._changed:
            self._under_way[self._units[place][0].kind] -= 1
            for held in self._holds.pop(place, ()):
                self._held_by[held] -= 1
                if not self._held_by[held]:
                    heappush(self._ready[self._units[held][0].kind], held)
                    self._changed.notify()

    def _next_kind(self) -> Kind:
        """Return the kind to begin next: the one with the fewest objects in progress, by weight."""
        ready = [kind for kind, places in self._ready.items() if places]

        def rank(kind: Kind) -> tuple[bool, float]:
            weight = _WEIGHT_OF_CONTAINERS if kind == "container" else 1
            return "container" in ready and kind in _AFTER_CONTAINERS, self._under_way[kind] / weight

        return min(ready, key=rank)


def _units(removals: Sequence[Removal]) -> Iterator[Unit]:
    unit: list[Removal] = []
    for removal in removals:
        if unit and not _go_together(unit[-1], removal):
            yield tuple(unit)
            unit = []
        unit.append(removal)
    if unit:
        yield tuple(unit)


def _go_together(before: Removal, removal: Removal) -> bool:
    return before.kind == removal.kind and (before.kind == "build-cache" or before.id == removal.id)
