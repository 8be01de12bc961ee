"""What a rule keeps of its matches: the newest of each group, and by tags and versions."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import takewhile
from operator import itemgetter
from typing import Any, NamedTuple

from dockersweep.model.image_references import tag_of, whole_repository_of, with_registry, without_docker
from dockersweep.model.inventory import Image, Kind, Object
from dockersweep.model.naming import id_of, kind_of
from dockersweep.model.policy import Count, Keep
from dockersweep.model.reason import Beyond, Group, Kept, KeptTag, KeptVersion, KeptWithin, PeriodName, Undated
from dockersweep.policy.names.patterns import compile_pattern
from dockersweep.units import LAST_UNKNOWN_INSTANT

Unit = tuple[str, str | None]
"""The id of an object and one of its tags, whole ("team/app:1.2"); None where it has none or is no image."""

Matched = Sequence[tuple[Object, tuple[str, ...]]]
"""Objects of one kind, each with the tags that a rule matches; empty where it has no tags."""

_UNTAGGED = (None,)

WhyKept = Kept | KeptWithin | KeptTag | KeptVersion | Undated

_Kept = defaultdict[Unit, tuple[WhyKept, ...]]

_Member = tuple[datetime, str, Sequence[str | None]]
"""One object in a group: its time, its id, and its tags in the group, or only None.

