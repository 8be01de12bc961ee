"""What each object has for itself and what it shares, so that what is counted for all of them is counted once.

A part belongs to the first of the kinds that reach it: images, then build cache, containers, volumes; within its kind
it is one object's own, or shared by several. What images share with the build cache is nobody's own. A build-cache
record reaches what it was built on too, but that is the own of the records that have it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

from dockersweep.model.inventory import BuildCacheRecord, Image, Kind, Object
from dockersweep.model.quantities import known_sum
from dockersweep.policy.bytes.layer_graph import COUNTED, LayerGraph, reached
from dockersweep.policy.judging.survey import Survey


class Footprint:
    """The parts of one inventory's objects, which go by their numbers in the layer graph.

    Needs time in proportion to what each object reaches.
    """

    def __init__(self, survey: Survey, sizes: Mapping[int, int | None]) -> None:
        """`sizes` are those of whole objects, for where nothing tells of their parts."""
        graph = survey.layer_graph
        nodes = graph.nodes
        self._needs = graph.needs
        self._objects = set(graph.of_objects())
        self._bytes = graph.high
        self._shared = graph.of_images_and_cache
        self._parts: dict[int, tuple[int, ...]] = dict.fromkeys(nodes["network"], ())
        """What is counted of each object by its parts."""
        self._told: dict[int, int | None] = {}
        """What is counted of it because the engine tells it."""
        self.own_bytes: dict[int, int | None] = dict.fromkeys(nodes["network"], 0)
        """What each object has for itself, which is freed when it alone goes; None where that is not known."""
        taken = set(self._objects)
        if survey.size_base == "lengths":
            self._bytes = tuple(_exact_bytes(graph))
        for kind in COUNTED:
            holders = self._count(kind, nodes[kind], taken)
            if kind == "image":
                self._images_on = holders
        if survey.size_base == "lengths":
            self._count_as_told(survey, sizes)
        unused = survey.unused
        referenced = zip(survey.objects, graph.of_objects(), strict=True)
        self._used = set(reached([node for ref, node in referenced if ref not in unused], self._needs.__getitem__))

    def _count(self, kind: Kind, nodes: Iterable[int], taken: set[int]) -> Counter[int]:
        """Count what objects of one kind have, and take it; return how many have each part."""
        needs = self._needs
        below = {node: self._reached(node, taken) if needs[node] else (node,) for node in nodes}
        own = {node: self._at_hand(node, taken) for node in nodes} if kind == "build-cache" else below
        own_bytes, sizes, shared = self.own_bytes, self._bytes, self._shared
        holders = Counter(chain.from_iterable(own.values()))
        for node, parts in own.items():
            # Most have one part only, which nothing else has.
            own_bytes[node] = sizes[node]
            if len(parts) > 1:
                alone = [one for one in parts if holders[one] == 1 and one not in shared]
                own_bytes[node] = known_sum([sizes[one] for one in alone])
        self._parts.update(below)
        taken.update(chain.from_iterable(below.values()))
        return holders

    def _count_as_told(self, survey: Survey, sizes: Mapping[int, int | None]) -> None:
        """Count what the engine tells of objects instead of their parts; of an image only where these are unknown."""
        for (ref, item), node in zip(survey.objects.items(), survey.layer_graph.of_objects(), strict=True):
            told = _told(item, sizes[node])
            if ref.kind in COUNTED and ref.kind != "image":
                self._parts[node] = ()
                self._told[node] = self.own_bytes[node] = told
            elif self.own_bytes[node] is None:
                self.own_bytes[node] = told

    def together(self, nodes: Collection[int]) -> tuple[int | None, int | None]:
        """Return what objects take together, what they share once; and what of that nothing that is used needs."""
        parts, used = set(chain.from_iterable([self._parts[node] for node in nodes])), self._used
        told = [node for node in nodes if node in self._told]
        size = known_sum([*self._sizes(parts), *[self._told[node] for node in told]])
        idle = [self._told[node] for node in told if node not in used]
        return size, known_sum([*self._sizes(parts.difference(used)), *idle])

    def _sizes(self, parts: Iterable[int]) -> list[int | None]:
        return [self._bytes[part] for part in parts]

    def layers_by_images(self) -> dict[int, list[int | None]]:
        """Return the sizes of layers by the number of images that they stand under; images themselves are none."""
        found: dict[int, list[int | None]] = {}
        for part, images in self._images_on.items():
            if part not in self._objects and self._bytes[part] != 0:
                found.setdefault(images, []).append(self._bytes[part])
        return found

    def _reached(self, start: int, taken: Collection[int]) -> tuple[int, ...]:
        """Return a node and all below it, but for what is taken, as the nodes of objects are."""
        needs, node = self._needs, start
        seen = {start: None}
        # Most layers depend on one other.
        while len(needs[node]) == 1:
            [node] = needs[node]
            if node in taken or node in seen:
                return tuple(seen)
            seen[node] = None
        waiting = [node]
        while waiting:
            for node in needs[waiting.pop()]:
                if node not in taken and node not in seen:
                    seen[node] = None
                    waiting.append(node)
        return tuple(seen)

    def _at_hand(self, start: int, taken: Collection[int]) -> tuple[int, ...]:
        """Return a node and those right below it, through those that take nothing and only point at another."""
        seen = {start: None}
        waiting = [start]
        while waiting:
            for node in self._needs[waiting.pop()]:
                if node not in taken and node not in seen:
                    seen[node] = None
                    if self._bytes[node] == 0:
                        waiting.append(node)
        return tuple(seen)


def _exact_bytes(graph: LayerGraph) -> Iterator[int | None]:
    for node, (low, high) in enumerate(zip(graph.low, graph.high, strict=True)):
        yield high if low == high and node not in graph.maybe else None


def _told(item: Object, size: int | None) -> int | None:
    """Return what an object has for itself by what the engine tells of it."""
    if type(item) is Image:
        return None if size is None or item.shared_bytes is None else max(0, size - item.shared_bytes)
    # What a record shares is not its own.
    return 0 if type(item) is BuildCacheRecord and item.shared else size
