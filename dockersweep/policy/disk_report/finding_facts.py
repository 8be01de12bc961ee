"""The input of the findings: a survey, and other parts of its report."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property

from msgspec import Struct

from dockersweep.model.history import Life
from dockersweep.model.inventory import Container, Inventory, ObjectRef, Volume
from dockersweep.model.last_use import KnownProject
from dockersweep.model.naming import ref_of
from dockersweep.model.plan import Decision
from dockersweep.model.report import ArchiveState, Group, ReportedDisk, ReportedObject
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.unwatched import UnwatchedObject
from dockersweep.units import DAY, HOUR

_ABOVE_RULES = ("hard protection", "protected", "protection")
"""The `rule` of reasons that override all rules."""


class FindingFacts(Struct, frozen=True, dict=True):
    """The input of the findings: a survey, and other parts of its report."""

    survey: Survey
    objects: Mapping[ObjectRef, ReportedObject]
    repositories: tuple[Group, ...]
    disks: tuple[ReportedDisk, ...]
    decision_of: Callable[[ObjectRef], Decision]
    """Returns the policy's decision on an object."""
    arrivals: tuple[Life, ...] = ()
    """Images without a tag that arrived in the last week."""
    unmarked_volumes: tuple[Volume, ...] = ()
    """Unused volumes that look anonymous, and are kept because the engine did not mark them so."""
    unwatched: tuple[UnwatchedObject, ...] = ()
    """Objects that rules keep only because too little time was watched."""
    archives: tuple[ArchiveState, ...] = ()
    """That of the policy first, if it has one."""

    @property
    def inventory(self) -> Inventory:
        """The inventory of the survey."""
        return self.survey.inventory

    def container(self, container: Container) -> ReportedObject:
        """Return a container's object in the report."""
        return self.objects[ObjectRef(kind="container", id=container.id)]

    @cached_property
    def containers_of_image(self) -> dict[str, list[Container]]:
        """Image id -> its containers."""
        containers: dict[str, list[Container]] = {}
        for container in self.inventory.containers:
            if container.image_id is not None:
                containers.setdefault(container.image_id, []).append(container)
        return containers

    @cached_property
    def idle_volumes(self) -> tuple[Volume, ...]:
        """The unused volumes that the policy does not remove: the others need no fix."""
        unused, volumes = self.survey.unused, self.inventory.volumes
        return tuple([volume for volume in volumes if (ref := ref_of(volume)) in unused and not self.goes(ref)])

    @cached_property
    def idle_projects(self) -> Mapping[str, KnownProject]:
        """Name -> compose project that had a service's container here before, and none for a day.

        Not a project that only uses `compose run --rm`, which has no container most of the time, nor one that is just
        being recreated.
        """
        owners = {
            name for container in self.inventory.containers for name in (container.project, container.maybe_project)
        }
        return {
            project.project: project
            for project in self.inventory.projects or ()
            if project.has_services and project.project not in owners and self._is_idle(project)
        }

    def _is_idle(self, project: KnownProject) -> bool:
        since = self.seconds_since(project.container_at)
        return since is not None and since >= DAY

    def goes(self, ref: ObjectRef) -> bool:
        """Whether the policy removes an object now."""
        return self.decision_of(ref).verdict == "remove"

    def is_protected(self, ref: ObjectRef) -> bool:
        """Whether an object is kept whatever rules say, so that the rule of a fix would change nothing."""
        return any(reason.rule in _ABOVE_RULES for reason in self.decision_of(ref).reasons)

    def seconds_since(self, instant: datetime | None) -> float | None:
        """Return how many seconds ago an instant was; None for None."""
        return None if instant is None else (self.survey.now - instant).total_seconds()

    def per_day(self, size_bytes: int, since: datetime | None) -> float | None:
        """Return the average bytes per day since a start; None where that is not known or less than an hour ago."""
        seconds = self.seconds_since(since)
        return None if seconds is None or seconds < HOUR else size_bytes * DAY / seconds
