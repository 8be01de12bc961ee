"""Since when an object is of no use to anybody, and where that is known from.

The build date of an image is not an age: an image built in 2019 may have arrived a minute ago (moby#4237).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeGuard

from msgspec import Struct

from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Network, Object, Volume
from dockersweep.units import format_duration


class Since(Struct, frozen=True, gc=False):
    """An instant from which an age counts, and its source."""

    instant: datetime
    source: str
    """"finished", "created", "last used", "seen unused" or "first seen"."""
    phrase: str
    """How to say the age, with a place for it: "stopped for %s"."""

    def words(self, now: datetime) -> str:
        """Return the age for people: "stopped for 10 days", "last used 3 weeks ago"."""
        return self.phrase % format_duration((now - self.instant).total_seconds())


def _created(instant: datetime) -> Since:
    return Since(instant, "created", "created %s ago")


def _last_used(instant: datetime) -> Since:
    return Since(instant, "last used", "last used %s ago")


def container_since(container: Container) -> Since | None:
    """Return since when a container is stopped; since it was created where it never ran."""
    if container.finished_at is not None:
        # Docker 26.1 can tell a finish that lies before the start: it is left from an earlier run.
        finished = max(container.finished_at, container.started_at or container.finished_at)
        return Since(finished, "finished", "stopped for %s")
    if container.started_at is None and container.created_at is not None and container.state == "created":
        return Since(container.created_at, "created", "created %s ago and never started")
    return None


def since_of(seen: Object, used_until: Sequence[datetime]) -> Since | None:
    """Return since when an object is of no use, None where nothing tells.

    `used_until` are the last uses by the stopped containers that still hold it and go in the same plan.
    """
    if type(seen) is Container:
        return container_since(seen)
    if type(seen) is BuildCacheRecord:
        if seen.last_used_at is not None:
            return _last_used(seen.last_used_at)
        return None if seen.created_at is None else _created(seen.created_at)
    return _latest_use(seen, used_until)


def unused_since(seen: Object, used_until: Sequence[datetime]) -> Since | None:
    """Return since when an object has been watched, or told by the engine, to be unused; None where nothing tells.

    Other than for `since_of` a creation is no use: what was made a year ago may have been used until an hour ago. As
    with the kubelet, what nobody watched has not been unused for long.
    """
    if type(seen) is Container or type(seen) is BuildCacheRecord:
        return since_of(seen, ())
    latest = _last_used(max(used_until)) if used_until else None
    unused = seen.first_seen_unused_at
    if _is_later(unused, latest):
        source = "seen unused" if unused != seen.first_seen_at else "first seen"
        return Since(unused, source, "seen unused for %s")
    return latest


def built_since(seen: Object) -> Since | None:
    """Return when an image was built, wherever that was; None where that is not known, and for all others."""
    built_at = seen.built_at if type(seen) is Image else None
    return None if built_at is None else Since(built_at, "built", "built %s ago")


def _latest_use(seen: Image | Volume | Network, used_until: Sequence[datetime]) -> Since | None:
    latest = _last_used(max(used_until)) if used_until else None
    first, unused = seen.first_seen_at, seen.first_seen_unused_at
    # Where it was seen in use before, its last use lies shortly before this: counting from here is never too old.
    if first is not None and _is_later(unused, latest) and unused > first:
        latest = Since(unused, "seen unused", "unused for %s")
    if type(seen) is not Image and _is_later(seen.created_at, latest):
        latest = _created(seen.created_at)
    if latest is None and first is not None:
        return Since(first, "first seen", "first seen %s ago")
    return latest


def _is_later(instant: datetime | None, than: Since | None) -> TypeGuard[datetime]:
    """Whether an instant is known, and later than another where that is known."""
    return instant is not None and (than is None or instant > than.instant)
