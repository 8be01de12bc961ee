"""What findings are looked for in: a survey, and what the rest of its report knows."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property

from msgspec import Struct

from dockersweep.model.history import Life
from dockersweep.model.inventory import Container, Inventory, ObjectRef, Volume
from dockersweep.model.last_use import KnownProject
from dockersweep.model.naming import ref_of
from dockersweep.model.plan import Decision
from dockersweep.model.report import Group, ReportedDisk, ReportedObject
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.unwatched import UnwatchedObject
from dockersweep.units import DAY, HOUR

_ABOVE_RULES = ("hard protection", "protected", "protection")
"""What reasons that stand above all rules have as their rule."""


class FindingFacts(Struct, frozen=True, dict=True):
    """A survey of an inventory, and what the rest of its report knows."""

    survey: Survey
    objects: Mapping[ObjectRef, ReportedObject]
    repositories: tuple[Group, ...]
    disks: tuple[ReportedDisk, ...]
    decision_of: Callable[[ObjectRef], Decision]
    """Returns what the policy decides of an object."""
    arrivals: tuple[Life, ...] = ()
    """Images without a tag that came in the last days."""
    unmarked_volumes: tuple[Volume, ...] = ()
    """Unused ones that look anonymous, and are kept because the engine has not marked them so."""
    unwatched: tuple[UnwatchedObject, ...] = ()
    """What rules keep only because too little of the time was watched."""

    @property
    def inventory(self) -> Inventory:
        """The inventory that was surveyed."""
        return self.survey.inventory

    def container(self, container: Container) -> ReportedObject:
        """Return what the report says of a container."""
        return self.objects[ObjectRef(kind="container", id=container.id)]

    @cached_property
    def containers_of_image(self) -> dict[str, list[Container]]:
        """The containers of each image, by its id."""
        containers: dict[str, list[Container]] = {}
        for container in self.inventory.containers:
            if container.image_id is not None:
                containers.setdefault(container.image_id, []).append(container)
        return containers

    @cached_property
    def idle_volumes(self) -> tuple[Volume, ...]:
        """The volumes that nothing uses and that the policy does not remove anyway: no fix does more for those."""
        unused = self.survey.unused
        return tuple([one for one in self.inventory.volumes if (ref := ref_of(one)) in unused and not self.goes(ref)])

    @cached_property
    def idle_projects(self) -> Mapping[str, KnownProject]:
        """The compose projects that are known to have had a container of a service here, and none for a day, by name.

        One that only does `compose run --rm` has none most of the time, and one that is being recreated for a moment.
        """
        owners = {name for one in self.inventory.containers for name in (one.project, one.maybe_project)}
        return {
            one.project: one
            for one in self.inventory.projects or ()
            if one.has_services and one.project not in owners and self._is_idle(one)
        }

    def _is_idle(self, project: KnownProject) -> bool:
        since = self.seconds_since(project.container_at)
        return since is not None and since >= DAY

    def goes(self, ref: ObjectRef) -> bool:
        """Whether the policy removes an object now."""
        return self.decision_of(ref).verdict == "remove"

    def is_protected(self, ref: ObjectRef) -> bool:
        """Whether an object stays whatever rules say: a rule that a fix offers would do nothing."""
        return any(reason.rule in _ABOVE_RULES for reason in self.decision_of(ref).reasons)

    def seconds_since(self, instant: datetime | None) -> float | None:
        """Return how long ago an instant is; None where it is not known."""
        return None if instant is None else (self.survey.now - instant).total_seconds()

    def per_day(self, size_bytes: int, since: datetime | None) -> float | None:
        """Return how many bytes came in a day, on average; None where the start is not known or under an hour ago."""
        seconds = self.seconds_since(since)
        return None if seconds is None or seconds < HOUR else size_bytes * DAY / seconds
