"""How large objects are, in the base of the inventory's storage: lengths as the engine tells them, or disk blocks."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import chain

from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Inventory, Kind, Network, Object
from dockersweep.model.naming import ref_of, size_of
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import known_sum
from dockersweep.model.storage import Part, SizeBase
from dockersweep.policy.bytes.layer_graph import COUNTED, EMPTY_GRAPH, LayerGraph, reached


def size_base(inventory: Inventory) -> SizeBase:
    """Return what sizes are counted in."""
    return inventory.storage.base if inventory.storage else "lengths"


LEAST_SURPRISE_BYTES = 1_000_000


def is_far_less(frees: Interval, size: int | None) -> bool:
    """Return whether what an object frees surprises beside its size: two thirds of it at the most, and a megabyte
    less."""
    if size is None or frees.high_bytes is None:
        return False
    return size - frees.high_bytes >= max(frees.high_bytes // 2, LEAST_SURPRISE_BYTES)


class Sizes:
    """The sizes of one inventory's objects, those that they share with others included."""

    def __init__(self, graph: LayerGraph | None) -> None:
        """`graph` is None where sizes are lengths, which objects tell of themselves."""
        self._on_disk = graph is not None
        self._graph = graph or EMPTY_GRAPH
        self._below: dict[int, int | None] = {}

    def of(self, seen: Object) -> int | None:
        """Return the size in bytes, None where it is not known; a network takes nothing."""
        if not self._on_disk or type(seen) is Network:
            return size_of(seen)
        own = self._graph.node_of(ref_of(seen))
        return None if own is None else self.of_node(own, seen)

    def of_node(self, own: int, seen: Object) -> int | None:
        """Return the same of an object with this number in the layer graph."""
        if not self._on_disk or type(seen) is Network:
            return size_of(seen)
        high = self._graph.high
        if type(seen) is Image:
            return self._with_all_below(own)
        if type(seen) is Container:
            layer = [high[one] for one in self._direct(own) if self._is_its_own(one)]
            return known_sum([high[own], *layer]) if layer else high[own]
        if type(seen) is BuildCacheRecord:
            return known_sum([high[own], *[high[one] for one in self._direct(own)]])
        return high[own]

    def everything(self, kind: Kind) -> Interval:
        """Return what all objects of a kind take on disk, what they share counted once, and what is counted with a
        kind before it left out; of what is not known nothing is in the lower bound, and there is no upper one."""
        sizes = [self._graph.high[node] for node in self._graph.counted[kind]]
        known = [size for size in sizes if size is not None]
        low = sum(known)
        return Interval(low_bytes=low, high_bytes=low if len(known) == len(sizes) else None)

    def lying_in(self, regions: Sequence[int | None], count: int) -> list[dict[Kind, Interval]]:
        """Return the same in each of so many regions of the storage, for all kinds; `regions` has the region of each
        part, None for what lies in none of them."""
        low = [dict.fromkeys(COUNTED, 0) for _ in range(count)]
        unknown = [set[Kind]() for _ in range(count)]
        for kind, nodes in self._graph.counted.items():
            for node in nodes:
                region, size = regions[node], self._graph.high[node]
                if region is None:
                    continue
                if size is None:
                    unknown[region].add(kind)
                else:
                    low[region][kind] += size
        return [
            {kind: Interval(low_bytes=size, high_bytes=None if kind in unknown[region] else size)
             for kind, size in low[region].items()}
            for region in range(count)
        ]  # fmt: skip

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts, in the order in which `lying_in` is told their regions."""
        return self._graph.parts

    def _is_its_own(self, node: int) -> bool:
        """Whether a part below a container is its writable layer, and not of its image."""
        return not self._graph.parts[node].id.startswith("layer:") and self._needed[node] == 1

    @cached_property
    def _needed(self) -> Counter[int]:
        """How many parts need each."""
        return Counter(chain.from_iterable(self._graph.needs))

    def _direct(self, own: int) -> list[int]:
        """Return the parts right below one, through those that only point at another. A record also needs those that
        it was built on, which count for themselves."""
        graph, found = self._graph, []
        waiting = [one for one in graph.needs[own] if not graph.parts[one].id.startswith("build-cache:")]
        if 0 not in [graph.high[one] for one in waiting]:
            return waiting
        seen = set(waiting)
        while waiting:
            node = waiting.pop()
            if graph.high[node] == 0 and graph.parts[node].folder is None:
                waiting += [one for one in graph.needs[node] if one not in seen]
                seen.update(graph.needs[node])
            else:
                found.append(node)
        return found

    def _with_all_below(self, top: int) -> int | None:
        """Add up a part and all that it depends on. A chain, in which each needs one other, is added up only once."""
        needs, below = self._graph.needs, self._below
        passed: dict[int, None] = {}
        node = top
        while node not in below and node not in passed and len(needs[node]) == 1:
            passed[node] = None
            node = needs[node][0]
        total = below[node] if node in below else self._spread(node)
        for node in reversed(passed):
            high = self._graph.high[node]
            below[node] = total = None if total is None or high is None else total + high
        return total

    def _spread(self, top: int) -> int | None:
        """Add up where the ways part and may meet again: each part once."""
        nodes = reached([top], self._graph.needs.__getitem__)
        return known_sum([self._graph.high[node] for node in nodes])
