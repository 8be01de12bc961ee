"""Counts references as an engine does: which parts a removal leaves without any."""

from collections.abc import Iterable, Mapping
from itertools import chain

from dockersweep.policy.bytes.layer_graph import LayerGraph


class ReferenceCounts:
    """How many references each part has, from objects and from other parts."""

    def __init__(self, graph: LayerGraph, maybe: Mapping[int, tuple[int, ...]]) -> None:
        """Count them; `maybe` has what nodes need beyond the certain needs of the graph."""
        self.needs = graph.needs
        self.maybe = maybe
        self.counts = [0] * len(graph.low)
        for node in chain.from_iterable(chain(graph.needs, maybe.values())):
            self.counts[node] += 1
        # The part of an object has one more reference, the object itself. A part without an object that nothing needs
        # has a holder that no list shows: it has no reference to lose, so it is never freed.
        for node in graph.of_objects():
            self.counts[node] += 1

    def freed_by(self, removals: Iterable[int | None]) -> dict[int, int]:
        """Return the parts that removals free: part -> index of the removal that frees it."""
        removed, counts, needs, maybe = Removals(self), self.counts, self.needs, self.maybe
        freed: dict[int, int] = {}
        for place, node in enumerate(removals):
            if node is None:
                continue
            if counts[node] == 1 and not needs[node] and node not in maybe:
                # The fast path: most objects have no other holder, and hold nothing.
                freed.setdefault(node, place)
            else:
                freed.update(dict.fromkeys(removed.remove(node), place))
        return freed


class Removals:
    """Removals one after the other. All of them together take time linear in the parts that they reach."""

    def __init__(self, references: ReferenceCounts, and_maybe: bool = True) -> None:
        """Begin with nothing removed. Without `and_maybe`, a removed object keeps its uncertain references."""
        self._references = references
        self._maybe = references.maybe if and_maybe else {}
        self._taken: dict[int, int] = {}

    def remove(self, node: int) -> list[int]:
        """Remove an object: take one reference from its part, and return the parts that this frees."""
        counts, needs, taken = self._references.counts, self._references.needs, self._taken
        freed: list[int] = []
        waiting = [node]
        while waiting:
            part = waiting.pop()
            taken[part] = times = taken.get(part, 0) + 1
            if times == counts[part]:
                freed.append(part)
                waiting += needs[part]
                if part in self._maybe:
                    waiting += self._maybe[part]
        return freed
