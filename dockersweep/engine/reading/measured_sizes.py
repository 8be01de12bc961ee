"""Sizes as the engine would report them, from what was measured on its disk: so the engine need not walk it too.

Docker adds up the lengths of the files in a volume and in a container's writable layer (pkg/directory of moby), and has
the size of each layer in a file. Podman adds two folders of metadata to a container's writable layer (ContainerSize in
store.go of containers/storage).
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from dockersweep.engine.api.answers import DiskUsage
from dockersweep.engine.api.quirks import Quirks
from dockersweep.engine.disk.stores import Stores
from dockersweep.engine.disk.walk import TooLateError, lengths_below
from dockersweep.model.inventory import Image
from dockersweep.model.quantities import known_sum
from dockersweep.model.storage import Storage


def measured_sizes(
    quirks: Quirks, stores: Stores, storage: Storage, lengths: Mapping[str, int], run_root: str | None, seconds: float
) -> DiskUsage:
    """Return the known sizes of containers, volumes and layers; `lengths` are by part id.

    `run_root` is Podman's; what is not measured within `seconds` is left out.
    """
    listed = stores.listed
    containers = {container.id: lengths.get(f"container:{container.id}") for container in listed.containers}
    if quirks.is_podman:
        containers = dict(_of_podman(stores, storage, lengths, run_root, time.monotonic() + seconds))
    return DiskUsage(
        writable_bytes=containers if quirks.has_native_diff else {},
        volume_bytes={volume.name: lengths.get(f"volume:{volume.name}") for volume in listed.volumes},
        layers_bytes=_of_layers(listed.images, storage, lengths) if quirks.sums_up_layers else None,
    )


def _of_layers(images: tuple[Image, ...], storage: Storage, lengths: Mapping[str, int]) -> int | None:
    """Return the size of the layers of all images with a name or without children, as getLayerRefs in daemon/images of
    moby does."""
    parts = {part.id: part for part in storage.parts}
    parents = {image.parent_id for image in images}
    waiting = [f"image:{image.id}" for image in images if image.tags or image.digests or image.id not in parents]
    if not parts.keys() >= set(waiting):
        return None
    layers: set[str] = set()
    while waiting:
        needs = [need for need in parts[waiting.pop()].needs if need not in layers]
        layers.update(needs)
        waiting += needs
    return known_sum(lengths.get(layer) for layer in layers)


def _of_podman(
    stores: Stores, storage: Storage, lengths: Mapping[str, int], run_root: str | None, deadline: float
) -> Iterator[tuple[str, int | None]]:
    if run_root is None:
        return
    parts = {part.id: part for part in storage.parts}
    for container in stores.listed.containers:
        own = parts.get(f"container:{container.id}")
        if own is None:
            continue
        layers = [lengths.get(need) for need in own.needs if need.startswith("writable-layer:")]
        with suppress(OSError, TooLateError):
            kept = lengths.get(own.id)
            if kept is None:
                # Podman has mounted something there, such as shared memory, and counts that as well.
                kept = lengths_below(stores.root / "overlay-containers" / container.id / "userdata", deadline)
            kept_here = Path(run_root, "overlay-containers", container.id, "userdata")
            yield container.id, known_sum([kept, *layers, lengths_below(kept_here, deadline)])
