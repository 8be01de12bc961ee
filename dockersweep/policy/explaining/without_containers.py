"""Surveys after the removal of an object's last container, for objects whose ages count from that."""

from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from dockersweep.model.age_reasons import AfterContainer
from dockersweep.model.inventory import Image, Network, ObjectRef, Volume
from dockersweep.model.naming import ref_of
from dockersweep.model.plan import Decision
from dockersweep.policy.judging.survey import Survey

Held = TypeVar("Held", Image, Volume, Network)


def waits_for_removal(decision: Decision) -> bool:
    """Whether an object is kept because its last container is only now removed."""
    return any(isinstance(reason.about, AfterContainer) for reason in decision.reasons)


def without_containers(survey: Survey, ref: ObjectRef, freed_at: datetime) -> Survey:
    """Return the survey at `freed_at`, when the containers that hold an object have been removed."""
    removed = {hold.by.id for hold in survey.holders[ref] if hold.by.kind == "container"}
    inventory = survey.inventory

    def free(item: Held) -> Held:
        if ref_of(item) != ref:
            return item
        # The engine counted these containers too.
        counted: dict[str, bool] = {"free_by_engine": True} if isinstance(item, Volume) else {}
        return replace(item, first_seen_unused_at=freed_at, **counted)

    def freed(items: tuple[Held, ...]) -> tuple[Held, ...]:
        return tuple(map(free, items))

    without = replace(
        inventory,
        containers=tuple(container for container in inventory.containers if container.id not in removed),
        images=freed(inventory.images),
        volumes=freed(inventory.volumes),
        networks=freed(inventory.networks),
    )
    return Survey(without, freed_at, survey.declarations, survey.archive)
