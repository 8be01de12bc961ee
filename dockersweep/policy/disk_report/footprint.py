"""Which parts each object has for itself and which it shares, so that totals count each part once.

A part belongs to the first kind that reaches it: images, then build cache, containers, volumes; within its kind it is
one object's own, or shared by several. What images share with the build cache is no object's own. A build-cache record
also reaches the records that it was built on, but these have parts of their own.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

from dockersweep.model.inventory import BuildCacheRecord, Image, Kind, Object
from dockersweep.model.quantities import known_sum
from dockersweep.policy.bytes.layer_graph import COUNTED, LayerGraph, reached
from dockersweep.policy.judging.survey import Survey


class Footprint:
    """The parts of one inventory's objects, as nodes of the layer graph.

    Takes time linear in what each object reaches.
    """

    def __init__(self, survey: Survey, sizes: Mapping[int, int | None]) -> None:
        """`sizes` are those of whole objects, used where their parts are not known."""
        graph = survey.layer_graph
        nodes = graph.nodes
        self._needs = graph.needs
        self._objects = set(graph.of_objects())
        self._bytes = graph.high
        self._shared = graph.of_images_and_cache
        self._parts: dict[int, tuple[int, ...]] = dict.fromkeys(nodes["network"], ())
        """Object -> the parts by which it is counted."""
        self._listed_bytes: dict[int, int | None] = {}
        """Object -> what it has for itself by the engine's list, where it is counted by that."""
        self.own_bytes: dict[int, int | None] = dict.fromkeys(nodes["network"], 0)
        """Object -> the bytes of its own, which removing only this object frees; None where that is not known."""
        taken = set(self._objects)
        if survey.size_base == "lengths":
            self._bytes = tuple(_exact_bytes(graph))
        for kind in COUNTED:
            holders = self._count(kind, nodes[kind], taken)
            if kind == "image":
                self._images_on = holders
        if survey.size_base == "lengths":
            self._count_as_listed(survey, sizes)
        unused = survey.unused
        referenced = zip(survey.objects, graph.of_objects(), strict=True)
        self._used = set(reached([node for ref, node in referenced if ref not in unused], self._needs.__getitem__))

    def _count(self, kind: Kind, nodes: Iterable[int], taken: set[int]) -> Counter[int]:
        """Count the parts of the objects of one kind, and add them to `taken`; return how many have each part."""
        needs = self._needs
        below = {node: self._reached(node, taken) if needs[node] else (node,) for node in nodes}
        own = {node: self._directly_below(node, taken) for node in nodes} if kind == "build-cache" else below
        own_bytes, sizes, shared = self.own_bytes, self._bytes, self._shared
        holders = Counter(chain.from_iterable(own.values()))
        for node, parts in own.items():
            # Most objects have one part, which no other has.
            own_bytes[node] = sizes[node]
            if len(parts) > 1:
                alone = [part for part in parts if holders[part] == 1 and part not in shared]
                own_bytes[node] = known_sum([sizes[part] for part in alone])
        self._parts.update(below)
        taken.update(chain.from_iterable(below.values()))
        return holders

    def _count_as_listed(self, survey: Survey, sizes: Mapping[int, int | None]) -> None:
        """Count objects by the engine's list instead of their parts; an image only where its parts are unknown."""
        for (ref, item), node in zip(survey.objects.items(), survey.layer_graph.of_objects(), strict=True):
            own = _own_listed_bytes(item, sizes[node])
            if ref.kind in COUNTED and ref.kind != "image":
                self._parts[node] = ()
                self._listed_bytes[node] = self.own_bytes[node] = own
            elif self.own_bytes[node] is None:
                self.own_bytes[node] = own

    def together(self, nodes: Collection[int]) -> tuple[int | None, int | None]:
        """Return what objects use together, shared parts once, and how much of it nothing in use needs."""
        parts, used = set(chain.from_iterable([self._parts[node] for node in nodes])), self._used
        listed = [node for node in nodes if node in self._listed_bytes]
        size = known_sum([*self._sizes(parts), *[self._listed_bytes[node] for node in listed]])
        idle = [self._listed_bytes[node] for node in listed if node not in used]
        return size, known_sum([*self._sizes(parts.difference(used)), *idle])

    def _sizes(self, parts: Iterable[int]) -> list[int | None]:
        return [self._bytes[part] for part in parts]

    def layers_by_images(self) -> dict[int, list[int | None]]:
        """Return number of images -> sizes of the layers that so many images have."""
        sizes: dict[int, list[int | None]] = {}
        for part, images in self._images_on.items():
            if part not in self._objects and self._bytes[part] != 0:
                sizes.setdefault(images, []).append(self._bytes[part])
        return sizes

    def _reached(self, start: int, taken: Collection[int]) -> tuple[int, ...]:
        """Return a node and all below it, except nodes in `taken`, which has all objects."""
        needs, node = self._needs, start
        visited = {start: None}
        # Most layers depend on one other.
        while len(needs[node]) == 1:
            [node] = needs[node]
            if node in taken or node in visited:
                return tuple(visited)
            visited[node] = None
        waiting = [node]
        while waiting:
            for node in needs[waiting.pop()]:
                if node not in taken and node not in visited:
                    visited[node] = None
                    waiting.append(node)
        return tuple(visited)

    def _directly_below(self, start: int, taken: Collection[int]) -> tuple[int, ...]:
        """Return a node, those directly below it, and those behind nodes of size 0, which only point to others."""
        visited = {start: None}
        waiting = [start]
        while waiting:
            for node in self._needs[waiting.pop()]:
                if node not in taken and node not in visited:
                    visited[node] = None
                    if self._bytes[node] == 0:
                        waiting.append(node)
        return tuple(visited)


def _exact_bytes(graph: LayerGraph) -> Iterator[int | None]:
    for node, (low, high) in enumerate(zip(graph.low, graph.high, strict=True)):
        yield high if low == high and node not in graph.maybe else None


def _own_listed_bytes(item: Object, size: int | None) -> int | None:
    """Return what an object has for itself by the engine's list."""
    if type(item) is Image:
        return None if size is None or item.shared_bytes is None else max(0, size - item.shared_bytes)
    # A shared record has nothing of its own.
    return 0 if type(item) is BuildCacheRecord and item.shared else size
