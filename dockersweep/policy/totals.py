"""What the objects of each kind take together and would give back: the rows of a disk report."""

from collections.abc import Iterator, Sequence

from dockersweep.model.inventory import KINDS, Inventory, Kind
from dockersweep.model.naming import objects_of
from dockersweep.model.plan import NOTHING, Interval, ObjectRef, Plan
from dockersweep.model.use import KindTotal, Use
from dockersweep.policy.order import ORDER
from dockersweep.policy.reclaim import Prediction, Reclaim
from dockersweep.policy.sizes import Sizes, size_base


def reclaim_of_unused(inventory: Inventory, uses: Sequence[Use]) -> Prediction:
    """Return what those that are unused would give back if they all went, in the order of a plan."""
    unused = [use for kind in ORDER for use in uses if use.kind == kind and not use.in_use]
    return Reclaim(inventory).in_order([ObjectRef(kind=use.kind, id=use.id) for use in unused])


def kind_totals(inventory: Inventory, plan: Plan, uses: Sequence[Use]) -> tuple[tuple[KindTotal, ...], Interval]:
    """Return a row for each kind, and what all that is unused would give back together."""
    prediction = reclaim_of_unused(inventory, uses)
    sizes = dict(_sizes(inventory))
    rows = tuple(
        KindTotal(
            kind=kind,
            is_known=kind != "build-cache" or inventory.build_cache is not None,
            count=sum(use.kind == kind for use in uses),
            in_use=sum(use.kind == kind and use.in_use for use in uses),
            size=sizes[kind],
            reclaimable=plan.reclaim_of_kinds.get(kind, NOTHING),
            unused=prediction.of_kinds.get(kind, NOTHING),
        )
        for kind in KINDS
    )
    return rows, prediction.total


def held_bytes(inventory: Inventory) -> int | None:
    """Return what all objects take together, what they share counted once; None where that is not known."""
    if size_base(inventory) == "disk":
        sizes = [size.high_bytes for _, size in _sizes(inventory)]
    else:
        sizes = [_held_by_images(inventory), _held_by_cache(inventory)]
        sizes += [container.size_bytes for container in inventory.containers]
        sizes += [volume.size_bytes for volume in inventory.volumes]
    return None if None in sizes else sum(size or 0 for size in sizes)


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
    return None if None in own else sum(size or 0 for size in own)


def _sizes(inventory: Inventory) -> Iterator[tuple[Kind, Interval]]:
    """Layers that the cache shares with images are counted with the images."""
    sizes = Sizes(inventory)
    on_disk = size_base(inventory) == "disk"
    for kind in KINDS:
        if on_disk and kind in ("image", "build-cache"):
            size = sizes.everything(kind, but_of="image" if kind == "build-cache" else None)
            yield kind, Interval(low_bytes=size or 0, high_bytes=size)
        elif kind == "image" and inventory.layers_bytes is not None:
            yield kind, Interval(low_bytes=inventory.layers_bytes, high_bytes=inventory.layers_bytes)
        else:
            yield kind, _added_up([sizes.of(seen) for seen in objects_of(inventory, kind)], kind)


def _added_up(sizes: Sequence[int | None], kind: Kind) -> Interval:
    total = sum(size or 0 for size in sizes)
    # Layers that several share are in each of their sizes.
    low = 0 if kind in ("image", "build-cache") else total
    return Interval(low_bytes=low, high_bytes=None if None in sizes else total)
