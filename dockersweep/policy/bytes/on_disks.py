"""Which of an engine's disks its objects lie on."""

from collections import defaultdict
from collections.abc import Collection

from dockersweep.model.disk import longest_place
from dockersweep.model.inventory import Inventory, Kind, ObjectRef
from dockersweep.model.storage import Part
from dockersweep.policy.bytes.disks import regions_of, regions_of_parts
from dockersweep.policy.bytes.layer_graph import LayerGraph, reached


class OnDisks:
    """The disks of each object of an inventory: all that have anything it depends on, shared or not."""

    def __init__(self, inventory: Inventory, graph: LayerGraph) -> None:
        """Find the disk of each part. The objects that depend on a disk are found when first needed."""
        self.disks = inventory.disks
        self.regions = regions_of(inventory)
        """Those of the disks come first, in their order."""
        self.of_nodes = regions_of_parts(graph.parts, self.regions, inventory.engine.root_dir)
        """The index of the disk of each node, among the inventory's disks; None for a part on none of them."""
        kinds = [disk.places for disk in inventory.disks]
        for node, part in enumerate(graph.parts):
            if part.folder is None:
                self.of_nodes[node] = longest_place(_kind_of(part), kinds) or 0
        self._graph = graph
        self._holders: dict[int, list[int]] = {}
        self._dependents: dict[int, set[int]] = {}

    def has(self, ref: ObjectRef, disk: int) -> bool:
        """Whether an object depends on anything on a disk."""
        return self._graph.node_of(ref) in self._depending_on(disk)

    def of_own_part(self, ref: ObjectRef) -> int | None:
        """Return the disk of an object's own part."""
        return self.of_nodes[self._graph.nodes[ref.kind][self._graph.places[ref.kind][ref.id]]]

    def of_kinds(self, kinds: Collection[Kind]) -> tuple[int, ...]:
        """Return the disks that objects of these kinds depend on; the first one where there are none."""
        nodes = [node for kind in kinds for node in self._graph.nodes[kind]]
        return tuple(disk for disk in range(len(self.disks)) if not self._depending_on(disk).isdisjoint(nodes)) or (0,)

    def _depending_on(self, disk: int) -> set[int]:
        """Return the nodes with bytes on a disk, and all that depend on them."""
        if disk not in self._dependents:
            holders = self._holders = self._holders or _holders(self._graph)
            nodes = [node for node, own_disk in enumerate(self.of_nodes) if own_disk == disk and self._says_where(node)]
            self._dependents[disk] = set(reached(nodes, lambda node: holders.get(node, ())))
        return self._dependents[disk]

    def _says_where(self, node: int) -> bool:
        """Whether the disk of a part is where its object has its bytes: not for the few kB of an image's description,
        as its layers have all the rest."""
        only_describes = self._graph.parts[node].id.startswith("image:") and bool(self._graph.needs[node])
        return self._graph.high[node] != 0 and not only_describes


def _kind_of(part: Part) -> str:
    """Return the kind of object that a part without a folder belongs to. In a case of `policy test`, which has no
    folders, the places of a disk include names of kinds."""
    kind = part.id.partition(":")[0]
    return "image" if kind == "layer" else kind


def _holders(graph: LayerGraph) -> dict[int, list[int]]:
    """Return node -> the nodes that need it, or may."""
    holders: dict[int, list[int]] = defaultdict(list)
    for node, needs in enumerate(graph.needs):
        for need in (*needs, *graph.maybe.get(node, ())):
            holders[need].append(node)
    return holders
