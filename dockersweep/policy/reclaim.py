"""Which bytes come back, as an interval that holds the truth, in the lengths that the engine counts.

An image gives back at least what it shares with no other image, less what build-cache records that stay may hold of
it, and at most its size. Where the engine does not tell sharing, the lower bound is 0.
"""

from collections.abc import Collection

import msgspec

from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Inventory, Network, Object
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import NOTHING, Interval, ObjectRef, add_up


class Reclaim:
    """What a set of removals gives back from one inventory."""

    def __init__(self, inventory: Inventory, going: Collection[ObjectRef]) -> None:
        self._containerd = inventory.engine.image_store == "containerd"
        self._image_ids = {image.id for image in inventory.images}
        # A container can outlive its image, which was removed by force: its layers are then held by nothing we see.
        homeless = any(self._is_homeless(seen) for seen in inventory.containers if ref_of(seen) not in going)
        self._pinned_bytes = None if homeless else _bytes_pinned_by_cache(inventory, going)
        self._going = going
        self._inventory = inventory

    def of(self, seen: Object) -> Interval:
        """Return what one object of the set gives back, as a part of the set."""
        if isinstance(seen, Image):
            unique = self._unique_bytes(seen)
            pinned = self._pinned_bytes
            low = 0 if unique is None or pinned is None else max(0, unique - pinned)
            return Interval(low_bytes=low, high_bytes=seen.size_bytes)
        if isinstance(seen, BuildCacheRecord):
            # A shared record gives back nothing while an image stands on it; the containerd store counts a layer
            # in more than one record (engine-api.md §0.1).
            certain = not seen.shared and not self._containerd and self._pinned_bytes is not None
            return Interval(low_bytes=(seen.size_bytes or 0) if certain else 0, high_bytes=seen.size_bytes)
        if isinstance(seen, Network):
            return NOTHING
        if isinstance(seen, Container):
            interval = _with_its_log(seen)
            return msgspec.structs.replace(interval, high_bytes=None) if self._is_homeless(seen) else interval
        return Interval(low_bytes=seen.size_bytes or 0, high_bytes=seen.size_bytes)

    def of_all(self) -> Interval:
        """Return what the whole set gives back."""
        seen = [one for one in objects_of(self._inventory) if ref_of(one) in self._going]
        images = [one for one in seen if isinstance(one, Image)]
        total = add_up(self.of(one) for one in seen if not isinstance(one, Image))
        unique = sum(self._unique_bytes(image) or 0 for image in images)
        low = 0 if self._pinned_bytes is None else max(0, unique - self._pinned_bytes)
        high = add_up(Interval(low_bytes=0, high_bytes=image.size_bytes) for image in images)
        return add_up([total, Interval(low_bytes=low, high_bytes=high.high_bytes)])

    def _is_homeless(self, container: Container) -> bool:
        return container.image_id not in self._image_ids

    def _unique_bytes(self, image: Image) -> int | None:
        if image.size_bytes is None or image.shared_bytes is None:
            return None
        return max(0, image.size_bytes - image.shared_bytes)


def _with_its_log(container: Container) -> Interval:
    """The writable layer and the log; where either is not known, the other is the least that comes back."""
    known = [size for size in (container.size_bytes, container.log_bytes) if size is not None]
    return Interval(low_bytes=sum(known), high_bytes=sum(known) if len(known) == 2 else None)


def _bytes_pinned_by_cache(inventory: Inventory, going: Collection[ObjectRef]) -> int | None:
    """What records that stay may hold of any image; None where the cache or a size of it is not known."""
    if inventory.build_cache is None:
        return None
    staying = [record for record in inventory.build_cache if record.shared and ref_of(record) not in going]
    sizes = [record.size_bytes for record in staying]
    return None if None in sizes else sum(size or 0 for size in sizes)
