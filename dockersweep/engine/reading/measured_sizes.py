"""Sizes as the engine would tell them, of what was measured on its disk: what is walked here it need not walk too.

Docker adds up the lengths of the files of a volume, and of what a container has written (pkg/directory of moby), and
has those of each layer in a file; Podman counts with what a container has written what it keeps of the container in two
folders of its own (ContainerSize in store.go of containers/storage).
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
    """Return what is known of the sizes of containers, volumes and layers, by the lengths of the parts of the storage.

    `run_root` is Podman's; what takes longer than so many seconds is left out.
    """
    listed = stores.listed
    containers = {one.id: lengths.get(f"container:{one.id}") for one in listed.containers}
    if quirks.is_podman:
        containers = dict(_of_podman(stores, storage, lengths, run_root, time.monotonic() + seconds))
    return DiskUsage(
        writable_bytes=containers if quirks.has_native_diff else {},
        volume_bytes={one.name: lengths.get(f"volume:{one.name}") for one in listed.volumes},
        layers_bytes=_of_layers(listed.images, storage, lengths) if quirks.sums_up_layers else None,
    )


def _of_layers(images: tuple[Image, ...], storage: Storage, lengths: Mapping[str, int]) -> int | None:
    """Add up the layers of all images that have a name or no child: getLayerRefs in daemon/images of moby."""
    parts = {part.id: part for part in storage.parts}
    parents = {image.parent_id for image in images}
    waiting = [f"image:{one.id}" for one in images if one.tags or one.digests or one.id not in parents]
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
                # It has mounted something there, such as shared memory, and counts that.
                kept = lengths_below(stores.root / "overlay-containers" / container.id / "userdata", deadline)
            kept_here = Path(run_root, "overlay-containers", container.id, "userdata")
            yield container.id, known_sum([kept, *layers, lengths_below(kept_here, deadline)])
