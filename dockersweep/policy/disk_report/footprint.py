"""What each object has for itself and what it shares, so that what is counted for all of them is counted once.

A part belongs to the first of the kinds that reach it: images, then build cache, containers, volumes; within its kind
it is one object's own, or shared by several. A build-cache record reaches what it was built on too, but that is the own
of the records that have it.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from dockersweep.model.inventory import BuildCacheRecord, Image, Inventory, Kind, Object
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import ObjectRef
from dockersweep.policy.holdings import find_holdings
from dockersweep.policy.sizes import size_base

_FIRST: tuple[Kind, ...] = ("image", "build-cache", "container", "volume")


class Footprint:
    """The parts of one inventory's objects. Needs time in proportion to what each of them reaches."""

    def __init__(
        self, inventory: Inventory, in_use: Collection[ObjectRef], sizes: Mapping[ObjectRef, int | None]
    ) -> None:
        """`sizes` are those of whole objects, for where nothing tells of their parts."""
        graph = find_holdings(inventory)
        self._on_disk = size_base(inventory) == "disk"
        self._needs = graph.needs
        self._sizes = sizes
        self._objects = set(graph.node_of.values())
        self._bytes = [
            high if (self._on_disk or low == high) and node not in graph.maybe else None
            for node, (low, high) in enumerate(zip(graph.low, graph.high, strict=True))
        ]
        self._of: dict[ObjectRef, tuple[int, ...]] = {}
        self._own: dict[ObjectRef, tuple[int, ...]] = {}
        self._holders: dict[Kind, Counter[int]] = {}
        self._seen = {ref_of(seen): seen for seen in objects_of(inventory)}
        taken: set[int] = set()
        for kind in _FIRST:
            holders = self._holders[kind] = Counter()
            for ref in map(ref_of, objects_of(inventory, kind)):
                node = graph.node_of[ref]
                self._of[ref] = self._reached(node, taken)
                self._own[ref] = self._at_hand(node, taken) if kind == "build-cache" else self._of[ref]
                holders.update(self._own[ref])
            for ref in map(ref_of, objects_of(inventory, kind)):
                taken.update(self._of[ref])
        self._used = self._all_reached([graph.node_of[ref] for ref in in_use])

    def own_bytes(self, ref: ObjectRef) -> int | None:
        """Return what an object has for itself, which comes back when it alone goes; None where that is not known."""
        if ref.kind == "network":
            return 0
        if not self._on_disk and ref.kind != "image":
            return self._told(ref)
        holders = self._holders[ref.kind]
        own = _sum(self._bytes[part] for part in self._own[ref] if holders[part] == 1)
        return self._told(ref) if own is None and not self._on_disk else own

    def together(self, refs: Iterable[ObjectRef]) -> tuple[int | None, int | None]:
        """Return what objects take together, what they share once; and what of that nothing that is used needs."""
        parts: set[int] = set()
        size: int | None = 0
        unused: int | None = 0
        for ref in refs:
            if ref.kind == "network":
                continue
            if self._on_disk or ref.kind == "image":
                parts.update(self._of[ref])
            else:
                told = self._told(ref)
                size = _added(size, told)
                unused = _added(unused, 0 if self._of[ref][0] in self._used else told)
        size = _added(size, _sum(self._bytes[part] for part in parts))
        return size, _added(unused, _sum(self._bytes[part] for part in parts if part not in self._used))

    def layers_by_images(self) -> dict[int, list[int | None]]:
        """Return the sizes of layers by the number of images that they stand under; images themselves are none."""
        found: dict[int, list[int | None]] = {}
        for part, images in self._holders["image"].items():
            if part not in self._objects and self._bytes[part] != 0:
                found.setdefault(images, []).append(self._bytes[part])
        return found

    def _told(self, ref: ObjectRef) -> int | None:
        seen: Object = self._seen[ref]
        size = self._sizes[ref]
        if isinstance(seen, Image):
            return None if size is None or seen.shared_bytes is None else max(0, size - seen.shared_bytes)
        # What a record shares is counted with the images.
        return 0 if isinstance(seen, BuildCacheRecord) and seen.shared else size

    def _reached(self, start: int, taken: Collection[int]) -> tuple[int, ...]:
        """Return a node and all below it, but for other objects and what is taken."""
        return (start, *(self._below(start, taken, lambda node: True) - {start}))

    def _at_hand(self, start: int, taken: Collection[int]) -> tuple[int, ...]:
        """Return a node and those right below it, through those that take nothing and only point at another."""
        return tuple(self._below(start, taken, lambda node: self._bytes[node] == 0))

    def _below(self, start: int, taken: Collection[int], leads_on: Callable[[int], bool]) -> set[int]:
        """Return a node and those below it that are reached through what leads on."""
        seen = {start}
        waiting = [start]
        while waiting:
            for node in self._needs[waiting.pop()]:
                if node not in seen and node not in taken and node not in self._objects:
                    seen.add(node)
                    if leads_on(node):
                        waiting.append(node)
        return seen

    def _all_reached(self, starts: Sequence[int]) -> set[int]:
        seen = set(starts)
        waiting = list(starts)
        while waiting:
            for node in self._needs[waiting.pop()]:
                if node not in seen:
                    seen.add(node)
                    waiting.append(node)
        return seen


def _sum(sizes: Iterable[int | None]) -> int | None:
    total = 0
    for size in sizes:
        if size is None:
            return None
        total += size
    return total


def _added(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
