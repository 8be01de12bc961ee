"""Who holds which bytes: a graph of the parts of an inventory's storage, of objects without such a part, and of what
objects may hold where the engine does not say.

It is two graphs in one. In the certain one an object needs only what it is known to need; with `maybe` it also needs
whatever it may need. What a removal frees lies between the two.
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
"""A part that needs every part that images share: what an image of unknown layers may hold."""
ANYTHING = "anything"
"""A part that needs these and the images of unknown layers: what a record or a container may hold."""
ANY_RECORD = "any record"
"""A part that needs the records whose layers no image has: what a container of a removed image may hold."""
UNREAD_CACHE = "build-cache"
"""Stands for records that were not read."""
_SHARED_PREFIXES = ("layer:", "blob:", "snapshot:")
COUNTED: tuple[Kind, ...] = ("image", "build-cache", "container", "volume")
"""The kinds that use space. What several share is counted with the first of them; a container whose image was removed
by force keeps its layers."""

CountedWith = Kind | Literal["shared"]
"""What a part is counted with: the first kind that reaches it, or "shared" for what images and build cache share."""


class LayerGraph(Struct, frozen=True, dict=True):  # dict=True is for cached properties.
    """The graph. Nodes are numbers: first the parts in the storage, then the others."""

    places: Mapping[Kind, Mapping[str, int]]
    """Kind -> object id -> place."""
    nodes: Mapping[Kind, Sequence[int]]
    """Kind -> the node of each object, by its place."""
    stored: tuple[Part, ...]
    others: Sequence[Object | str]
    """What the other nodes are: objects without a part in the storage, and ids of nodes that stand for many parts."""
    on_disk: bool
    """Whether sizes are disk blocks."""
    low: Sequence[int]
    high: Sequence[int | None]
    needs: Sequence[tuple[int, ...]]
    maybe: Mapping[int, tuple[int, ...]]
    """What a node may need beyond `needs`; the keys are the objects of which the parts are not known for certain."""

    def node_of(self, ref: ObjectRef) -> int | None:
        """Return the node of an object; None where the inventory does not have it."""
        place = self.places[ref.kind].get(ref.id)
        return None if place is None else self.nodes[ref.kind][place]

    def nodes_of(self, refs: Sequence[ObjectRef]) -> list[int | None]:
        """Return the same of many objects."""
        places, nodes = self.places, self.nodes
        own_places = [places[ref.kind].get(ref.id) for ref in refs]
        return [None if place is None else nodes[ref.kind][place] for ref, place in zip(refs, own_places, strict=True)]

    def of_objects(self) -> Iterator[int]:
        """Yield the nodes of all objects, in the order of the inventory."""
        return chain.from_iterable(self.nodes.values())

    def part_id(self, node: int) -> str:
        """Return the id of a part."""
        return self.stored[node].id if node < len(self.stored) else _id_of_other(self.others[node - len(self.stored)])

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The part of each node, made when first needed: a plan without a space target needs none."""
        return (*self.stored, *map(self._part, self.others, range(len(self.stored), len(self.low))))

    @cached_property
    def counted(self) -> dict[Kind, list[int]]:
        """Kind -> the nodes that its objects reach, unlisted objects included, and no object of a kind before it."""
        starts: dict[str, list[int]] = {kind: [] for kind in COUNTED}
        for node, part in enumerate(self.stored):
            kind_of_part = part.id.partition(":")[0]
            if kind_of_part in starts:
                starts[kind_of_part].append(node)
        visited = set[int]()
        of_kinds: dict[Kind, list[int]] = {}
        for kind in COUNTED:
            others = (node for node in self.nodes[kind] if node >= len(self.stored))
            of_kinds[kind] = reached((*starts[kind], *others), self.needs.__getitem__, visited)
        return of_kinds

    @cached_property
    def of_images_and_cache(self) -> frozenset[int]:
        """The nodes counted with the images that build-cache records certainly reach too."""
        needs, of_images = self.needs, set(self.counted["image"])
        first = {need for node in self.counted["build-cache"] for need in needs[node] if need in of_images}
        return frozenset(reached(first, needs.__getitem__))

    def rows(self) -> list[CountedWith | None]:
        """Return what each node is counted with; None where no object reaches it."""
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
    starts: Iterable[int], following: Callable[[int], Iterable[int]], visited: set[int] | None = None
) -> list[int]:
    """Return the starts and all nodes that follow them, each once, the nearest first, without those in `visited`. Adds
    them to `visited`."""
    visited = set() if visited is None else visited
    nodes = [node for node in dict.fromkeys(starts) if node not in visited]
    visited.update(nodes)
    # The list grows while the loop walks it.
    for node in nodes:
        for follower in following(node):
            if follower not in visited:
                visited.add(follower)
                nodes.append(follower)
    return nodes


