"""The age of an object as data for sentences: since when, who used it last, and how much of that time was watched."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from dockersweep.model.age_reasons import Aged
from dockersweep.model.inventory import Image, Network, Object, Volume
from dockersweep.policy.judging.ages import Since
from dockersweep.policy.judging.holders import Holder
from dockersweep.policy.judging.watch import Watch, WatchedTime


def aged(
    item: Object,
    since: Since,
    now: datetime,
    watch: Watch,
    limit: str | None = None,
    date: str | None = None,
    is_reached: bool = True,
    setting: str | None = None,
    seconds: int | None = None,
) -> Aged:
    """Return how old an object is, beside the limit or the date that a rule asks for, if any.

    `seconds` is its age where that is known already.
    """
    is_unused = since.measure in _UNUSED
    made_by_hand = type(item) is Network and item.project is None
    only_copy = only_copy_of(item, ()) if type(item) is Volume and item.anonymous else None
    age = Aged(
        measure=since.measure,
        seconds=since.seconds(now) if seconds is None else seconds,
        limit=limit,
        date=date,
        is_reached=is_reached,
        setting=setting,
    )
    if not is_unused and not made_by_hand and only_copy is None and since.use is None:
        # True of most objects.
        return age
    use = since.use or since.before
    is_watched = is_unused and watch.is_known
    return replace(
        age,
        since_at=since.instant if is_unused else None,
        scans=since.scans,
        watched_seconds=_watched(since.instant, now, watch.of(item)) if is_watched else None,
        builds_unseen=is_watched and type(item) is Image and not watch.sees_builds,
        action=None if use is None else use.action,
        by=None if use is None else use.by,
        by_is_gone=use is not None and use.by_id is not None and use.by_id not in watch.containers,
        made_by_hand=made_by_hand,
        only_copy_of=only_copy,
    )


_UNUSED = ("unused", "seen-unused")


def _watched(since: datetime, now: datetime, watched: WatchedTime) -> int:
    return int(watched.between(since, now).total_seconds()) if since < now else 0


def only_copy_of(item: Object, holders: Iterable[Holder]) -> str | None:
    """Return the container of a compose project that wrote to an anonymous volume; None for all else.

    Only that container references the volume: a new one of the same service starts with an empty one.
    """
    if type(item) is not Volume or not item.anonymous:
        return None
    of_project = next((hold.about.name for hold in holders if hold.of_project), None)
    if of_project is not None:
        return of_project
    return item.last_projects[0].container if len(item.last_projects) == 1 else None
