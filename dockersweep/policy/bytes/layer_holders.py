"""Who holds the layers that stay when an object is removed, so that it frees far less than its size."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property

from dockersweep.model.inventory import Inventory, Kind
from dockersweep.model.naming import ref_of
from dockersweep.model.plan import Interval, LayersHeld
from dockersweep.policy.bytes.layer_graph import LayerGraph, reached
from dockersweep.policy.bytes.sizes import LEAST_SURPRISE_BYTES, is_far_less

MOST_COUNTED = 100
"""More holders of a layer than this are not counted: it would take too long."""


class LayerHolders:
    """Finds the layers of removed objects that stay, and who certainly holds them."""

    def __init__(self, graph: LayerGraph, freed: Collection[int], inventory: Inventory) -> None:
        """`freed` are the nodes that the removals certainly or perhaps free."""
        self._graph = graph
        self._freed = freed
        self._inventory = inventory
        self._left: dict[int, int] = {}
        self._kinds: dict[Kind, frozenset[int]] = {}
        self._counts: dict[tuple[Kind, tuple[int, ...]], int | None] = {}

    def of(self, kind: Kind, node: int, frees: Interval) -> LayersHeld | None:
        """Return who holds layers of an object, if `frees`, what it frees, is clearly less than its size."""
        if kind == "image":
            return self._of_image(node, frees)
        return self._of_record(node) if kind == "build-cache" else None

    def _of_image(self, node: int, frees: Interval) -> LayersHeld | None:
        """Layers that only build-cache records hold would be freed with these; for others, say how many images share
        them. Layers that other removals of the plan free need no explanation."""
        if self._left_bytes(node) < LEAST_SURPRISE_BYTES:
            return None
        frees_in_all, by_cache, others = self._sorted(self._below([node]))
        if self._is_clear(by_cache, frees_in_all):
            with_them = frees + self._size(by_cache) if self._held_by_builds.isdisjoint(by_cache) else None
            return self._held(by_cache, "build-cache", with_them)
        return self._held(others, "image") if self._is_clear(others, frees_in_all) else None

    def of_images(self, nodes: Iterable[int], frees: Interval) -> LayersHeld | None:
        """Return how many build-cache records hold layers of these images, and what the plan would free with them;
        `frees` is what it frees without them."""
        frees_in_all, by_cache, _ = self._sorted(self._below(nodes))
        if not self._is_clear(by_cache, frees_in_all):
            return None
        records = self._of_kind("build-cache").intersection(self._above(by_cache))
        _, with_records, _ = self._sorted(self._below(records))
        staying = self._held_by(self._of_kind("build-cache") - records)
        can_go = self._held_by_builds.isdisjoint(records)
        with_them = frees + self._size([node for node in with_records if node not in staying]) if can_go else None
        count = len(records)
        return LayersHeld(by="build-cache", count=count if count <= MOST_COUNTED else None, with_them=with_them)

    def _of_record(self, node: int) -> LayersHeld | None:
        """Only the record's own layer: what it was built on belongs to other records."""
        frees, _, others = self._sorted([node, *self._own_parts(node)])
        return self._held(others, "image") if self._is_clear(others, frees) else None

    def _sorted(self, nodes: Iterable[int]) -> tuple[Interval, list[int], list[int]]:
        """Return the size of the freed nodes, the nodes that only build-cache records hold, and the others."""
        freed: list[int] = []
        by_cache: list[int] = []
        others: list[int] = []
        for node in nodes:
            if node in self._freed:
                freed.append(node)
            elif node in self._held_by_others:
                others.append(node)
            else:
                by_cache.append(node)
        return self._size(freed), by_cache, others

    def _is_clear(self, left: Sequence[int], frees: Interval) -> bool:
        """Whether these nodes are so large that their staying needs an explanation."""
        return bool(left) and is_far_less(frees, (frees.high_bytes or 0) + self._size(left).low_bytes)

    def _size(self, nodes: Sequence[int]) -> Interval:
        highs = [self._graph.high[node] for node in nodes]
        high = None if None in highs else sum(size or 0 for size in highs)
        return Interval(low_bytes=sum([self._graph.low[node] for node in nodes]), high_bytes=high)

    def _left_bytes(self, top: int) -> int:
        """Return the least size of a node and all below it that stays. Totals along chains, in which each node needs
        one other, are cached: the chains of most images end in a shared one."""
        needs, low, freed, known = self._graph.needs, self._graph.low, self._freed, self._left
        passed: dict[int, None] = {}
        node = top
        while node not in known and node not in passed and len(needs[node]) == 1:
            passed[node] = None
            node = needs[node][0]
        if node not in known:
            known[node] = sum([low[part] for part in self._below([node]) if part not in freed])
        total = known[node]
        for node in reversed(passed):
            known[node] = total = total + (0 if node in freed else low[node])
        return total

    def _below(self, starts: Iterable[int]) -> list[int]:
        """Return nodes and everything that they need."""
        return reached(starts, self._graph.needs.__getitem__)

    def _of_kind(self, kind: Kind) -> frozenset[int]:
        """Return the nodes of the objects of a kind."""
        if kind not in self._kinds:
            self._kinds[kind] = frozenset(self._graph.nodes[kind])
        return self._kinds[kind]

    def _own_parts(self, record: int) -> list[int]:
        """Return the parts directly below a record, and those behind parts of size 0, which only point to others."""
        needs, high, records = self._graph.needs, self._graph.high, self._of_kind("build-cache")
        own = [need for need in needs[record] if need not in records]
        # The list grows while it is gone through.
        for node in own:
            if high[node] == 0:
                own += [need for need in needs[node] if need not in own]
        return own

    @cached_property
    def _holders(self) -> dict[int, list[int]]:
        """Node -> the staying nodes that need it."""
        holders: defaultdict[int, list[int]] = defaultdict(list)
        for node, needs in enumerate(self._graph.needs):
            if needs and node not in self._freed:
                for need in needs:
                    holders[need].append(node)
        return holders

    @cached_property
    def _held_by_others(self) -> set[int]:
        """The nodes that anything but build-cache records holds."""
        records = self._of_kind("build-cache")
        objects = set(self._graph.of_objects())
        # A part without an object and without a holder exists for a holder that no list shows.
        return self._held_by(
            node
            for node in range(len(self._graph.needs))
            if node not in records and (node in objects or node not in self._holders)
        )

    @cached_property
    def _held_by_builds(self) -> set[int]:
        """The nodes of records that a build uses, which therefore cannot be removed."""
        in_use = [ref_of(record) for record in self._inventory.build_cache or () if record.in_use]
        return self._held_by(node for node in self._graph.nodes_of(in_use) if node is not None)

    def _held_by(self, nodes: Iterable[int]) -> set[int]:
        """Return the staying nodes among these, and everything that they need."""
        return set(self._below([node for node in nodes if node not in self._freed]))

    def _held(self, nodes: Sequence[int], by: Kind, with_them: Interval | None = None) -> LayersHeld | None:
        """Return how many objects of a kind hold these nodes; None where none does."""
        among = set(nodes)
        # A holder of a layer holds those below it too.
        lowest = tuple(sorted(node for node in nodes if among.isdisjoint(self._graph.needs[node])))
        if (by, lowest) not in self._counts:
            # Most images share their layers with many others.
            self._counts[by, lowest] = self._count(by, lowest)
        count = self._counts[by, lowest]
        return None if count == 0 else LayersHeld(by=by, count=count, with_them=with_them)

    def _count(self, by: Kind, nodes: Iterable[int]) -> int | None:
        counted, count = self._of_kind(by), 0
        for node in self._above(nodes):
            count += node in counted
            if count > MOST_COUNTED:
                return None
        return count

    def _above(self, nodes: Iterable[int]) -> Iterator[int]:
        """Yield these nodes and all staying nodes that need them."""
        waiting = list(nodes)
        visited = set(waiting)
        # The list grows while it is gone through.
        for node in waiting:
            yield node
            for holder in self._holders.get(node, ()):
                if holder not in visited:
                    visited.add(holder)
                    waiting.append(holder)
