"""How much space all objects of each type use: layers that images share with others count with the images."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from dockersweep.model.disk import Disk
from dockersweep.model.history import ShareSize
from dockersweep.model.inventory import Container, Image, Inventory, Kind, Volume
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import NOTHING, Interval, exactly
from dockersweep.model.quantities import known_sum
from dockersweep.model.report import Share
from dockersweep.policy.bytes.layer_graph import COUNTED
from dockersweep.policy.bytes.sizes import Sizes, size_base

if TYPE_CHECKING:
    from dockersweep.policy.bytes.on_disks import OnDisks


class Totals:
    """How much space the objects of one inventory use; each figure is computed when first needed."""

    def __init__(self, inventory: Inventory, sizes: Sizes) -> None:
        """Count nothing yet."""
        self.inventory = inventory
        self._sizes = sizes
        self._on_disk = size_base(inventory) == "disk"

    @cached_property
    def held_bytes(self) -> int | None:
        """What all objects use together, shared parts once; None where that is not known."""
        if self._on_disk:
            sizes = [size.high_bytes for size in self._of_kinds.values()]
        else:
            sizes = [_held_by_images(self.inventory), _held_by_cache(self.inventory)]
            sizes += [container.size_bytes for container in self.inventory.containers]
            sizes += [volume.size_bytes for volume in self.inventory.volumes]
        return known_sum(sizes)

    def held_on(self, disk: int, on_disks: "OnDisks") -> int | None:
        """Return the same for one disk; None where that is not known."""
        if self._on_disk:
            of_kinds = self._sizes.in_regions(on_disks.of_nodes, len(on_disks.regions))[disk]
            return known_sum(size.high_bytes for size in of_kinds.values())
        sizes = [_held_by_images(self.inventory)] if disk in on_disks.of_kinds(["image"]) else []
        sizes += [_held_by_cache(self.inventory)] if disk in on_disks.of_kinds(["build-cache"]) else []
        others: tuple[Container | Volume, ...] = (*self.inventory.containers, *self.inventory.volumes)
        return known_sum([*sizes, *[item.size_bytes for item in others if on_disks.of_own_part(ref_of(item)) == disk]])

    @cached_property
    def shares(self) -> dict[Share, Interval]:
        """Type -> how much space all of it uses."""
        inventory = self.inventory
        if self._on_disk:
            layers, logs = _split(inventory, self._sizes, self._of_kinds["container"])
            images, cache, volumes = (self._of_kinds[kind] for kind in ("image", "build-cache", "volume"))
        else:
            layers, logs = _layers_and_logs(inventory)
            images = _exactly(_held_by_images(inventory)) or _at_most(_sizes_here(inventory.images))
            cache = _exactly(_held_by_cache(inventory)) or _at_most(
                record.size_bytes for record in inventory.build_cache or ()
            )
            volumes = _added_up(volume.size_bytes for volume in inventory.volumes)
        return {
            "image": images,
            "writable-layer": layers,
            "container-log": logs,
            "volume": volumes,
            "network": NOTHING,
            "build-cache": cache,
        }

    @cached_property
    def _of_kinds(self) -> dict[Kind, Interval]:
        return {kind: self._sizes.everything(kind) for kind in COUNTED}


def measured_bytes(inventory: Inventory) -> tuple[int, ...]:
    """Return the sizes of other tools' containers, which count with the writable layers: only measured ones, which
    mounted images never are."""
    return tuple(container.size_bytes for container in inventory.external or () if container.size_bytes is not None)


def log_size(container: Container) -> Interval:
    """Return the size of a container's log; without an upper bound where it was not read."""
    return Interval(low_bytes=container.log_bytes or 0, high_bytes=container.log_bytes)


def sizes_now(totals: Totals) -> tuple[ShareSize, ...]:
    """Return the sizes for the ledger to record: those that are known exactly."""
    return tuple(_known_sizes(totals))


