"""When an object was last used, by whom, and when uses would have been noticed."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from dockersweep.model.quantities import Instant

UseAction = Literal[
    "created", "started", "exited", "ran a command", "copied files", "committed", "exported", "mounted", "unmounted",
    "connected", "disconnected", "pulled", "loaded", "imported", "tagged", "built", "saved", "pushed",
    "made by commit",
]  # fmt: skip
"""An action on the object or on a container that held it: "exited" is a container that stopped or died, "ran a command"
is an exec, "committed" a container that an image was made of, and "made by commit" that image."""


MOST_USES = 5
"""How many uses of an object are recorded."""


class PastUse(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One use of an object, known from events of its engine or from a scan."""

    at: Instant
    action: UseAction
    by: str | None = None
    """The name of the container; None where it was no container, or is not known."""
    by_id: str | None = None
    project: str | None = None
    """The compose project of that container."""
    service: str | None = None


def last_of(uses: Iterable[PastUse]) -> tuple[PastUse, ...]:
    """Return the last uses of one object, the latest first: the latest of each container, and of each action without a
    container."""
    latest: dict[str, PastUse] = {}
    for use in sorted(uses, key=lambda use: use.at, reverse=True):
        latest.setdefault(use.by_id or use.action, use)
    return tuple(latest.values())[:MOST_USES]


class LastProject(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A compose project that used an object last; several are last if they used it at the same time."""

    project: str
    service: str | None = None
    container: str | None = None
    """The name of the container; None for the base of an image of the project, and where unknown."""
    at: Instant
    is_certain: bool = True
    """Whether the container certainly belonged to the project, and did not inherit the label from its image."""


class KnownProject(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A compose project that has, or had, a container on the engine."""

    project: str
    working_dir: str | None = None
    config_files: tuple[str, ...] = ()
    container_at: Instant
    """When a container of it was last known, from scans or events."""
    has_services: bool = True
    """Whether a container of a service was ever seen; False for a project that only uses `compose run`."""
    missing: tuple[str, ...] | None = None
    """Which of its folder and files no longer exist; None where that cannot be checked."""


class Span(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A span of time in which uses would have been noticed."""

    begins_at: Instant
    ends_at: Instant
    of_held: bool = True
    """Whether that includes uses of volumes and networks. False where a container came and went, and it is not known
    what it held: Podman's events name neither the volumes of a container nor the networks that it starts with."""
