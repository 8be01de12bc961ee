"""Which of an engine's disks its objects lie on."""

from collections import defaultdict
from collections.abc import Collection

from dockersweep.model.disk import longest_place
from dockersweep.model.inventory import Inventory, Kind, ObjectRef
from dockersweep.model.storage import Part
from dockersweep.policy.bytes.disks import regions_of, regions_of_parts
from dockersweep.policy.bytes.layer_graph import LayerGraph, reached


class OnDisks:
    """On which disks the objects of an inventory lie: each wherever anything it depends on lies, shared or not."""

    def __init__(self, inventory: Inventory, graph: LayerGraph) -> None:
        """Find the disk of each part; what depends on a disk is found when it is first asked for."""
        self.disks = inventory.disks
        self.regions = regions_of(inventory)
        """Those of the disks come first, in their order."""
        self.of_nodes = regions_of_parts(graph.parts, self.regions, inventory.engine.root_dir)
        """The disk of each part of the graph, as its place among the inventory's; None of what lies on none of them."""
        kinds = [disk.places for disk in inventory.disks]
        for node, part in enumerate(graph.parts):
            if part.folder is None:
                self.of_nodes[node] = longest_place(_kind_of(part), kinds) or 0
        self._graph = graph
        self._holders: dict[int, list[int]] = {}
        self._standing: dict[int, set[int]] = {}

    def has(self, ref: ObjectRef, disk: int) -> bool:
        """Whether an object has anything on a disk."""
        return self._graph.node_of(ref) in self._standing_on(disk)

    def of_own_part(self, ref: ObjectRef) -> int | None:
        """Return the disk of what an object has for itself alone."""
        return self.of_nodes[self._graph.nodes[ref.kind][self._graph.places[ref.kind][ref.id]]]

    def of_kinds(self, kinds: Collection[Kind]) -> tuple[int, ...]:
        """Return the disks that have anything of objects of these kinds; the first where there is nothing of them."""
        nodes = [node for kind in kinds for node in self._graph.nodes[kind]]
        return tuple(disk for disk in range(len(self.disks)) if not self._standing_on(disk).isdisjoint(nodes)) or (0,)

    def _standing_on(self, disk: int) -> set[int]:
        """Return the parts on a disk that hold anything, and all that depends on them."""
        if disk not in self._standing:
            holders = self._holders = self._holders or _holders(self._graph)
            lie_there = [node for node, of in enumerate(self.of_nodes) if of == disk and self._says_where(node)]
            self._standing[disk] = set(reached(lie_there, lambda node: holders.get(node, ())))
        return self._standing[disk]

    def _says_where(self, node: int) -> bool:
        """Whether a part tells where its object lies: not the few kB that only describe an image, whose layers are all
        the rest of it."""
        only_describes = self._graph.parts[node].id.startswith("image:") and bool(self._graph.needs[node])
        return self._graph.high[node] != 0 and not only_describes


def _kind_of(part: Part) -> str:
    """Return the kind of the objects that a part without a folder is of. In a case of `policy test`, where nothing has
    a folder, a disk has the names of kinds among its places."""
    kind = part.id.partition(":")[0]
    return "image" if kind == "layer" else kind


def _holders(graph: LayerGraph) -> dict[int, list[int]]:
    """Return what needs each part, or may need it."""
    found: dict[int, list[int]] = defaultdict(list)
    for node, needs in enumerate(graph.needs):
        for one in (*needs, *graph.maybe.get(node, ())):
            found[one].append(node)
    return found
