"""Who holds which bytes: the parts of an inventory's storage as a graph, objects that the storage does not tell of
included, and what else may be held where the engine does not say.

Two graphs are kept in one. In the certain one an object needs what it is known to need; with `maybe` it also needs
whatever it may need. What is given back lies between what both say.
"""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Inventory, Network, Object, ObjectRef
from dockersweep.model.naming import objects_of, ref_of
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


class LayerGraph(Struct, frozen=True):
    """The graph. Nodes are numbers; the node of an object is found by its reference."""

    node_of: Mapping[ObjectRef, int]
    """In the order of the inventory."""
    parts: tuple[Part, ...]
    low: tuple[int, ...]
    high: tuple[int | None, ...]
    needs: tuple[tuple[int, ...], ...]
    maybe: Mapping[int, tuple[int, ...]]
    """What a node may need besides; the keys are the objects of which it is not known what they hold."""


EMPTY_GRAPH = LayerGraph({}, (), (), (), (), {})


def find_layer_graph(inventory: Inventory) -> LayerGraph:
    """Return the graph of an inventory."""
    told = {part.id: part for part in (inventory.storage.parts if inventory.storage else ())}
    parts = list(told.values())
    numbers = dict(zip(told, range(len(told)), strict=True))
    on_disk = inventory.storage is not None and inventory.storage.base == "disk"
    candidates: Mapping[str, frozenset[str]] = {} if on_disk else may_hold(inventory, told)
    maybe: dict[str, tuple[str, ...]] = {}
    if inventory.build_cache is None and not on_disk:
        _add(Part(id=UNREAD_CACHE, high_bytes=0), parts, numbers)
        maybe[UNREAD_CACHE] = (ANYTHING,)
    image_ids = {image.id for image in inventory.images}
    names = ImageNames(inventory.images)
    node_of: dict[ObjectRef, int] = {}
    for item in objects_of(inventory):
        ref = ref_of(item)
        own = f"{ref.kind}:{ref.id}"
        node = numbers.get(own)
        if node is not None:
            node_of[ref] = node
            continue
        node_of[ref] = numbers[own] = len(parts)
        if on_disk:
            # It came after the metadata were read, or has no folder that is known; it holds nothing that is told.
            parts.append(Part(id=own, high_bytes=0 if type(item) is Network else None))
            continue
        part, uncertain = _told_by_size(own, item, inventory, candidates)
        if type(item) is Container and (item.image_id not in image_ids or _mounts_lost_image(item, names)):
            # Its image was removed by force, or one that it mounts was, which takes none (it goes by its id while it
            # is mounted: tried on 28.5). Their layers it keeps all the same, and nobody knows their size.
            part, uncertain = replace(part, high_bytes=None), (ANYTHING, ANY_RECORD)
        parts.append(part)
        if uncertain:
            maybe[own] = uncertain
    for one, needs in _collectives(numbers, maybe).items():
        _add(Part(id=one, high_bytes=0), parts, numbers)
        maybe[one] = needs
    return _graph(node_of, parts, numbers, maybe)


def _mounts_lost_image(container: Container, names: ImageNames) -> bool:
    return any(mount.type == "image" and not names.meant_by(mount.source or "")[0] for mount in container.mounts)


def _add(part: Part, parts: list[Part], numbers: dict[str, int]) -> None:
    numbers[part.id] = len(parts)
    parts.append(part)


def _collectives(parts: Collection[str], maybe: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return what each part needs that stands for many, where something may need it: an edge each would be too many."""
    needed = {one for held in maybe.values() for one in held}
    made: dict[str, tuple[str, ...]] = {}
    if ANYTHING in needed:
        made[ANYTHING] = (ANY_LAYER, *(part for part in parts if part.startswith("image:")))
    if needed & {ANYTHING, ANY_LAYER}:
        made[ANY_LAYER] = tuple(part for part in parts if part.startswith(_SHARED_PREFIXES))
    if ANY_RECORD in needed:
        made[ANY_RECORD] = tuple(part for part in parts if part.startswith("build-cache:") and part not in maybe)
    return made


def _told_by_size(
    own: str, item: Object, inventory: Inventory, candidates: Mapping[str, frozenset[str]]
) -> tuple[Part, tuple[str, ...]]:
    """Return a part of its own for an object of which the storage does not tell, and what it may hold besides."""
    if type(item) is Network:
        return Part(id=own, high_bytes=0), ()
    if type(item) is Container:
        part = _container_part(own, item, log_is_counted=inventory.engine.flavour == "podman")
        # There its "-init" snapshot takes some blocks, of which the engine does not tell.
        return replace(part, high_bytes=None) if inventory.engine.image_store == "containerd" else part, ()
    if type(item) is Image:
        told = item.size_bytes is not None and item.shared_bytes is not None
        unique = max(0, (item.size_bytes or 0) - (item.shared_bytes or 0)) if told else 0
        alone = item.shared_bytes == 0
        return Part(id=own, low_bytes=unique, high_bytes=item.size_bytes), () if alone else (ANY_LAYER,)
    if type(item) is BuildCacheRecord:
        return _record_part(own, item, inventory, candidates)
    folder = item.mountpoint if item.driver == "local" else None
    return Part(id=own, low_bytes=item.size_bytes or 0, high_bytes=item.size_bytes, folder=folder), ()


def _container_part(own: str, item: Container, log_is_counted: bool) -> Part:
    """The writable layer and the log, which Podman counts with it; where either is not known, the other is the least
    that is freed."""
    size, log = item.size_bytes, 0 if log_is_counted else item.log_bytes
    high = None if size is None or log is None else size + log
    return Part(id=own, low_bytes=(size or 0) + (log or 0), high_bytes=high)


def _record_part(
    own: str, item: BuildCacheRecord, inventory: Inventory, candidates: Mapping[str, frozenset[str]]
) -> tuple[Part, tuple[str, ...]]:
    if inventory.engine.image_store == "containerd":
        # Its size holds blobs and a snapshot that other records and images count as theirs too (engine-api.md §0.1).
        high = item.size_bytes if item.shared else exclusive_bytes(item, on_containerd=True)
        return Part(id=own, high_bytes=high), (ANYTHING,)
    if not item.shared:
        return Part(id=own, low_bytes=item.size_bytes or 0, high_bytes=exclusive_bytes(item, on_containerd=False)), ()
    layers = candidates.get(item.id)
    if layers is None:
        return Part(id=own, high_bytes=0), (ANYTHING,)
    if len(layers) == 1:
        return Part(id=own, high_bytes=0, needs=tuple(layers)), ()
    return Part(id=own, high_bytes=0), tuple(sorted(layers))


def _graph(
    node_of: Mapping[ObjectRef, int],
    parts: Sequence[Part],
    numbers: Mapping[str, int],
    maybe: Mapping[str, tuple[str, ...]],
) -> LayerGraph:
    def numbered(ids: tuple[str, ...]) -> tuple[int, ...]:
        # What is needed and is not there has gone while the storage was read.
        return tuple(dict.fromkeys([numbers[one] for one in ids if one in numbers]))

    return LayerGraph(
        node_of=node_of,
        parts=tuple(parts),
        low=tuple([part.low_bytes for part in parts]),
        high=tuple([part.high_bytes for part in parts]),
        # Most parts need one other, or none.
        needs=tuple([
            () if not (ids := part.needs)
            else (numbers[ids[0]],) if len(ids) == 1 and ids[0] in numbers
            else numbered(ids)
            for part in parts
        ]),
        maybe={numbers[own]: numbered(held) for own, held in maybe.items()},
    )  # fmt: skip
