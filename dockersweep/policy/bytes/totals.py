"""What all objects of each sort take together: layers that images share with others are counted with the images."""

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
    """What the objects of one inventory take together; each is counted when it is first asked for."""

    def __init__(self, inventory: Inventory, sizes: Sizes) -> None:
        """Count nothing yet."""
        self.inventory = inventory
        self._sizes = sizes
        self._on_disk = size_base(inventory) == "disk"

    @cached_property
    def held_bytes(self) -> int | None:
        """What all objects take together, what they share counted once; None where that is not known."""
        if self._on_disk:
            sizes = [size.high_bytes for size in self._of_kinds.values()]
        else:
            sizes = [_held_by_images(self.inventory), _held_by_cache(self.inventory)]
            sizes += [container.size_bytes for container in self.inventory.containers]
            sizes += [volume.size_bytes for volume in self.inventory.volumes]
        return known_sum(sizes)

    def held_on(self, disk: int, on_disks: "OnDisks") -> int | None:
        """Return what of it lies on one disk; None where that is not known."""
        if self._on_disk:
            of_kinds = self._sizes.lying_in(on_disks.of_nodes, len(on_disks.regions))[disk]
            return known_sum(size.high_bytes for size in of_kinds.values())
        sizes = [_held_by_images(self.inventory)] if disk in on_disks.of_kinds(["image"]) else []
        sizes += [_held_by_cache(self.inventory)] if disk in on_disks.of_kinds(["build-cache"]) else []
        others: tuple[Container | Volume, ...] = (*self.inventory.containers, *self.inventory.volumes)
        return known_sum([*sizes, *[one.size_bytes for one in others if on_disks.of_own_part(ref_of(one)) == disk]])

    @cached_property
    def shares(self) -> dict[Share, Interval]:
        """What all of each sort take."""
        item = self.inventory
        if self._on_disk:
            layers, logs = _split(item, self._sizes, self._of_kinds["container"])
            images, cache, volumes = (self._of_kinds[kind] for kind in ("image", "build-cache", "volume"))
        else:
            layers, logs = _told_apart(item)
            images = _exactly(_held_by_images(item)) or _at_most(_sizes_here(item.images))
            cache = _exactly(_held_by_cache(item)) or _at_most(one.size_bytes for one in item.build_cache or ())
            volumes = _added_up(one.size_bytes for one in item.volumes)
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
    """Return what the containers of other tools take that are counted with the writable layers: those that were
    measured, which a mounted image never is."""
    return tuple(one.size_bytes for one in inventory.external or () if one.size_bytes is not None)


def log_size(container: Container) -> Interval:
    """Return what the log of a container takes; nobody knows how much where it was not read."""
    return Interval(low_bytes=container.log_bytes or 0, high_bytes=container.log_bytes)


def sizes_now(totals: Totals) -> tuple[ShareSize, ...]:
    """Return what is worth remembering of an inventory: what is known of it."""
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
        # Some file systems in user space have more free than there is.
        if disk.total_bytes >= disk.free_bytes:
            not_free = disk.total_bytes - disk.free_bytes
            yield ShareSize(share=share_of_disk(disk, inventory.disk), base="disk", objects=0, size_bytes=not_free)


def share_of_disk(disk: Disk, main: Disk | None) -> str:
    """Return the name by which the ledger keeps how full a disk of an engine was; `main` is that of its own folder."""
    return "disk" if disk is main else f"disk:{disk.name}"


def _split(inventory: Inventory, sizes: Sizes, both: Interval) -> tuple[Interval, Interval]:
    """Return what of the containers' blocks are writable layers, and what are logs, which lie in the same folders.

    A log that was not read may be anything up to all that its container has.
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


def _told_apart(inventory: Inventory) -> tuple[Interval, Interval]:
    """Podman counts the log with the writable layer."""
    is_podman = inventory.engine.flavour == "podman"
    layers = _added_up([_without_log(one) if is_podman else one.size_bytes for one in inventory.containers])
    return layers, _added_up([one.log_bytes for one in inventory.containers])


def _without_log(container: Container) -> int | None:
    size, log = container.size_bytes, container.log_bytes
    return None if size is None or log is None else max(0, size - log)


def _sizes_here(images: Iterable[Image]) -> Iterator[int | None]:
    """What lies in additional stores takes nothing of the engine's own."""
    return (0 if image.read_only else image.size_bytes for image in images)


def _exactly(size: int | None) -> Interval | None:
    return None if size is None else exactly(size)


def _held_by_images(inventory: Inventory) -> int | None:
    """Where layers are shared, the sizes of images do not add up."""
    if inventory.layers_bytes is not None:
        return inventory.layers_bytes
    if any(image.size_bytes is None or image.shared_bytes != 0 for image in inventory.images):
        return None
    return sum(image.size_bytes or 0 for image in inventory.images)


def _held_by_cache(inventory: Inventory) -> int | None:
    """What records share with images is counted there; on the containerd store their sizes hold what others do too."""
    records = inventory.build_cache
    if records is None or (records and inventory.engine.image_store == "containerd"):
        return None
    own = [record.size_bytes for record in records if not record.shared]
    return known_sum(own)


def _added_up(sizes: Iterable[int | None]) -> Interval:
    listed = list(sizes)
    return Interval(low_bytes=sum(size or 0 for size in listed), high_bytes=known_sum(listed))


def _at_most(sizes: Iterable[int | None]) -> Interval:
    """Add up sizes that have in them what several share."""
    return Interval(low_bytes=0, high_bytes=_added_up(sizes).high_bytes)
