"""Since when an object is of no use to anybody, and where that is known from.

The build date of an image is not an age: an image built in 2019 may have arrived a minute ago (moby#4237).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Network, Object, Volume
from dockersweep.units import format_duration


class Since(NamedTuple):
    """An instant from which an age counts, and its source."""

    instant: datetime
    source: str
    """"finished", "created", "last used", "seen unused" or "first seen"."""
    phrase: str
    """How to say the age, with a place for it: "stopped for {}"."""

    def words(self, now: datetime) -> str:
        """Return the age for people: "stopped for 10 days", "last used 3 weeks ago"."""
        return self.phrase.format(format_duration((now - self.instant).total_seconds()))


def _created(instant: datetime) -> Since:
    return Since(instant, "created", "created {} ago")


def _last_used(instant: datetime) -> Since:
    return Since(instant, "last used", "last used {} ago")


def container_since(container: Container) -> Since | None:
    """Return since when a container is stopped; since it was created where it never ran."""
    if container.finished_at is not None:
        # Docker 26.1 can tell a finish that lies before the start: it is left from an earlier run.
        finished = max(container.finished_at, container.started_at or container.finished_at)
        return Since(finished, "finished", "stopped for {}")
    if container.started_at is None and container.created_at is not None and container.state == "created":
        return Since(container.created_at, "created", "created {} ago and never started")
    return None


def since_of(seen: Object, used_until: Iterable[datetime]) -> Since | None:
    """Return since when an object is of no use, None where nothing tells.

    `used_until` are the last uses by the stopped containers that still hold it and go in the same plan.
    """
    if isinstance(seen, Container):
        return container_since(seen)
    if isinstance(seen, BuildCacheRecord):
        if seen.last_used_at is not None:
            return _last_used(seen.last_used_at)
        return None if seen.created_at is None else _created(seen.created_at)
    return _latest_use(seen, used_until)


def unused_since(seen: Object, used_until: Iterable[datetime]) -> Since | None:
    """Return since when an object has been watched, or told by the engine, to be unused; None where nothing tells.

    Other than for `since_of` a creation is no use: what was made a year ago may have been used until an hour ago. As
    with the kubelet, what nobody watched has not been unused for long.
    """
    if isinstance(seen, Container | BuildCacheRecord):
        return since_of(seen, ())
    known = [_last_used(instant) for instant in used_until]
    if seen.first_seen_unused_at is not None:
        watched = seen.first_seen_unused_at != seen.first_seen_at
        source = "seen unused" if watched else "first seen"
        known.append(Since(seen.first_seen_unused_at, source, "seen unused for {}"))
    return max(known, key=lambda since: since.instant, default=None)


def built_since(seen: Object) -> Since | None:
    """Return when an image was built, wherever that was; None where that is not known, and for all others."""
    built_at = seen.built_at if isinstance(seen, Image) else None
    return None if built_at is None else Since(built_at, "built", "built {} ago")


def _latest_use(seen: Image | Volume | Network, used_until: Iterable[datetime]) -> Since | None:
    known = [_last_used(instant) for instant in used_until]
    first, unused = seen.first_seen_at, seen.first_seen_unused_at
    if first is not None and unused is not None and unused > first:
        # It was seen in use before, so its last use lies shortly before this: counting from here is never too old.
        known.append(Since(unused, "seen unused", "unused for {}"))
    if not isinstance(seen, Image) and seen.created_at is not None:
        known.append(_created(seen.created_at))
    if known:
        return max(known, key=lambda since: since.instant)
    return None if first is None else Since(first, "first seen", "first seen {} ago")
