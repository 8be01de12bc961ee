"""What becomes of an object whose ages count from the removal of its last container, once that is removed."""

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
    """Whether an object stays because its last container goes only now."""
    return any(isinstance(reason.about, AfterContainer) for reason in decision.reasons)


def without_containers(survey: Survey, ref: ObjectRef, freed_at: datetime) -> Survey:
    """Return the survey of the instant at which the containers that hold an object have been removed."""
    removed = {hold.by.id for hold in survey.holders[ref] if hold.by.kind == "container"}
    inventory = survey.inventory

    def free(one: Held) -> Held:
        if ref_of(one) != ref:
            return one
        # The engine counted these containers too.
        counted: dict[str, bool] = {"free_by_engine": True} if isinstance(one, Volume) else {}
        return replace(one, first_seen_unused_at=freed_at, **counted)

    def freed(items: tuple[Held, ...]) -> tuple[Held, ...]:
        return tuple(map(free, items))

    without = replace(
        inventory,
        containers=tuple(one for one in inventory.containers if one.id not in removed),
        images=freed(inventory.images),
        volumes=freed(inventory.volumes),
        networks=freed(inventory.networks),
    )
    return Survey(without, freed_at, survey.declarations)