def _known_sizes(totals: Totals) -> Iterator[ShareSize]:
    inventory, base = totals.inventory, size_base(totals.inventory)
    counts: dict[Share, int] = {
        "image": len(inventory.images),
        "writable-layer": len(inventory.containers) + len(measured_bytes(inventory)),
        "container-log": len(inventory.containers),
        "volume": len(inventory.volumes),
        "build-cache": len(inventory.build_cache or ()),
    }
    for share, size in totals.shares.items():
        is_read = share != "network" and (share != "build-cache" or inventory.build_cache is not None)
        if is_read and size.high_bytes is not None and size.is_exact:
            yield ShareSize(share=share, base=base, objects=counts[share], size_bytes=size.high_bytes)
    if totals.held_bytes is not None:
        objects = sum(1 for _ in objects_of(inventory))
        yield ShareSize(share="total", base=base, objects=objects, size_bytes=totals.held_bytes)
    for disk in inventory.disks:
        # Some FUSE file systems report more free space than their size.
        if disk.total_bytes >= disk.free_bytes:
            not_free = disk.total_bytes - disk.free_bytes
            yield ShareSize(share=share_of_disk(disk, inventory.disk), base="disk", objects=0, size_bytes=not_free)


def share_of_disk(disk: Disk, main: Disk | None) -> str:
    """Return the ledger's name for the use of a disk; `main` is the disk of the engine's own folder."""
    return "disk" if disk is main else f"disk:{disk.name}"


def _split(inventory: Inventory, sizes: Sizes, both: Interval) -> tuple[Interval, Interval]:
    """Split the containers' blocks into writable layers and logs, which are in the same folders.

    A log that was not read may be anything from nothing to all blocks of its container.
    """
    log_low = log_high = 0
    for container in inventory.containers:
        own, log = sizes.of(container), container.log_bytes
        if log is None:
            log_high += own or 0
        else:
            known = log if own is None else min(log, own)
            log_low += known
            log_high += known
    high = None if both.high_bytes is None else max(0, both.high_bytes - log_low)
    layers = Interval(low_bytes=max(0, both.low_bytes - log_high), high_bytes=high)
    return layers, Interval(low_bytes=log_low, high_bytes=None if both.high_bytes is None else log_high)


def _layers_and_logs(inventory: Inventory) -> tuple[Interval, Interval]:
    """Return the sizes of writable layers and logs by the engine's list, where Podman counts the log with the layer."""
    is_podman = inventory.engine.flavour == "podman"
    layers = _added_up(
        [_without_log(container) if is_podman else container.size_bytes for container in inventory.containers]
    )
    return layers, _added_up([container.log_bytes for container in inventory.containers])


def _without_log(container: Container) -> int | None:
    size, log = container.size_bytes, container.log_bytes
    return None if size is None or log is None else max(0, size - log)


def _sizes_here(images: Iterable[Image]) -> Iterator[int | None]:
    """Yield the sizes of images in the engine's own storage: those in additional stores use nothing of it."""
    return (0 if image.read_only else image.size_bytes for image in images)


def _exactly(size: int | None) -> Interval | None:
    return None if size is None else exactly(size)


def _held_by_images(inventory: Inventory) -> int | None:
    """Return what all images use; None where they share layers, as their sizes then do not add up."""
    if inventory.layers_bytes is not None:
        return inventory.layers_bytes
    if any(image.size_bytes is None or image.shared_bytes != 0 for image in inventory.images):
        return None
    return sum(image.size_bytes or 0 for image in inventory.images)


def _held_by_cache(inventory: Inventory) -> int | None:
    """Return what records use beside what they share with images; None on the containerd store, where sizes overlap."""
    records = inventory.build_cache
    if records is None or (records and inventory.engine.image_store == "containerd"):
        return None
    own = [record.size_bytes for record in records if not record.shared]
    return known_sum(own)


def _added_up(sizes: Iterable[int | None]) -> Interval:
    listed = list(sizes)
    return Interval(low_bytes=sum(size or 0 for size in listed), high_bytes=known_sum(listed))


def _at_most(sizes: Iterable[int | None]) -> Interval:
    """Add up sizes of objects that may share parts."""
    return Interval(low_bytes=0, high_bytes=_added_up(sizes).high_bytes)