There may be millions of them, and the garbage collector skips plain tuples of strings and dates.
"""

_NEWEST = itemgetter(0, 1)
"""Orders members by time, then by id, so that the order of the inventory does not matter."""


class _Period(NamedTuple):
    """A kind of time bucket: instants in the same bucket have the same key."""

    name: PeriodName
    most: Count
    key: Callable[[datetime], Any]


class Retained(NamedTuple):
    """What a rule keeps, and what exceeds its keep.last."""

    kept: dict[Unit, tuple[WhyKept, ...]]
    """Unit -> every reason that keeps it: its place among the last, among the days and so on."""
    beyond: dict[str, tuple[Beyond, ...]]
    """Object id -> its positions beyond keep.last, one for each group that it is in."""


def retain(keep: Keep, matched: Matched, now: datetime) -> Retained:
    """Return everything that is kept, and the positions of what keep.last does not keep.

    An image counts once in a group, however many tags it has there, and all of them are kept with it; grouped by
    repository, it may be in several groups. An object without a date, or dated after `now`, is kept wherever a rule
    counts, and is not counted itself.

    Raises UsageError for an invalid pattern.
    """
    kept: _Kept = defaultdict(tuple)
    counts = _Counts(keep, kept)
    if matched and counts:
        kind = kind_of(matched[0][0])
        groups = _groups(keep.group_by, _dated(matched, now, kept))
        # Sorted, so that an image in several groups always has its reasons in the same order.
        for group in sorted(groups, key=lambda name: name or ""):
            members = groups[group]
            if len(members) > 1:
                members.sort(key=_NEWEST, reverse=True)
            counts.keep(members, _group(keep.group_by, group, kind))
    if keep.tags:
        _keep_tags(keep.tags, matched, kept)
    if keep.majors is not None or keep.minors is not None:
        _keep_versions(keep, matched, kept)
    return Retained(dict(kept), counts.beyond)


def _dated(matched: Matched, now: datetime, kept: _Kept) -> Iterator[tuple[datetime, Object, tuple[str, ...]]]:
    """Yield the objects with a known time of build or creation, in UTC; keep all others in doubt."""
    for item, tags in matched:
        instant = item.built_at if type(item) is Image else item.created_at
        if instant is not None and LAST_UNKNOWN_INSTANT < instant <= now:
            yield (instant if instant.tzinfo is UTC else instant.astimezone(UTC)), item, tags
            continue
        if instant is not None and instant > now:
            why = Undated(dated_at=instant)
        else:
            why = Undated(is_image=type(item) is Image)
        for tag in tags or _UNTAGGED:
            kept[id_of(item), tag] += (why,)


def _groups(
    group_by: str, dated: Iterable[tuple[datetime, Object, tuple[str, ...]]]
) -> dict[str | None, list[_Member]]:
    """Return group name -> its members; None is the group of objects without such a name."""
    groups: defaultdict[str | None, list[_Member]] = defaultdict(list)
    for instant, item, tags in dated:
        if group_by == "repository" and type(item) is Image:
            for repository, own in _by_repository(item, tags).items():
                groups[repository].append((instant, item.id, own))
        else:
            groups[_group_of(group_by, item)].append((instant, id_of(item), tags or _UNTAGGED))
    return groups


def _by_repository(image: Image, tags: tuple[str, ...]) -> Mapping[str | None, Sequence[str | None]]:
    """Return repository -> tags of an image; the repositories of its digests where it has no tags."""
    if not tags:
        return dict.fromkeys(map(_whole, image.digests), _UNTAGGED) or {None: _UNTAGGED}
    if len(tags) == 1:
        return {_whole(tags[0]): tags}
    own: defaultdict[str | None, list[str | None]] = defaultdict(list)
    for tag in tags:
        own[_whole(tag)].append(tag)
    return own


def _whole(reference: str) -> str:
    """Return the repository with its registry: localhost/app is not docker.io/library/app."""
    return with_registry(whole_repository_of(reference))


def _group_of(group_by: str, item: Object) -> str | None:
    if group_by == "project":
        return getattr(item, "project", None)
    if group_by.startswith("label:"):
        # Build cache records have no labels.
        labels: Mapping[str, str] = getattr(item, "labels", {})
        return labels.get(group_by.removeprefix("label:"))
    return None


def _group(group_by: str, group: str | None, kind: Kind) -> Group | None:
    """Return the group in which an object was counted; None where there is only one group."""
    if group_by == "none" or (group_by == "repository" and kind != "image"):
        return None
    name = without_docker(group) if group is not None and group_by == "repository" else group
    return Group(by=group_by, kind=kind, name=name)


class _Counts:
    """Counts group after group for one rule; it is fast for many groups with one member each."""

    def __init__(self, keep: Keep, kept: _Kept) -> None:
        self._kept = kept
        self.beyond: dict[str, tuple[Beyond, ...]] = {}
        self._last = keep.last
        self._within = keep.within
        self._periods = tuple(_periods(keep))

    def __bool__(self) -> bool:
        """Whether it counts anything at all."""
        return self._last is not None or self._within is not None or bool(self._periods)

    def keep(self, newest_first: Sequence[_Member], group: Group | None) -> None:
        """Keep members of one group, given newest first."""
        if self._last == "all":
            for number, member in enumerate(newest_first, 1):
                self._add(member, Kept(keep="last", place=number, group=group, of_all=True))
        elif self._last is not None:
            count = self._last
            for number, member in enumerate(newest_first, 1):
                if number <= count:
                    self._add(member, Kept(keep="last", place=number, group=group))
                elif member[0] == newest_first[count - 1][0]:
                    # As new as the last one that is kept, so it is kept too.
                    self._add(member, Kept(keep="last", place=count, group=group, as_new_as=True))
                else:
                    place = Beyond(place=number, count=count, group=group)
                    self.beyond[member[1]] = (*self.beyond.get(member[1], ()), place)
        if self._within is not None:
            newest, oldest = newest_first[0][0], newest_first[-1][0]
            # Calendar arithmetic is slow.
            earliest = newest if newest == oldest else self._within.before(newest)
            why = KeptWithin(limit=self._within.text, group=group)
            for member in takewhile(lambda member: member[0] >= earliest, newest_first):
                self._add(member, why)
        for period in self._periods:
            self._fill(period, newest_first, group)

    def _fill(self, period: _Period, newest_first: Sequence[_Member], group: Group | None) -> None:
        """Keep the newest member of each of the newest hours, days, weeks (from Monday), months or years that have any.

        While the count is not reached, the oldest member of all is kept too, so that kept members reach back as far as
        possible. restic does the same (ApplyPolicy in its internal/data/snapshot_policy.go); here in UTC.
        """
        taken = 0
        last_key = None
        for member in newest_first:
            # "all" equals no number, so it never stops here.
            if taken == period.most:
                return
            key = period.key(member[0])
            is_newest = key != last_key
            if is_newest or member is newest_first[-1]:
                taken += 1
                last_key = key
                of_all = period.most == "all"
                about = Kept(keep=period.name, place=taken, group=group, oldest=not is_newest, of_all=of_all)
                self._add(member, about)

    def _add(self, member: _Member, why: WhyKept) -> None:
        _, own, tags = member
        for tag in tags:
            self._kept[own, tag] += (why,)


def _periods(keep: Keep) -> Iterator[_Period]:
    periods: tuple[tuple[PeriodName, Count | None, Callable[[datetime], Any]], ...] = (
        ("hourly", keep.hourly, lambda instant: (instant.date(), instant.hour)),
        ("daily", keep.daily, datetime.date),
        ("weekly", keep.weekly, lambda instant: instant.isocalendar()[:2]),
        ("monthly", keep.monthly, lambda instant: (instant.year, instant.month)),
        ("yearly", keep.yearly, lambda instant: instant.year),
    )
    for name, count, key in periods:
        if count is not None:
            yield _Period(name, count, key)


def _keep_tags(patterns: Iterable[str], matched: Matched, kept: _Kept) -> None:
    tests = [(compile_pattern(pattern), KeptTag(pattern=pattern)) for pattern in dict.fromkeys(patterns)]
    for item, tags in matched:
        for tag in tags:
            name = tag_of(tag)
            for test, why in tests:
                if test(name):
                    kept[id_of(item), tag] += (why,)


def _keep_versions(keep: Keep, matched: Matched, kept: _Kept) -> None:
    """Keep the newest versions of every repository, however the rest is grouped."""
    # Few rules keep versions.
    from dockersweep.policy.names.versions import newest_of_majors, newest_of_minors, version_of

    # Many repositories have the same versions, and parsing is slow.
    read = cache(version_of)
    repositories = defaultdict(list)
    for item, tags in matched:
        for tag in tags:
            version = read(tag_of(tag))
            if version is not None:
                repositories[_whole(tag)].append((version, (id_of(item), tag)))
    for versions in repositories.values():
        for count, newest in ((keep.majors, newest_of_majors), (keep.minors, newest_of_minors)):
            if count is not None:
                for unit, why in newest(versions, count):
                    kept[unit] += (why,)
