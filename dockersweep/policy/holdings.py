"""Who holds which bytes: the parts of an inventory's storage as a graph, objects that the storage does not tell of
included, and what else may be held where the engine does not say.

Two graphs are kept in one. In the certain one an object needs what it is known to need; with `maybe` it also needs
whatever it may need. What is given back lies between what both say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Inventory, Network, Object
from dockersweep.model.naming import id_of, kind_of, objects_of, ref_of
from dockersweep.model.plan import ObjectRef
from dockersweep.model.storage import Part
from dockersweep.policy.cache_layers import exclusive_bytes, may_hold

ANY_LAYER = "any layer"
"""The part that needs every part that images share: what an image of unknown layers may hold."""
ANYTHING = "anything"
"""The part that needs these and the images whose layers are not told: what a record or a container may hold."""
ANY_RECORD = "any record"
"""The part that needs the records whose layers no image has: a container whose image was removed may have them."""
UNREAD_CACHE = "build-cache"
"""Stands for records that were not read."""
_SHARED_PREFIXES = ("layer:", "blob:", "snapshot:")


@dataclass(frozen=True)
class Holdings:
    """The graph. Nodes are numbers; the node of an object is found by its reference."""

    node_of: Mapping[ObjectRef, int]
    ids: tuple[str, ...]
    low: tuple[int, ...]
    high: tuple[int | None, ...]
    inodes: tuple[int | None, ...]
    needs: tuple[tuple[int, ...], ...]
    maybe: Mapping[int, tuple[int, ...]]
    """What a node may need besides; the keys are the objects of which it is not known what they hold."""


def find_holdings(inventory: Inventory) -> Holdings:
    """Return the graph of an inventory."""
    parts = {part.id: part for part in (inventory.storage.parts if inventory.storage else ())}
    on_disk = inventory.storage is not None and inventory.storage.base == "disk"
    candidates: Mapping[str, frozenset[str]] = {} if on_disk else may_hold(inventory, parts)
    maybe: dict[str, tuple[str, ...]] = {}
    if inventory.build_cache is None and not on_disk:
        parts[UNREAD_CACHE], maybe[UNREAD_CACHE] = Part(id=UNREAD_CACHE, high_bytes=0), (ANYTHING,)
    image_ids = {image.id for image in inventory.images}
    part_of: dict[ObjectRef, str] = {}
    for seen in objects_of(inventory):
        ref = ref_of(seen)
        part_of[ref] = own = f"{ref.kind}:{ref.id}"
        if own in parts:
            continue
        if on_disk:
            # It came after the metadata were read, or has no folder that is known; it holds nothing that is told.
            parts[own] = Part(id=own, high_bytes=0 if type(seen) is Network else None)
            continue
        parts[own], uncertain = _told_by_size(own, seen, inventory, candidates)
        if type(seen) is Container and seen.image_id not in image_ids:
            # Its image was removed by force; the layers of that it keeps all the same, and nobody knows their size.
            parts[own] = replace(parts[own], high_bytes=None)
            uncertain = (ANYTHING, ANY_RECORD)
        if uncertain:
            maybe[own] = uncertain
    for one, needs in _collectives(parts, maybe).items():
        parts[one], maybe[one] = Part(id=one, high_bytes=0), needs
    return _graph(part_of, parts, maybe)


def part_id(seen: Object) -> str:
    """Return the id of an object's own part."""
    return f"{kind_of(seen)}:{id_of(seen)}"


def _collectives(parts: Mapping[str, Part], maybe: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
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
    own: str, seen: Object, inventory: Inventory, candidates: Mapping[str, frozenset[str]]
) -> tuple[Part, tuple[str, ...]]:
    """Return a part of its own for an object of which the storage does not tell, and what it may hold besides."""
    if type(seen) is Network:
        return Part(id=own, high_bytes=0), ()
    if type(seen) is Container:
        part = _container_part(own, seen, log_is_counted=inventory.engine.flavour == "podman")
        # There its "-init" snapshot takes some blocks, of which the engine does not tell.
        return replace(part, high_bytes=None) if inventory.engine.image_store == "containerd" else part, ()
    if type(seen) is Image:
        told = seen.size_bytes is not None and seen.shared_bytes is not None
        unique = max(0, (seen.size_bytes or 0) - (seen.shared_bytes or 0)) if told else 0
        alone = seen.shared_bytes == 0
        return Part(id=own, low_bytes=unique, high_bytes=seen.size_bytes), () if alone else (ANY_LAYER,)
    if type(seen) is BuildCacheRecord:
        return _record_part(own, seen, inventory, candidates)
    return Part(id=own, low_bytes=seen.size_bytes or 0, high_bytes=seen.size_bytes), ()


def _container_part(own: str, seen: Container, log_is_counted: bool) -> Part:
    """The writable layer and the log, which Podman counts with it; where either is not known, the other is the least
    that comes back."""
    size, log = seen.size_bytes, 0 if log_is_counted else seen.log_bytes
    high = None if size is None or log is None else size + log
    return Part(id=own, low_bytes=(size or 0) + (log or 0), high_bytes=high)


def _record_part(
    own: str, seen: BuildCacheRecord, inventory: Inventory, candidates: Mapping[str, frozenset[str]]
) -> tuple[Part, tuple[str, ...]]:
    if inventory.engine.image_store == "containerd":
        # Its size holds blobs and a snapshot that other records and images count as theirs too (engine-api.md §0.1).
        high = seen.size_bytes if seen.shared else exclusive_bytes(seen, on_containerd=True)
        return Part(id=own, high_bytes=high), (ANYTHING,)
    if not seen.shared:
        return Part(id=own, low_bytes=seen.size_bytes or 0, high_bytes=exclusive_bytes(seen, on_containerd=False)), ()
    layers = candidates.get(seen.id)
    if layers is None:
        return Part(id=own, high_bytes=0), (ANYTHING,)
    if len(layers) == 1:
        return Part(id=own, high_bytes=0, needs=tuple(layers)), ()
    return Part(id=own, high_bytes=0), tuple(sorted(layers))


def _graph(
    part_of: Mapping[ObjectRef, str], parts: Mapping[str, Part], maybe: Mapping[str, tuple[str, ...]]
) -> Holdings:
    numbers = {part: number for number, part in enumerate(parts)}

    def numbered(ids: tuple[str, ...]) -> Iterator[int]:
        # What is needed and is not there has gone while the storage was read.
        return (numbers[one] for one in ids if one in numbers)

    return Holdings(
        node_of={ref: numbers[own] for ref, own in part_of.items()},
        ids=tuple(parts),
        low=tuple(part.low_bytes for part in parts.values()),
        high=tuple(part.high_bytes for part in parts.values()),
        inodes=tuple(0 if part.high_bytes == 0 else part.inodes for part in parts.values()),
        needs=tuple(tuple(dict.fromkeys(numbered(part.needs))) if part.needs else () for part in parts.values()),
        maybe={numbers[own]: tuple(numbered(held)) for own, held in maybe.items()},
    )
