"""Finds out what the objects stand on: from the engine's disk where that can be read, else in the engine's words."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from dockersweep.engine.disk.blocks import CACHED, read_storage_from_disk
from dockersweep.engine.disk.found import Listed, UnreadableStorageError
from dockersweep.engine.image_layers import ImageLayers, LayerReads, memory_keys, read_layers, wanted_images
from dockersweep.engine.layer_parts import layer_parts
from dockersweep.engine.side_by_side import GRACE_SECONDS, Beside, Progress
from dockersweep.model.inventory import Engine, Image, ScanWarning
from dockersweep.model.storage import Part, Storage

Shape = TypeVar("Shape")
Remembered = Mapping[str, bytes]
"""What never changes, as JSON by id: a layer's part, or the layers of an image."""


@dataclass(frozen=True)
class StorageTold:
    """The storage, what of it can be remembered for the next scan, and what could not be read."""

    storage: Storage
    remembered: Remembered
    warnings: tuple[ScanWarning, ...] = ()
    in_registry: Mapping[str, bool] = field(default_factory=dict)
    """Whether a registry has an image, by its id, where only the disk tells."""


def read_storage(
    reads: LayerReads, listed: Listed, known: Remembered, walk_seconds: float | None, progress: Progress
) -> StorageTold:
    """Return what the objects of an engine stand on.

    The engine's disk is read only where `walk_seconds` says for how long; `known` is what an earlier scan gave to be
    remembered.
    """
    if walk_seconds is None:
        return _in_lengths(reads, listed, known, "its disk was not to be walked", progress)
    try:
        return _in_blocks(reads.engine, listed, known, walk_seconds)
    except UnreadableStorageError as error:
        return _in_lengths(reads, listed, known, str(error), progress)


def _in_blocks(engine: Engine, listed: Listed, known: Remembered, walk_seconds: float) -> StorageTold:
    layers = _decoded(known, CACHED, Part)
    reading = Beside(lambda: read_storage_from_disk(engine, listed, layers, walk_seconds))
    try:
        told = reading.result(walk_seconds + GRACE_SECONDS)
    except TimeoutError:
        raise UnreadableStorageError(f"{engine.root_dir} was not read within {walk_seconds:g} seconds") from None
    storage, unmeasured = told.storage, told.unmeasured
    keep = {
        part.id: msgspec.json.encode(part)
        for part in storage.parts
        if part.id.startswith(CACHED) and part.high_bytes is not None
    }
    text = f"{unmeasured} parts were not measured within {walk_seconds:g} seconds and are of unknown size"
    warnings = (ScanWarning(about="disk blocks", text=text),) if unmeasured else ()
    return StorageTold(storage, keep, warnings, told.in_registry)


def _in_lengths(reads: LayerReads, listed: Listed, known: Remembered, why: str, progress: Progress) -> StorageTold:
    engine, images = reads.engine, listed.images
    keys = {image: f"image:{key}" for image, key in memory_keys(engine, images).items()}
    wanted = wanted_images(engine, images, listed.build_cache)
    told = read_layers(reads, wanted, _decoded(known, "image:", ImageLayers), keys, progress)
    parts = _without_other_disks(layer_parts(images, told, engine.image_store, engine.flavour), images)
    # What was not wanted this time is kept as long as its image is there.
    keep = {key: known[key] for key in keys.values() if key in known}
    keep |= {keys[image]: msgspec.json.encode(layers) for image, layers in told.items() if image in keys}
    text = f"the layers of {len(wanted - told.keys())} images could not be read"
    warnings = (ScanWarning(about="image layers", text=text),) if wanted - told.keys() else ()
    return StorageTold(Storage(base="lengths", parts=parts, not_from_disk=why), keep, warnings)


def _without_other_disks(parts: tuple[Part, ...], images: tuple[Image, ...]) -> tuple[Part, ...]:
    """Return the same, with nothing for what lies in additional stores: the images there, and the layers below them,
    which images of the engine's own store may stand on."""
    elsewhere = [f"image:{image.id}" for image in images if image.read_only]
    if not elsewhere:
        return parts
    found = {part.id: part for part in parts}
    reached = dict.fromkeys(elsewhere)
    for one in elsewhere:
        # Grows while it is gone through.
        for need in found[one].needs if one in found else ():
            if need not in reached:
                reached[need] = None
                elsewhere.append(need)
    nothing = {"low_bytes": 0, "high_bytes": 0, "undivided_sizes": ()}
    for one in reached:
        found[one] = msgspec.structs.replace(found[one], **nothing) if one in found else Part(id=one, high_bytes=0)
    return tuple(found.values())


def _decoded(known: Remembered, prefix: str, shape: type[Shape]) -> dict[str, Shape]:
    """Return what is known of the ids with a prefix; what is damaged is as if it were not known."""
    decoded = {}
    for one, data in known.items():
        if one.startswith(prefix):
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, TypeError):
                decoded[one] = msgspec.json.decode(data, type=shape)
    return decoded
