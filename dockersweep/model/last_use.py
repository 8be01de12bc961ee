"""When an object was last used, by whom, and for which time uses would have been noticed."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from dockersweep.model.quantities import Instant

UseAction = Literal[
    "created", "started", "exited", "ran a command", "copied files", "committed", "exported", "mounted", "unmounted",
    "connected", "disconnected", "pulled", "loaded", "imported", "tagged", "built", "saved", "pushed",
]  # fmt: skip
"""What was done with it, or with the container that held it: "exited" is a container that stopped or died, "ran a
command" is an exec."""


MOST_USES = 5
"""How many uses of an object are remembered."""


class PastUse(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One use of an object, as events of its engine or a scan told it."""

    at: Instant
    action: UseAction
    by: str | None = None
    """The name of the container; None where no container did it, or it is not known."""
    by_id: str | None = None
    project: str | None = None
    """The compose project of that container."""
    service: str | None = None


def last_of(uses: Iterable[PastUse]) -> tuple[PastUse, ...]:
    """Return the last of some uses of one object, the latest first: the latest of each container, and of each sort that
    no container did."""
    latest: dict[str, PastUse] = {}
    for use in sorted(uses, key=lambda use: use.at, reverse=True):
        latest.setdefault(use.by_id or use.action, use)
    return tuple(latest.values())[:MOST_USES]


class LastProject(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A compose project whose container held an object when any project's last did: two projects can at once."""

    project: str
    service: str | None = None
    container: str | None = None
    """The name of the container; None for the base of an image of the project, and where unknown."""
    at: Instant
    is_certain: bool = True
    """Whether the container was the project's for certain, and had not its label from its image."""


class KnownProject(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A compose project that has, or had, a container on the engine."""

    project: str
    working_dir: str | None = None
    config_files: tuple[str, ...] = ()
    container_at: Instant
    """When a container of it was last seen or heard of."""
    has_services: bool = True
    """Whether a container of a service was ever seen; False of a project that only does `compose run`."""
    missing: tuple[str, ...] | None = None
    """Which of its folder and files are not there any more; None where they cannot be looked for."""


class Span(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A span of time in which uses would have been noticed."""

    begins_at: Instant
    ends_at: Instant
    of_held: bool = True
    """Whether also those of volumes and networks. False where a container came and went and the engine does not tell
    what it held: no event of Podman names the volumes of a container, nor the networks that it starts with."""
