"""What findings look at, and how each tells what it found."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from dockersweep.model.history import Life
from dockersweep.model.inventory import Container, Inventory, Volume
from dockersweep.model.plan import ObjectRef
from dockersweep.model.report import Group, ReportedObject, Trend
from dockersweep.model.storage import SizeBase
from dockersweep.units import DAY, HOUR


@dataclass(frozen=True)
class Evidence:
    """One object that a finding is about."""

    text: str
    size_bytes: int | None = None
    rank: float = 0
    """The worst has the highest; where they are the same, the largest comes first."""
    name: str = ""
    """What the mend names."""
    matched_by: str = ""
    """What a rule would match it by, where that is not its name."""
    title: str = ""
    """What the title says where it is no number of objects."""


Found = Iterator[Evidence]


@dataclass(frozen=True)
class Scene:
    """An inventory with all that a report has found out about it."""

    inventory: Inventory
    now: datetime
    base: SizeBase
    objects: Mapping[ObjectRef, ReportedObject]
    repositories: tuple[Group, ...]
    trend: Trend | None
    arrivals: tuple[Life, ...] = field(default=())
    """Images without a tag that came in the last days."""
    unmarked_volumes: tuple[Volume, ...] = field(default=())
    """Unused ones that look anonymous, and are kept because the engine has not marked them so."""

    def container(self, container: Container) -> ReportedObject:
        """Return what the report says of a container."""
        return self.objects[ObjectRef(kind="container", id=container.id)]

    @cached_property
    def containers_of_image(self) -> dict[str, list[Container]]:
        """The containers of each image, by its id."""
        found: dict[str, list[Container]] = {}
        for container in self.inventory.containers:
            if container.image_id is not None:
                found.setdefault(container.image_id, []).append(container)
        return found

    @cached_property
    def projects_with_containers(self) -> frozenset[str]:
        """The compose projects of which a container is there, running or not."""
        return frozenset(one.project for one in self.inventory.containers if one.project is not None)

    def seconds_since(self, instant: datetime | None) -> float | None:
        """Return how long ago an instant is; None where it is not known."""
        return None if instant is None else (self.now - instant).total_seconds()

    def per_day(self, size_bytes: int, since: datetime | None) -> float | None:
        """Return how much of something came in a day, on average; None where nothing tells, or it is too new."""
        seconds = self.seconds_since(since)
        return None if seconds is None or seconds < HOUR else size_bytes * DAY / seconds


def worst_first(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Return evidence in the order in which it is told."""
    return sorted(evidence, key=lambda one: (-one.rank, -(one.size_bytes or 0), one.text))
