"""Who holds which bytes: the parts of an inventory's storage as a graph, objects that the storage does not tell of
included, and what else may be held where the engine does not say.

Two graphs are kept in one. In the certain one an object needs what it is known to need; with `maybe` it also needs
whatever it may need. What is freed lies between what both say.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import chain
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from dockersweep.model.inventory import (
    KINDS,
    BuildCacheRecord,
    Container,
    Image,
    Inventory,
    Kind,
    Object,
    ObjectRef,
    Volume,
)
from dockersweep.model.listed import Listed, Listing
from dockersweep.model.naming import id_of, kind_of
from dockersweep.model.storage import Part
from dockersweep.policy.bytes.cache_layers import exclusive_bytes, may_hold
from dockersweep.policy.names.image_names import ImageNames

ANY_LAYER = "any layer"
"""The part that needs every part that images share: what an image of unknown layers may hold."""
ANYTHING = "anything"
"""The part that needs these and the images whose layers are not told: what a record or a container may hold."""
ANY_RECORD = "any record"
"""The part that needs the records whose layers no image has: a container whose image was removed may have them."""
UNREAD_CACHE = "build-cache"
"""Stands for records that were not read."""
_SHARED_PREFIXES = ("layer:", "blob:", "snapshot:")
COUNTED: tuple[Kind, ...] = ("image", "build-cache", "container", "volume")
"""The kinds that take something. What several have in common is counted with the first of them; a container whose image
was removed by force keeps its layers."""

CountedWith = Kind | Literal["shared"]
"""What a part is counted with: the first kind that reaches it, or what images and build cache share."""


class LayerGraph(Struct, frozen=True, dict=True):  # The dictionary is for what is computed once.
    """The graph. Nodes are numbers: first the parts that the storage tells of, then all else."""

    places: Mapping[Kind, Mapping[str, int]]
    """The places of the objects of each kind, by id."""
    nodes: Mapping[Kind, Sequence[int]]
    """The nodes of the objects of each kind, by their places."""
    told: tuple[Part, ...]
    others: Sequence[Object | str]
    """What the other nodes are: objects that the storage does not tell of, and ids of what stands for many parts."""
    on_disk: bool
    """Whether sizes are blocks of the disk."""
    low: Sequence[int]
    high: Sequence[int | None]
    needs: Sequence[tuple[int, ...]]
    maybe: Mapping[int, tuple[int, ...]]
    """What a node may need besides; the keys are the objects of which it is not known what they hold."""

    def node_of(self, ref: ObjectRef) -> int | None:
        """Return the node of an object; None where the inventory does not have it."""
        place = self.places[ref.kind].get(ref.id)
        return None if place is None else self.nodes[ref.kind][place]

    def nodes_of(self, refs: Sequence[ObjectRef]) -> list[int | None]:
        """Return the same of many objects."""
        places, nodes = self.places, self.nodes
        found = [places[ref.kind].get(ref.id) for ref in refs]
        return [None if place is None else nodes[ref.kind][place] for ref, place in zip(refs, found, strict=True)]

    def of_objects(self) -> Iterator[int]:
        """Yield the nodes of all objects, in the order of the inventory."""
        return chain.from_iterable(self.nodes.values())

    def part_id(self, node: int) -> str:
        """Return the id of a part."""
        return self.told[node].id if node < len(self.told) else _id_of_other(self.others[node - len(self.told)])

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """What each node is. A plan without a space target asks for none of them, so they are made for who does."""
        return (*self.told, *map(self._part, self.others, range(len(self.told), len(self.low))))

    @cached_property
    def counted(self) -> dict[Kind, list[int]]:
        """The nodes that the objects of each kind reach, those that were not listed included, without those that one
        before it does."""
        starts: dict[str, list[int]] = {kind: [] for kind in COUNTED}
        for node, part in enumerate(self.told):
            kind_of_part = part.id.partition(":")[0]
            if kind_of_part in starts:
                starts[kind_of_part].append(node)
        seen = set[int]()
        found: dict[Kind, list[int]] = {}
        for kind in COUNTED:
            others = (node for node in self.nodes[kind] if node >= len(self.told))
            found[kind] = reached((*starts[kind], *others), self.needs.__getitem__, seen)
        return found

    @cached_property
    def of_images_and_cache(self) -> frozenset[int]:
        """The nodes counted with the images that build-cache records certainly reach too."""
        needs, of_images = self.needs, set(self.counted["image"])
        first = {one for node in self.counted["build-cache"] for one in needs[node] if one in of_images}
        return frozenset(reached(first, needs.__getitem__))

    def rows(self) -> list[CountedWith | None]:
        """Return what each node is counted with; None of what no object reaches."""
        row_of: list[CountedWith | None] = [None] * len(self.low)
        for kind, nodes in self.counted.items():
            for node in nodes:
                row_of[node] = kind
        for node in self.of_images_and_cache:
            row_of[node] = "shared"
        return row_of

    def _part(self, other: Object | str, node: int) -> Part:
        folder = other.mountpoint if type(other) is Volume and other.driver == "local" else None
        if self.on_disk:
            folder = None
        return Part(id=_id_of_other(other), low_bytes=self.low[node], high_bytes=self.high[node], folder=folder)


EMPTY_GRAPH = LayerGraph({kind: {} for kind in KINDS}, dict.fromkeys(KINDS, ()), (), (), False, (), (), (), {})


def reached(
    starts: Iterable[int], following: Callable[[int], Iterable[int]], seen: set[int] | None = None
) -> list[int]:
    """Return nodes and all that follows them, each once and the nearest first; but what is `seen`, to which they are
    added."""
    seen = set() if seen is None else seen
    found = [node for node in dict.fromkeys(starts) if node not in seen]
    seen.update(found)
    # The list grows while it is gone through.
    for node in found:
        for one in following(node):
            if one not in seen:
                seen.add(one)
                found.append(one)
    return found


class _Untold(NamedTuple):
    """What an object holds that the storage does not tell of."""

    low: int
    high: int | None
    needs: tuple[str, ...] = ()
    """Ids of parts."""
    maybe: tuple[str, ...] = ()
    """Ids of parts that it may need besides."""


_Hold = Callable[[Any], _Untold]
"""Returns what an object holds of which the storage does not tell."""


def find_layer_graph(listing: Listing) -> LayerGraph:
    """Return the graph of an inventory."""
    inventory = listing.inventory
    making = _Making(listing)
    if inventory.build_cache is None and not making.on_disk:
        making.add(UNREAD_CACHE, (ANYTHING,))
    hold = _none_on_disk() if making.on_disk else _by_size(inventory, making.told)
    for kind in KINDS:
        making.add_objects(listing.of_kind(kind), hold[kind])
    return making.graph()


class _Making:
    """A graph that is being made."""

    def __init__(self, listing: Listing) -> None:
        inventory = listing.inventory
        self._listing = listing
        self.told: dict[str, Part] = {part.id: part for part in (inventory.storage.parts if inventory.storage else ())}
        self.on_disk = inventory.storage is not None and inventory.storage.base == "disk"
        self._numbers = dict(zip(self.told, range(len(self.told)), strict=True))
        """The nodes of what is no object without a part."""
        self._nodes: dict[Kind, Sequence[int]] = {}
        self._others: list[Object | str] = []
        self._low = [part.low_bytes for part in self.told.values()]
        self._high = [part.high_bytes for part in self.told.values()]
        self._needs: dict[int, tuple[str, ...]] = {}
        """What nodes need that the storage does not tell of; most need nothing."""
        self._maybe: dict[int, tuple[str, ...]] = {}

    def add(self, made: str, maybe: tuple[str, ...] = ()) -> int:
        """Add what stands for many parts, none of which it needs for certain; return its node."""
        node = self._numbers[made] = len(self._low)
        self._add_untold([made], [_Untold(0, 0, (), maybe)])
        return node

    def add_objects(self, listed: Listed, hold: _Hold) -> None:
        """Add the objects of a kind; `hold` tells of those of which the storage does not."""
        first = len(self._low)
        if not self.told:
            self._nodes[listed.kind] = range(first, first + len(listed))
            self._add_untold(listed.items, list(map(hold, listed.items)))
            return
        ids = [f"{listed.kind}:{own}" for own in listed.ids]
        untold = [place for place, own in enumerate(ids) if own not in self._numbers]
        self._numbers.update((ids[place], node) for node, place in enumerate(untold, first))
        self._nodes[listed.kind] = [self._numbers[own] for own in ids]
        items = [listed.items[place] for place in untold]
        self._add_untold(items, list(map(hold, items)))

    def _add_untold(self, others: Sequence[Object | str], held: Sequence[_Untold]) -> None:
        first = len(self._low)
        self._others += others
        self._low += [one.low for one in held]
        self._high += [one.high for one in held]
        self._needs.update((node, one.needs) for node, one in enumerate(held, first) if one.needs)
        self._maybe.update((node, one.maybe) for node, one in enumerate(held, first) if one.maybe)

    def graph(self) -> LayerGraph:
        """Return what was made, and what stands for many parts where anything may need that."""
        collectives = self._add_collectives()
        # Most may need the same.
        numbered = cache(self._numbered)
        maybe = {node: numbered(held) for node, held in self._maybe.items()}
        return LayerGraph(
            places={kind: self._listing.of_kind(kind).places for kind in KINDS},
            nodes=self._nodes,
            told=tuple(self.told.values()),
            others=self._others,
            on_disk=self.on_disk,
            low=self._low,
            high=self._high,
            needs=list(self._all_needs()),
            maybe=maybe | collectives,
        )

    def _add_collectives(self) -> dict[int, tuple[int, ...]]:
        """Add what stands for many parts and return what each needs: an edge to each of these would be too many."""
        needed = set(chain.from_iterable(self._maybe.values()))
        if ANYTHING in needed:
            needed.add(ANY_LAYER)
        nodes = {made: self.add(made) for made in (ANYTHING, ANY_LAYER, ANY_RECORD) if made in needed}
        found: dict[int, tuple[int, ...]] = {}
        if ANYTHING in nodes:
            found[nodes[ANYTHING]] = (nodes[ANY_LAYER], *self._parts_of("image"))
        if ANY_LAYER in nodes:
            layers = (node for node, part in enumerate(self.told) if part.startswith(_SHARED_PREFIXES))
            found[nodes[ANY_LAYER]] = tuple(layers)
        if ANY_RECORD in nodes:
            found[nodes[ANY_RECORD]] = tuple(one for one in self._parts_of("build-cache") if one not in self._maybe)
        return found

    def _parts_of(self, kind: Kind) -> Iterator[int]:
        """Yield the nodes of the parts of one kind of objects, listed or not."""
        yield from (node for node, part in enumerate(self.told) if part.startswith(f"{kind}:"))
        yield from (node for node in self._nodes[kind] if node >= len(self.told))

    def _all_needs(self) -> Iterator[tuple[int, ...]]:
        numbers = self._numbers
        for part in self.told.values():
            ids = part.needs
            # Most parts need one other, or none.
            is_one = len(ids) == 1 and ids[0] in numbers
            yield (numbers[ids[0]],) if is_one else self._numbered(ids) if ids else ()
        for node in range(len(self.told), len(self._low)):
            yield self._numbered(self._needs[node]) if node in self._needs else ()

    def _numbered(self, ids: Iterable[str]) -> tuple[int, ...]:
        # What is needed and is not there has gone while the storage was read.
        return tuple(dict.fromkeys([self._numbers[one] for one in ids if one in self._numbers]))


def _id_of_other(other: Object | str) -> str:
    return other if isinstance(other, str) else f"{kind_of(other)}:{id_of(other)}"


_NO_BYTES = _Untold(0, 0)


def _none_on_disk() -> Mapping[Kind, _Hold]:
    """It came after the metadata were read, or has no folder that is known; it holds nothing that is told."""
    unknown = _Untold(0, None)
    return {kind: (lambda item: _NO_BYTES) if kind == "network" else (lambda item: unknown) for kind in KINDS}


def _by_size(inventory: Inventory, told: Mapping[str, Part]) -> Mapping[Kind, _Hold]:
    """Return what tells of the objects of each kind what they hold, by the sizes that the engine tells."""
    image_ids = frozenset(image.id for image in inventory.images)
    names = ImageNames(inventory.images)
    candidates = may_hold(inventory, told)
    engine = inventory.engine

    def container(item: Container) -> _Untold:
        held = _container(item, log_is_counted=engine.flavour == "podman")
        if item.image_id not in image_ids or _mounts_lost_image(item, names):
            # Its image was removed by force, or one that it mounts was, which takes none (it goes by its id while it
            # is mounted: tried on 28.5). Their layers it keeps all the same, and nobody knows their size.
            return _Untold(held.low, None, (), (ANYTHING, ANY_RECORD))
        # There its "-init" snapshot takes some blocks, of which the engine does not tell.
        return _Untold(held.low, None) if engine.image_store == "containerd" else held

    def record(item: BuildCacheRecord) -> _Untold:
        return _record(item, candidates.get(item.id), on_containerd=engine.image_store == "containerd")

    return {
        "container": container,
        "image": _image,
        "volume": lambda item: _Untold(item.size_bytes or 0, item.size_bytes),
        "network": lambda item: _NO_BYTES,
        "build-cache": record,
    }


def _mounts_lost_image(container: Container, names: ImageNames) -> bool:
    for mount in container.mounts:  # noqa: SIM110 - asked of every container, and few mount images
        if mount.type == "image" and not names.meant_by(mount.source or "")[0]:
            return True
    return False


def _image(item: Image) -> _Untold:
    if item.shared_bytes == 0:
        return _Untold(item.size_bytes or 0, item.size_bytes)
    told = item.size_bytes is not None and item.shared_bytes is not None
    unique = max(0, (item.size_bytes or 0) - (item.shared_bytes or 0)) if told else 0
    return _Untold(unique, item.size_bytes, (), (ANY_LAYER,))


def _container(item: Container, log_is_counted: bool) -> _Untold:
    """The writable layer and the log, which Podman counts with it; where either is not known, the other is the least
    that is freed."""
    size, log = item.size_bytes, 0 if log_is_counted else item.log_bytes
    return _Untold((size or 0) + (log or 0), None if size is None or log is None else size + log)


def _record(item: BuildCacheRecord, layers: frozenset[str] | None, on_containerd: bool) -> _Untold:
    """`layers` are those of which it holds one, None where that is not known."""
    if on_containerd:
        # Its size holds blobs and a snapshot that other records and images count as theirs too (engine-api.md §0.1).
        high = item.size_bytes if item.shared else exclusive_bytes(item, on_containerd=True)
        return _Untold(0, high, (), (ANYTHING,))
    if not item.shared:
        return _Untold(item.size_bytes or 0, exclusive_bytes(item, on_containerd=False))
    if layers is None:
        return _Untold(0, 0, (), (ANYTHING,))
    if len(layers) == 1:
        return _Untold(0, 0, tuple(layers))
    return _Untold(0, 0, (), tuple(sorted(layers)))
