"""Counts references as an engine does: what a removal takes away, and which parts nothing needs any more."""

from collections.abc import Iterable, Mapping
from itertools import chain

from dockersweep.policy.bytes.layer_graph import LayerGraph


class ReferenceCounts:
    """How many references each part has, from objects and from other parts."""

    def __init__(self, graph: LayerGraph, maybe: Mapping[int, tuple[int, ...]]) -> None:
        """Count them; `maybe` is what parts need besides what the graph says that they certainly do."""
        self.needs = graph.needs
        self.maybe = maybe
        self.counts = [0] * len(graph.low)
        for node in chain.from_iterable(chain(graph.needs, maybe.values())):
            self.counts[node] += 1
        # An object's part has one more for being an object's. What is no object's and is needed by nothing stands
        # for a holder that no list shows: it has none to lose, and so is never reached.
        for node in graph.of_objects():
            self.counts[node] += 1

    def released_by(self, removals: Iterable[int | None]) -> dict[int, int]:
        """Return the parts that removals free: part -> index of the removal that frees it."""
        release, counts, needs, maybe = Release(self), self.counts, self.needs, self.maybe
        found: dict[int, int] = {}
        for place, node in enumerate(removals):
            if node is None:
                continue
            if counts[node] == 1 and not needs[node] and node not in maybe:
                # Most objects are so: nothing else holds them, and they hold nothing.
                found.setdefault(node, place)
            else:
                found.update(dict.fromkeys(release.remove(node), place))
        return found


class Release:
    """Removals one after the other. All together need time in proportion to the parts that are reached."""

    def __init__(self, references: ReferenceCounts, and_maybe: bool = True) -> None:
        """Begin with nothing removed. Without `and_maybe` what a removed object may hold stays held."""
        self._references = references
        self._maybe = references.maybe if and_maybe else {}
        self._taken: dict[int, int] = {}

    def remove(self, node: int) -> list[int]:
        """Take the reference away that a part has for being an object's; return the parts that this frees."""
        counts, needs, taken = self._references.counts, self._references.needs, self._taken
        released: list[int] = []
        waiting = [node]
        while waiting:
            one = waiting.pop()
            taken[one] = times = taken.get(one, 0) + 1
            if times == counts[one]:
                released.append(one)
                waiting += needs[one]
                if one in self._maybe:
                    waiting += self._maybe[one]
        return released
