"""How large objects are: as lengths that the engine reports, or in disk blocks, as the inventory's storage has it."""

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
    """Return whether sizes are lengths or disk blocks."""
    return inventory.storage.base if inventory.storage else "lengths"


LEAST_SURPRISE_BYTES = 1_000_000


def is_far_less(frees: Interval, size: int | None) -> bool:
    """Return whether an object frees so much less than its size that it needs an explanation: two thirds of it at the
    most, and a megabyte less."""
    if size is None or frees.high_bytes is None:
        return False
    return size - frees.high_bytes >= max(frees.high_bytes // 2, LEAST_SURPRISE_BYTES)


class Sizes:
    """The sizes of one inventory's objects, with what they share with others."""

    def __init__(self, graph: LayerGraph | None) -> None:
        """`graph` is None where sizes are lengths, which the objects have themselves."""
        self._on_disk = graph is not None
        self._graph = graph or EMPTY_GRAPH
        self._below: dict[int, int | None] = {}

    def of(self, item: Object) -> int | None:
        """Return the size in bytes, None where it is not known; a network has 0."""
        if not self._on_disk or type(item) is Network:
            return size_of(item)
        own = self._graph.node_of(ref_of(item))
        return None if own is None else self.of_node(own, item)

    def of_node(self, own: int, item: Object) -> int | None:
        """Return the same for an object with this node in the layer graph."""
        if not self._on_disk or type(item) is Network:
            return size_of(item)
        high = self._graph.high
        if type(item) is Image:
            return self._with_all_below(own)
        if type(item) is Container:
            layer = [high[part] for part in self._direct(own) if self._is_its_own(part)]
            return known_sum([high[own], *layer]) if layer else high[own]
        if type(item) is BuildCacheRecord:
            return known_sum([high[own], *[high[part] for part in self._direct(own)]])
        return high[own]

    def everything(self, kind: Kind) -> Interval:
        """Return what all objects of a kind use on disk: shared parts once, without those counted with a kind before
        it. Unknown sizes add nothing to the lower bound, and leave no upper one."""
        sizes = [self._graph.high[node] for node in self._graph.counted[kind]]
        known = [size for size in sizes if size is not None]
        low = sum(known)
        return Interval(low_bytes=low, high_bytes=low if len(known) == len(sizes) else None)

    def in_regions(self, regions: Sequence[int | None], count: int) -> list[dict[Kind, Interval]]:
        """Return the same for all kinds in each of `count` regions of the storage; `regions` has the region of each
        part, None for parts in none of them."""
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
        """The parts, in the order of the `regions` of `in_regions`."""
        return self._graph.parts

    def _is_its_own(self, node: int) -> bool:
        """Whether a part below a container is its writable layer, rather than its image's."""
        return not self._graph.parts[node].id.startswith("layer:") and self._needed[node] == 1

    @cached_property
    def _needed(self) -> Counter[int]:
        """Node -> how many parts need it."""
        return Counter(chain.from_iterable(self._graph.needs))

    def _direct(self, own: int) -> list[int]:
        """Return the parts directly below one, and those behind parts of size 0, which only point to others. Records
        that a record was built on are left out: they count for themselves."""
        graph, parts = self._graph, []
        waiting = [need for need in graph.needs[own] if not graph.parts[need].id.startswith("build-cache:")]
        if 0 not in [graph.high[need] for need in waiting]:
            return waiting
        visited = set(waiting)
        while waiting:
            node = waiting.pop()
            if graph.high[node] == 0 and graph.parts[node].folder is None:
                waiting += [need for need in graph.needs[node] if need not in visited]
                visited.update(graph.needs[node])
            else:
                parts.append(node)
        return parts

    def _with_all_below(self, top: int) -> int | None:
        """Add up a part and all that it needs. Totals along chains, in which each part needs one other, are cached."""
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
        """Add up a part and all that it needs where paths branch and may meet again: each part once."""
        nodes = reached([top], self._graph.needs.__getitem__)
        return known_sum([self._graph.high[node] for node in nodes])
