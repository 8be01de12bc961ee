"""Since when an object is unused, and how that is known.

Neither the build date of an image nor the creation of a volume or a network says so: an image built in 2019 may have
arrived a minute ago (moby#4237), and a volume made a year ago may have been used until an hour ago.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from dockersweep.model.age_reasons import Measure
from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Kind, Network, Object, Volume
from dockersweep.model.last_use import PastUse, UseAction
from dockersweep.model.naming import kind_of
from dockersweep.units import DAY

_DONE_WHEN_STOPPED: tuple[UseAction, ...] = ("copied files", "committed", "exported")


class Since(Struct, frozen=True, gc=False):
    """An instant from which an age counts, and its source."""

    instant: datetime
    source: str
    """"finished", "created", "last used", "written", "seen unused" or "first seen"."""
    measure: Measure
    """The same, as detailed as the sentences need it."""
    use: PastUse | None = None
    """The use at that instant, where it is known."""
    scans: int | None = None
    """How many scans in a row saw it unused, where the age counts from the first of them."""
    before: PastUse | None = None
    """The last known use, where the age counts from a later scan."""

    @property
    def action(self) -> UseAction | None:
        """What the use was that it counts from; None where that is not known."""
        return None if self.use is None else self.use.action

    def seconds(self, now: datetime) -> int:
        """Return the age in whole seconds; negative where the instant is after `now`."""
        age = now - self.instant
        seconds = age.days * DAY + age.seconds
        # A timedelta rounds its days down, so a negative age comes out a second too large.
        return seconds + 1 if seconds < 0 and age.microseconds else seconds


def last_used(instant: datetime, use: PastUse | None = None) -> Since:
    """Return an age that counts from a use."""
    return Since(instant, "last used", "last-used", use)


def stopped_since(container: Container) -> Since | None:
    """Return when a container stopped, or was created where it never ran; None where it runs or neither is known."""
    if container.finished_at is not None:
        # Docker 26.1 can report a finish before the start: it is left from an earlier run.
        finished = max(container.finished_at, container.started_at or container.finished_at)
        return Since(finished, "finished", "stopped")
    if container.started_at is None and container.created_at is not None and container.state == "created":
        return Since(container.created_at, "created", "never-started")
    return None


def container_since(container: Container) -> Since | None:
    """Return since when a container is unused: since it stopped, or since it was last copied from after that."""
    stopped = stopped_since(container)
    if stopped is None or not container.uses:
        return stopped
    # Every other action on a stopped container starts it, or is how it stopped.
    after = next((use for use in container.uses if use.action in _DONE_WHEN_STOPPED), None)
    return last_used(after.at, after) if after is not None and after.at > stopped.instant else stopped


def since_of(item: Object, used_until: Sequence[datetime]) -> Since | None:
    """Return since when an object is unused, None where that is not known.

    `used_until` are its last uses by builds and by the stopped containers that the same plan removes.
    """
    return SINCE_OF[kind_of(item)](item, used_until)


def _container_since(container: Container, used_until: Sequence[datetime]) -> Since | None:
    return container_since(container)


def _record_since(record: BuildCacheRecord, used_until: Sequence[datetime]) -> Since | None:
    if record.last_used_at is not None:
        return last_used(record.last_used_at)
    return None if record.created_at is None else Since(record.created_at, "created", "created")


def unused_since(item: Object, used_until: Sequence[datetime]) -> Since | None:
    """Return since when an object is known to be unused, from scans or from the engine; None where that is not known.

    As the kubelet does, time before the first scan does not count.
    """
    if type(item) is Container or type(item) is BuildCacheRecord:
        return since_of(item, ())
    latest = _known_use(item, used_until)
    unused = item.first_seen_unused_at
    if unused is not None and (latest is None or unused > latest.instant):
        source = "seen unused" if unused != item.first_seen_at else "first seen"
        latest = Since(unused, source, "seen-unused", scans=item.scans_unused, before=_last_of(item))
    return _or_written(item, latest) if type(item) is Volume else latest


def built_since(item: Object) -> Since | None:
    """Return when an image was built, wherever that was; None where that is not known, and for all others."""
    built_at = item.built_at if type(item) is Image else None
    return None if built_at is None else Since(built_at, "built", "built")


def created_since(item: Object) -> Since | None:
    """Return when an object was created; None where that is not known, and for images."""
    created_at = None if type(item) is Image else item.created_at
    return None if created_at is None else Since(created_at, "created", "created")


def _latest_use(item: Image | Volume | Network, used_until: Sequence[datetime]) -> Since | None:
    # Runs for every object, and of most no use is known.
    latest = _known_use(item, used_until) if used_until or item.uses else None
    first, unused = item.first_seen_at, item.first_seen_unused_at
    # A scan before this one saw it in use, so its last use is not later than this: the age is never too high.
    if first is not None and unused is not None and unused > first and (latest is None or unused > latest.instant):
        latest = Since(unused, "seen unused", "unused", scans=item.scans_unused, before=_last_of(item))
    if latest is None and first is not None:
        # Never seen in use: count from the first scan that listed it.
        latest = Since(first, "first seen", "first-seen")
    return _or_written(item, latest) if type(item) is Volume else latest


def _known_use(item: Image | Volume | Network, used_until: Sequence[datetime]) -> Since | None:
    """Return the latest use known from events, containers or builds."""
    latest = last_used(max(used_until)) if used_until else None
    if item.uses:
        use = item.uses[0]
        if latest is None or use.at >= latest.instant:
            return last_used(use.at, use)
    return latest


def _last_of(item: Image | Volume | Network) -> PastUse | None:
    return item.uses[0] if item.uses else None


def _or_written(item: Volume, latest: Since | None) -> Since | None:
    """Return when files of a volume were last written, where that is later: whoever wrote them used the volume.

    The volume may have been read since, so a write alone gives no age.
    """
    if latest is not None and item.written_at is not None and item.written_at > latest.instant:
        return Since(item.written_at, "written", "written")
    return latest


SINCE_OF: Mapping[Kind, Callable[[Any, Sequence[datetime]], Since | None]] = {
    "container": _container_since,
    "image": _latest_use,
    "volume": _latest_use,
    "network": _latest_use,
    "build-cache": _record_since,
}
"""`since_of` for the objects of each kind."""