class _Holding(NamedTuple):
    """What an object without a part in the storage holds."""

    low: int
    high: int | None
    needs: tuple[str, ...] = ()
    """Ids of parts."""
    maybe: tuple[str, ...] = ()
    """Ids of parts that it may need beyond `needs`."""


_Hold = Callable[[Any], _Holding]
"""Returns what an object without a part in the storage holds."""


def find_layer_graph(listing: Listing) -> LayerGraph:
    """Return the graph of an inventory."""
    inventory = listing.inventory
    builder = _GraphBuilder(listing)
    if inventory.build_cache is None and not builder.on_disk:
        builder.add(UNREAD_CACHE, (ANYTHING,))
    hold = _none_on_disk() if builder.on_disk else _by_size(inventory, builder.stored)
    for kind in KINDS:
        builder.add_objects(listing.of_kind(kind), hold[kind])
    return builder.graph()


class _GraphBuilder:
    """Builds the graph of an inventory."""

    def __init__(self, listing: Listing) -> None:
        inventory = listing.inventory
        self._listing = listing
        self.stored: dict[str, Part] = {
            part.id: part for part in (inventory.storage.parts if inventory.storage else ())
        }
        self.on_disk = inventory.storage is not None and inventory.storage.base == "disk"
        self._numbers = dict(zip(self.stored, range(len(self.stored)), strict=True))
        """Id -> node. Where the storage has no parts, objects are left out: nothing needs them."""
        self._nodes: dict[Kind, Sequence[int]] = {}
        self._others: list[Object | str] = []
        self._low = [part.low_bytes for part in self.stored.values()]
        self._high = [part.high_bytes for part in self.stored.values()]
        self._needs: dict[int, tuple[str, ...]] = {}
        """Node -> what it needs, for the nodes that are not in the storage; most need nothing."""
        self._maybe: dict[int, tuple[str, ...]] = {}

    def add(self, made: str, maybe: tuple[str, ...] = ()) -> int:
        """Add a node that stands for many parts and certainly needs none of them; return it."""
        node = self._numbers[made] = len(self._low)
        self._add_others([made], [_Holding(0, 0, (), maybe)])
        return node

    def add_objects(self, listed: Listed, hold: _Hold) -> None:
        """Add the objects of a kind; `hold` says what those without a part in the storage hold."""
        first = len(self._low)
        if not self.stored:
            self._nodes[listed.kind] = range(first, first + len(listed))
            self._add_others(listed.items, list(map(hold, listed.items)))
            return
        ids = [f"{listed.kind}:{own}" for own in listed.ids]
        missing = [place for place, own in enumerate(ids) if own not in self._numbers]
        self._numbers.update((ids[place], node) for node, place in enumerate(missing, first))
        self._nodes[listed.kind] = [self._numbers[own] for own in ids]
        items = [listed.items[place] for place in missing]
        self._add_others(items, list(map(hold, items)))

    def _add_others(self, others: Sequence[Object | str], held: Sequence[_Holding]) -> None:
        first = len(self._low)
        self._others += others
        self._low += [holding.low for holding in held]
        self._high += [holding.high for holding in held]
        self._needs.update((node, holding.needs) for node, holding in enumerate(held, first) if holding.needs)
        self._maybe.update((node, holding.maybe) for node, holding in enumerate(held, first) if holding.maybe)

    def graph(self) -> LayerGraph:
        """Return the graph, with nodes that stand for many parts where anything may need them."""
        collectives = self._add_collectives()
        # Most nodes may need the same.
        numbered = cache(self._numbered)
        maybe = {node: numbered(held) for node, held in self._maybe.items()}
        return LayerGraph(
            places={kind: self._listing.of_kind(kind).places for kind in KINDS},
            nodes=self._nodes,
            stored=tuple(self.stored.values()),
            others=self._others,
            on_disk=self.on_disk,
            low=self._low,
            high=self._high,
            needs=list(self._all_needs()),
            maybe=maybe | collectives,
        )

    def _add_collectives(self) -> dict[int, tuple[int, ...]]:
        """Add the nodes that stand for many parts; return node -> what it needs. Direct edges would be too many."""
        needed = set(chain.from_iterable(self._maybe.values()))
        if ANYTHING in needed:
            needed.add(ANY_LAYER)
        nodes = {made: self.add(made) for made in (ANYTHING, ANY_LAYER, ANY_RECORD) if made in needed}
        needs: dict[int, tuple[int, ...]] = {}
        if ANYTHING in nodes:
            needs[nodes[ANYTHING]] = (nodes[ANY_LAYER], *self._parts_of("image"))
        if ANY_LAYER in nodes:
            layers = (node for node, part in enumerate(self.stored) if part.startswith(_SHARED_PREFIXES))
            needs[nodes[ANY_LAYER]] = tuple(layers)
        if ANY_RECORD in nodes:
            needs[nodes[ANY_RECORD]] = tuple(node for node in self._parts_of("build-cache") if node not in self._maybe)
        return needs

    def _parts_of(self, kind: Kind) -> Iterator[int]:
        """Yield the nodes of the parts of one kind of objects, listed or not."""
        yield from (node for node, part in enumerate(self.stored) if part.startswith(f"{kind}:"))
        yield from (node for node in self._nodes[kind] if node >= len(self.stored))

    def _all_needs(self) -> Iterator[tuple[int, ...]]:
        numbers = self._numbers
        for part in self.stored.values():
            ids = part.needs
            # Most parts need one other or none.
            is_one = len(ids) == 1 and ids[0] in numbers
            yield (numbers[ids[0]],) if is_one else self._numbered(ids) if ids else ()
        for node in range(len(self.stored), len(self._low)):
            yield self._numbered(self._needs[node]) if node in self._needs else ()

    def _numbered(self, ids: Iterable[str]) -> tuple[int, ...]:
        # A needed part that is missing was removed while the storage was read.
        return tuple(dict.fromkeys([self._numbers[part_id] for part_id in ids if part_id in self._numbers]))


