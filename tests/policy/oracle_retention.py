"""The slow evaluator: what a keep table keeps, from the words of the specification."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from dockersweep.model.inventory import Image, Object
from dockersweep.model.naming import id_of
from dockersweep.model.policy import Count, Keep
from dockersweep.policy.judging.retention import retain
from tests.policy.oracle_matching import fits, parts, whole

PERIODS: dict[str, Callable[[datetime], Hashable]] = {
    "hourly": lambda time: time.strftime("%Y-%m-%d %H"),
    "daily": lambda time: time.strftime("%Y-%m-%d"),
    "weekly": lambda time: time.strftime("%G-%V"),
    "monthly": lambda time: time.strftime("%Y-%m"),
    "yearly": lambda time: time.strftime("%Y"),
}


class _Member(NamedTuple):
    """An object in a group, and those of its tags that are in it."""

    time: datetime
    id: str
    units: frozenset[str | None]


def retained(keep: Keep, units: Sequence[tuple[Object, str | None]], now: datetime) -> set[tuple[str, str | None]]:
    """Return what a keep table keeps of what its rule matches."""
    kept: set[tuple[str, str | None]] = {
        (id_of(seen), unit) for seen, unit in units if unit and any(fits(one, parts(unit)[1]) for one in keep.tags)
    }
    if keep.majors is not None or keep.minors is not None:
        matched = [(seen, (unit,)) for seen, unit in units if unit is not None]
        kept |= set(retain(Keep(majors=keep.majors, minors=keep.minors), matched, now).kept)
    counts: dict[str, Count] = {word: count for word in PERIODS if (count := getattr(keep, word)) is not None}
    if keep.last is None and keep.within is None and not counts:
        return kept
    dated = [(time_of(seen), seen, unit) for seen, unit in units]
    kept |= {(id_of(seen), unit) for time, seen, unit in dated if time is None or time > now}
    counted = [(time, seen, unit) for time, seen, unit in dated if time is not None and time <= now]
    names = {name for _, seen, unit in counted for name in groups_of(keep.group_by, seen, unit)}
    for name in names:
        group = [(time, seen, unit) for time, seen, unit in counted if name in groups_of(keep.group_by, seen, unit)]
        members = {
            _Member(time, id_of(seen), frozenset(other for _, one, other in group if id_of(one) == id_of(seen)))
            for time, seen, _ in group
        }
        newest_first = sorted(members, key=lambda member: (member.time, member.id), reverse=True)
        for member in {*by_number(keep, newest_first), *by_periods(counts, newest_first)}:
            kept |= {(member.id, unit) for unit in member.units}
    return kept


def time_of(seen: Object) -> datetime | None:
    """Return what says how new an object is."""
    return seen.built_at if isinstance(seen, Image) else seen.created_at


def groups_of(group_by: str, seen: Object, unit: str | None) -> set[str | None]:
    """Return the groups that an object, or one tag of it, is counted in."""
    if group_by == "repository":
        assert isinstance(seen, Image)
        if unit is not None:
            return {whole(parts(unit)[0])}
        return {whole(parts(digest)[0]) for digest in seen.digests} or {None}
    if group_by == "project":
        return {getattr(seen, "project", None)}
    if group_by.startswith("label:"):
        return {getattr(seen, "labels", {}).get(group_by.removeprefix("label:"))}
    return {None}


def by_number(keep: Keep, newest_first: Sequence[_Member]) -> Iterator[_Member]:
    """Yield the last ones, all that are as new as the last of them, and those within a time before the newest."""
    last = len(newest_first) if keep.last == "all" else keep.last
    for number, member in enumerate(newest_first):
        if last is not None and (number < last or member.time == newest_first[last - 1].time):
            yield member
        if keep.within is not None and member.time >= keep.within.before(newest_first[0].time):
            yield member


def by_periods(counts: dict[str, Count], newest_first: Sequence[_Member]) -> Iterator[_Member]:
    """Yield the newest of each of the last hours, days and so on, and the oldest of all while there is room."""
    for word, count in counts.items():
        newest: dict[Hashable, _Member] = {}
        for member in newest_first:
            newest.setdefault(PERIODS[word](member.time.astimezone(UTC)), member)
        chosen = list(newest.values())
        yield from chosen if count == "all" else chosen[:count]
        if count == "all" or len(chosen) < count:
            yield newest_first[-1]
