"""When uses would have been noticed, and whether that is enough to call an object unused."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property

from dockersweep.model.inventory import Image, Inventory, Object
from dockersweep.model.last_use import Span

_NEVER = timedelta()


class WatchedTime:
    """The time in which uses of some kinds of objects would have been noticed.

    Time after the inventory was taken counts as watched: a forecast assumes that everything goes on as it does now.
    """

    def __init__(self, spans: Iterable[Span], taken_at: datetime) -> None:
        """`spans` may overlap and be unsorted: an inventory or a test case may be written by hand."""
        self._taken_at = taken_at
        self._begins: list[datetime] = []
        self._ends: list[datetime] = []
        self._before = [_NEVER]
        """How much time was watched before each span; the last element is the total."""
        for span in sorted(spans, key=lambda span: span.begins_at):
            begins_at = max(span.begins_at, self._ends[-1]) if self._ends else span.begins_at
            if begins_at < span.ends_at:
                self._begins.append(begins_at)
                self._ends.append(span.ends_at)
                self._before.append(self._before[-1] + (span.ends_at - begins_at))
        self._known: dict[tuple[datetime, datetime], timedelta] = {}

    def between(self, begin: datetime, end: datetime) -> timedelta:
        """Return how much of a time was watched; cached, as most objects ask for the same."""
        known = self._known.get((begin, end))
        if known is None:
            later = max(_NEVER, end - max(begin, self._taken_at))
            known = self._until(min(end, self._taken_at)) - self._until(min(begin, self._taken_at)) + later
            self._known[begin, end] = known
        return known

    def is_enough(self, begin: datetime, end: datetime) -> bool:
        """Whether at least half of a time was watched."""
        return 2 * self.between(begin, end) >= end - begin

    def gaps(self, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Return the parts of a time that were not watched, the earliest first."""
        end = min(end, self._taken_at)
        gaps = []
        for place in range(bisect_right(self._ends, begin), len(self._begins)):
            if self._begins[place] >= end:
                break
            if self._begins[place] > begin:
                gaps.append((begin, self._begins[place]))
            begin = self._ends[place]
        return [*gaps, (begin, end)] if begin < end else gaps

    def _until(self, instant: datetime) -> timedelta:
        place = bisect_left(self._begins, instant)
        if not place:
            return _NEVER
        return self._before[place] - max(_NEVER, self._ends[place - 1] - instant)


class Watch:
    """Which uses of an inventory's objects would have been noticed, and which containers exist."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    @property
    def is_known(self) -> bool:
        """Whether there is a record of when uses would have been noticed."""
        return self._inventory.watched is not None

    def of(self, item: Object) -> WatchedTime:
        """Return when uses of an image, a volume or a network would have been noticed."""
        return self.of_images if type(item) is Image else self.of_held

    @cached_property
    def of_images(self) -> WatchedTime:
        """When uses of images would have been noticed."""
        return WatchedTime(self._inventory.watched or (), self._inventory.taken_at)

    @cached_property
    def of_held(self) -> WatchedTime:
        """When uses of volumes and networks would have been noticed."""
        spans = (span for span in self._inventory.watched or () if span.of_held)
        return WatchedTime(spans, self._inventory.taken_at)

    @cached_property
    def containers(self) -> frozenset[str]:
        """The ids of the existing containers."""
        return frozenset(container.id for container in self._inventory.containers)

    @cached_property
    def sees_builds(self) -> bool:
        """Whether build cache records show when a build last used an image.

        A build causes no event for its base images, and Podman keeps no such records.
        """
        inventory = self._inventory
        if inventory.engine.flavour != "docker" or inventory.build_cache is None:
            return False
        parts = inventory.storage.parts if inventory.storage else ()
        return not inventory.build_cache or any(part.id.startswith("build-cache:") for part in parts)
