"""Whether an object is old enough for a rule: each age or date that the rule asks for."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.model.age_reasons import AfterContainer, Aged, AgeUnknown, Unwatched
from dockersweep.model.inventory import Image, Kind, Object
from dockersweep.model.policy import Remove
from dockersweep.model.reason import Fact, ReasonCode
from dockersweep.policy.judging.aged import aged, only_copy_of
from dockersweep.policy.judging.ages import Since, built_since, created_since, last_used, unused_since
from dockersweep.policy.judging.case import Case
from dockersweep.policy.judging.watch import Watch, WatchedTime
from dockersweep.units import Age

UsedUntil = Sequence[datetime] | None
"""When builds, and the holders that the same plan removes, last used an object; None where that is not known."""

_TELLS_ITS_USE: tuple[Kind, ...] = ("container", "build-cache")
"""The kinds for which the engine itself tells since when an object is unused."""


class Objection(Struct, frozen=True, gc=False):
    """Why an object is not old enough."""

    code: ReasonCode
    about: Aged | AgeUnknown | Unwatched | AfterContainer


class _Asked(Struct, frozen=True):
    since: Callable[[Object, UsedUntil], Since | None] | None
    """Finds what the age counts from; None for the age that tables show."""
    latest: datetime
    """An object is old enough where its age counts from this instant or earlier."""
    age: Age | None
    date: str | None
    unknown: Callable[[Object], AgeUnknown]
    is_of_use: bool = True
    """Whether it counts from the last use."""
    is_watched: bool = True
    """Whether uses would have been noticed for at least half of the time; True where that does not matter."""


class AgeTest:
    """The ages and dates of one rule, or one age that a policy asks for, at one instant."""

    def __init__(
        self, remove: Remove, now: datetime, watch: Watch, setting: str | None = None, kind: Kind | None = None
    ) -> None:
        """`setting` names the policy key that asks, where no rule does; `kind` is None for objects of several kinds."""
        self._now = now
        self._watch = watch
        self._setting = setting
        watched = None if kind in _TELLS_ITS_USE else watch.of_images if kind == "image" else watch.of_held
        self._asked = tuple(_asked(remove, now, watched))
        self.latest = self._asked[0].latest if len(self._asked) == 1 and self._asked[0].since is None else None
        """An object whose age in tables counts from here or earlier is old enough; None where more is asked."""
        self.is_after_container = remove.after_container
        """Whether ages count from the removal of the last container that holds an object."""

    def objection(self, case: Case) -> Objection | None:
        """Return why an object is not old enough; None where it is."""
        for asked in self._asked:
            known = case.since if asked.since is None else asked.since(case.item, case.used_until)
            if known is None or known.instant > asked.latest:
                return self._objection(case, known, asked)
            if not asked.is_watched:
                return self._unwatched(case.item, known, asked)
        return None

    def objection_after_containers(self, case: Case) -> Objection | None:
        """Return why an object is not old enough whose age counts from the removal of the containers that hold it; None
        where the plan removes none of these, or no age is asked for."""
        containers = [hold for hold in case.going if hold.about.kind == "container"]
        containers.sort(key=lambda hold: hold.about.id)
        late = [asked for asked in self._asked if asked.is_of_use and asked.latest < self._now]
        if not containers or not late:
            return None
        by_date = next((asked for asked in late if asked.age is None), None)
        if by_date is not None:
            return self._objection(case, last_used(self._now), by_date)
        longest = max((asked.age for asked in late if asked.age), key=lambda age: age.after(self._now))
        about = AfterContainer(
            name=containers[0].about.name,
            more=len(containers) - 1,
            limit=longest.text,
            goes_at=longest.after(self._now),
            only_copy_of=only_copy_of(case.item, containers),
        )
        return Objection("too-young", about)

    def reached(self, case: Case) -> Aged | Fact:
        """Return the age of an object that is old enough, and the limits that it reached."""
        item, since = case.item, case.since
        if self.latest is not None and since is not None:
            return self._aged(case, since, self._asked[0])
        ages = [
            self._aged(case, known, asked)
            for asked in self._asked
            if (known := since if asked.since is None else asked.since(item, case.used_until)) is not None
        ]
        if not ages:
            return NO_AGE_ASKED_FOR if since is None else aged(item, since, self._now, self._watch)
        return ages[0] if len(ages) == 1 else replace(ages[0], also=tuple(ages[1:]))

    def _objection(self, case: Case, known: Since | None, asked: _Asked) -> Objection:
        if known is not None:
            return Objection("too-young", self._aged(case, known, asked, is_reached=False))
        about = asked.unknown(case.item)
        return Objection("age-unknown", replace(about, setting=self._setting) if self._setting else about)

    def _unwatched(self, item: Object, known: Since, asked: _Asked) -> Objection:
        assert asked.age is not None
        about = Unwatched(
            age=aged(item, known, self._now, self._watch),
            watched_seconds=int(self._watch.of(item).between(asked.latest, self._now).total_seconds()),
            asked_seconds=int((self._now - asked.latest).total_seconds()),
            limit=asked.age.text,
            builds_unseen=type(item) is Image and not self._watch.sees_builds,
        )
        return Objection("unwatched", about)

    def _aged(self, case: Case, since: Since, asked: _Asked, is_reached: bool = True) -> Aged:
        limit = None if asked.age is None else asked.age.text
        # Reuse the number: there may be a million of them.
        seconds = case.age_seconds if since is case.since else None
        return aged(case.item, since, self._now, self._watch, limit, asked.date, is_reached, self._setting, seconds)


def _asked(remove: Remove, now: datetime, watched: WatchedTime | None) -> Iterator[_Asked]:
    ages: tuple[tuple[Age | None, Callable[..., Since | None] | None, Callable[[Object], AgeUnknown]], ...] = (
        (remove.older_than, None, why_unknown),
        (remove.stopped_for, None, why_unknown),
        (remove.unused_for, _unused, lambda item: _NO_USE),
        (remove.built_over, _built, lambda item: _NO_BUILD),
        (remove.created_over, _created, lambda item: _NO_CREATION),
    )
    for age, since, unknown in ages:
        if age is not None and not age.is_zero:
            latest = age.before(now)
            is_watched = since is not _unused or watched is None or watched.is_enough(latest, now)
            yield _Asked(since, latest, age, None, unknown, since in _OF_USE, is_watched)
    dates = ((remove.before, None, why_unknown), (remove.built_before, _built, lambda item: _NO_BUILD))
    for date, since, unknown in dates:
        if date is not None:
            # An object of exactly that instant is not before it.
            yield _Asked(since, _just_before(date), None, str(date.date()), unknown, since in _OF_USE)


def _just_before(date: datetime) -> datetime:
    # datetime has nothing before the year 1.
    return date if date.year == 1 else date - timedelta.resolution


def _unused(item: Object, used_until: UsedUntil) -> Since | None:
    return None if used_until is None else unused_since(item, used_until)


def _built(item: Object, used_until: UsedUntil) -> Since | None:
    return built_since(item)


def _created(item: Object, used_until: UsedUntil) -> Since | None:
    return created_since(item)


_OF_USE = (None, _unused)


def why_unknown(item: Object) -> AgeUnknown:
    """Return why the age of an object is not known."""
    if type(item) is Image and item.built_at is not None:
        return AgeUnknown(asked_for="age", built_on=str(item.built_at.date()))
    return _NOT_TOLD


NO_AGE_ASKED_FOR = Fact(name="no-age-asked-for")
_NOT_TOLD = AgeUnknown(asked_for="age")
_NO_USE = AgeUnknown(asked_for="unused")
_NO_BUILD = AgeUnknown(asked_for="built")
_NO_CREATION = AgeUnknown(asked_for="created")