def _id_of_other(other: Object | str) -> str:
    return other if isinstance(other, str) else f"{kind_of(other)}:{id_of(other)}"


_NO_BYTES = _Holding(0, 0)


def _none_on_disk() -> Mapping[Kind, _Hold]:
    """Return what objects hold that came after the metadata were read, or have no known folder: nothing known."""
    unknown = _Holding(0, None)
    return {kind: (lambda item: _NO_BYTES) if kind == "network" else (lambda item: unknown) for kind in KINDS}


def _by_size(inventory: Inventory, stored: Mapping[str, Part]) -> Mapping[Kind, _Hold]:
    """Return kind -> the function that says what an object holds, by the sizes that the engine reports."""
    image_ids = frozenset(image.id for image in inventory.images)
    names = ImageNames(inventory.images)
    candidates = may_hold(inventory, stored)
    engine = inventory.engine

    def container(item: Container) -> _Holding:
        held = _container(item, log_is_counted=engine.flavour == "podman")
        if item.image_id not in image_ids or _mounts_lost_image(item, names):
            # Its image was removed by force, or an image that it mounts, which needs no force (28.5 removes a mounted
            # image by id). It keeps their layers, of unknown size.
            return _Holding(held.low, None, (), (ANYTHING, ANY_RECORD))
        # containerd also keeps its "-init" snapshot: some blocks, which the engine does not report.
        return _Holding(held.low, None) if engine.image_store == "containerd" else held

    def record(item: BuildCacheRecord) -> _Holding:
        return _record(item, candidates.get(item.id), on_containerd=engine.image_store == "containerd")

    return {
        "container": container,
        "image": _image,
        "volume": lambda item: _Holding(item.size_bytes or 0, item.size_bytes),
        "network": lambda item: _NO_BYTES,
        "build-cache": record,
    }


def _mounts_lost_image(container: Container, names: ImageNames) -> bool:
    for mount in container.mounts:  # noqa: SIM110 - asked of every container, and few mount images
        if mount.type == "image" and not names.meant_by(mount.source or "")[0]:
            return True
    return False


def _image(item: Image) -> _Holding:
    if item.shared_bytes == 0:
        return _Holding(item.size_bytes or 0, item.size_bytes)
    is_known = item.size_bytes is not None and item.shared_bytes is not None
    unique = max(0, (item.size_bytes or 0) - (item.shared_bytes or 0)) if is_known else 0
    return _Holding(unique, item.size_bytes, (), (ANY_LAYER,))


def _container(item: Container, log_is_counted: bool) -> _Holding:
    """Return the writable layer and the log, which Podman counts with it; if one is unknown, the other is the least."""
    size, log = item.size_bytes, 0 if log_is_counted else item.log_bytes
    return _Holding((size or 0) + (log or 0), None if size is None or log is None else size + log)


def _record(item: BuildCacheRecord, layers: frozenset[str] | None, on_containerd: bool) -> _Holding:
    """Return what a record holds: one of `layers`, or anything where these are None."""
    if on_containerd:
        # Its size includes blobs and a snapshot that other records and images count too (engine-api.md §0.1).
        high = item.size_bytes if item.shared else exclusive_bytes(item, on_containerd=True)
        return _Holding(0, high, (), (ANYTHING,))
    if not item.shared:
        return _Holding(item.size_bytes or 0, exclusive_bytes(item, on_containerd=False))
    if layers is None:
        return _Holding(0, 0, (), (ANYTHING,))
    if len(layers) == 1:
        return _Holding(0, 0, tuple(layers))
    return _Holding(0, 0, (), tuple(sorted(layers)))
