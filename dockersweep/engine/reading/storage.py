"""Finds out which layers and other parts the objects use: from the engine's disk, or else from its API."""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from dockersweep.engine.api.answers import ImageLayers
from dockersweep.engine.api.concurrent import Progress, call_within
from dockersweep.engine.disk.blocks import CACHED, DiskReading, read_storage_from_disk
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.engine.disk.stores import Stores
from dockersweep.engine.disk.walk import MeasuredPlaces
from dockersweep.engine.reading.own_folders import StoresOrWhy
from dockersweep.model.inventory import Image, ScanWarning
from dockersweep.model.storage import Part, Storage

if TYPE_CHECKING:
    from dockersweep.engine.disk.ahead import Ahead
    from dockersweep.engine.reading.image_layers import LayerReads

Shape = TypeVar("Shape")
Remembered = Mapping[str, bytes]
"""Facts that never change, as JSON by id: a layer's part, or the layers of an image."""


class StorageReading(msgspec.Struct, frozen=True):
    """The storage, what can be remembered for the next scan, and warnings about what could not be read."""

    storage: Storage
    remembered: Remembered
    warnings: tuple[ScanWarning, ...] = ()
    in_registry: Mapping[str, bool] = msgspec.field(default_factory=dict)
    """Whether a registry has an image, by its id, if only the disk tells."""
    written: Mapping[str, datetime] = msgspec.field(default_factory=dict)
    """When anything in a volume last changed, by its name, if its files were walked."""
    measured: tuple[MeasuredPlaces, ...] = ()
    """The places that need not be walked again to measure the engine's folder."""
    lengths: Mapping[str, int] = msgspec.field(default_factory=dict)
    """The length of a part as the engine counts it, by its id, if the disk was read."""


def read_storage(
    reads: "LayerReads",
    stores: StoresOrWhy,
    listed: ListedObjects,
    known: Remembered,
    walk_seconds: float | None,
    progress: Progress,
    ahead: "Ahead | None" = None,
) -> StorageReading:
    """Return the parts that the objects of an engine use.

    The engine's disk is read for at most `walk_seconds`; not at all if that is None. `known` is what an earlier scan
    returned as `remembered`; `ahead` has already begun to read the disk.
    """
    if walk_seconds is None:
        return _in_lengths(reads, listed, known, "its disk was not to be walked", progress)
    if isinstance(stores, str):
        return _in_lengths(reads, listed, known, stores, progress)
    try:
        return _in_blocks(stores, known, walk_seconds, ahead)
    except UnreadableStorageError as error:
        return _in_lengths(reads, listed, known, str(error), progress)


def _in_blocks(stores: Stores, known: Remembered, walk_seconds: float, ahead: "Ahead | None") -> StorageReading:
    layers = _decoded(known, CACHED, Part)

    def read() -> DiskReading:
        read_ahead = None if ahead is None else ahead.result(walk_seconds)
        return read_storage_from_disk(stores, layers, walk_seconds, read_ahead)

    try:
        from_disk = call_within(walk_seconds, read)
    except TimeoutError:
        raise UnreadableStorageError(f"{stores.root} was not read within {walk_seconds:g} seconds") from None
    storage, unmeasured = from_disk.storage, from_disk.unmeasured
    keep = {part.id: msgspec.json.encode(part) for part in from_disk.unchanging}
    text = f"{unmeasured} parts were not measured within {walk_seconds:g} seconds and are of unknown size"
    warnings = (ScanWarning(about="disk blocks", text=text),) if unmeasured else ()
    return StorageReading(
        storage=storage,
        remembered=keep,
        warnings=warnings,
        in_registry=from_disk.in_registry,
        written=from_disk.written,
        measured=from_disk.measured,
        lengths=from_disk.lengths,
    )


def _in_lengths(
    reads: "LayerReads", listed: ListedObjects, known: Remembered, why: str, progress: Progress
) -> StorageReading:
    # Imported late: not needed where the engine's disk can be read.
    from dockersweep.engine.reading.image_layers import memory_keys, read_layers, wanted_images
    from dockersweep.engine.reading.layer_parts import layer_parts

    engine, images = reads.engine, listed.images
    keys = {image: f"image:{key}" for image, key in memory_keys(engine, images).items()}
    wanted = wanted_images(engine, images, listed.build_cache)
    layers_of = read_layers(reads, wanted, _decoded(known, "image:", ImageLayers), keys, progress)
    parts = _without_other_disks(layer_parts(images, layers_of, engine.image_store, engine.flavour), images)
    # Layers that were not wanted this time are kept as long as their image exists.
    keep = {key: known[key] for key in keys.values() if key in known}
    keep |= {keys[image]: msgspec.json.encode(layers) for image, layers in layers_of.items() if image in keys}
    text = f"the layers of {len(wanted - layers_of.keys())} images could not be read"
    warnings = (ScanWarning(about="image layers", text=text),) if wanted - layers_of.keys() else ()
    return StorageReading(Storage(base="lengths", parts=parts, not_from_disk=why), keep, warnings)


def _without_other_disks(parts: tuple[Part, ...], images: tuple[Image, ...]) -> tuple[Part, ...]:
    """Return the parts, with size 0 for those in additional stores: the images there, and the layers below them, which
    images of the engine's own store may use."""
    elsewhere = [f"image:{image.id}" for image in images if image.read_only]
    if not elsewhere:
        return parts
    by_id = {part.id: part for part in parts}
    reached = dict.fromkeys(elsewhere)
    for part_id in elsewhere:
        # The list grows while it is iterated.
        for need in by_id[part_id].needs if part_id in by_id else ():
            if need not in reached:
                reached[need] = None
                elsewhere.append(need)
    nothing = {"low_bytes": 0, "high_bytes": 0, "undivided_sizes": ()}
    for part_id in reached:
        by_id[part_id] = (
            msgspec.structs.replace(by_id[part_id], **nothing) if part_id in by_id else Part(id=part_id, high_bytes=0)
        )
    return tuple(by_id.values())


def _decoded(known: Remembered, prefix: str, shape: type[Shape]) -> dict[str, Shape]:
    """Return the known values of the ids with a prefix, without damaged ones."""
    decoded = {}
    for key, data in known.items():
        if key.startswith(prefix):
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, TypeError):
                decoded[key] = msgspec.json.decode(data, type=shape)
    return decoded
