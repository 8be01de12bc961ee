"""Ages as sentences: since when an object is unused, who used it last, and how much of that time was watched."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from msgspec.structs import replace

from dockersweep.model.age_reasons import AfterContainer, Aged, Measure, Unwatched
from dockersweep.model.last_use import UseAction
from dockersweep.units import DAY, HOUR, MINUTE, Age, format_duration

_AGES: Mapping[Measure, str] = {
    "stopped": "stopped %s ago",
    "created": "created %s ago",
    "never-started": "created %s ago and never started",
    "last-used": "last used %s ago",
    "written": "written %s ago",
    "first-seen": "first seen %s ago",
    "built": "built %s ago",
}
_UNUSED: tuple[Measure, ...] = ("seen-unused", "unused")
_DONE: Mapping[UseAction, str] = {
    "pulled": "pulled %s ago",
    "loaded": "loaded %s ago",
    "imported": "imported %s ago",
    "made by commit": "committed here %s ago",
    "tagged": "tagged %s ago",
    "built": "built here %s ago",
    "saved": "saved %s ago",
    "pushed": "pushed %s ago",
    "copied files": "files copied %s ago",
    "committed": "committed %s ago",
    "exported": "exported %s ago",
}
"""Actions on the object itself; all others are actions on a container that uses it."""
_AGO = " %s ago"
_SHORT_GAP_SECONDS = 2 * MINUTE
"""An unwatched time up to this, and up to a hundredth of the whole, is named instead of the watched share."""
_ROUNDING_SECONDS = 2
"""The ledger has whole seconds."""
_UNITS = ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes"))


def aged_text(about: Aged) -> str:
    """Return an age with its limit: "last used 26 hours ago by backup-1 (removed) (limit 24 hours)"."""
    # Not recursive: a document is not trusted, and could nest `also` deeply.
    return f"{', '.join(map(_one_age, (about, *about.also)))}{_only_copy(about.only_copy_of)}"


def unwatched_text(about: Unwatched) -> str:
    """Return since when it was not seen in use, and how little of the required time was watched."""
    return f"{unwatched_age_text(about)}; {unwatched_share_text(about)}{_only_copy(about.age.only_copy_of)}"


def unwatched_age_text(about: Unwatched) -> str:
    """Return only the first part: "not in use since 2026-11-04"."""
    return f"{made_by_hand_text(about.age)}{age_text(replace(about.age, watched_seconds=None, limit=about.limit))}"


def unwatched_share_text(about: Unwatched) -> str:
    """Return only the second part: "dockersweep watched only 2 of the last 7 days, at least half is needed"."""
    watched = f"only {_share(about.watched_seconds, about.asked_seconds, 'of the last')}"
    if watched.startswith("only 0 "):
        watched = watched.replace("only 0", "none", 1)
    return f"dockersweep watched {watched}, at least half is needed{_of_builds(about)}"


def after_container_text(about: AfterContainer) -> str:
    """Return how long an object is kept after its last container."""
    removed = f"{about.name} and {about.more} more are removed" if about.more else f"{about.name} is removed"
    until = f"(until {day_text(about.goes_at)} if removed now)"
    return f"kept for {limit_words(about.limit)} after container {removed} {until}{_only_copy(about.only_copy_of)}"


def age_text(about: Aged) -> str:
    """Return an age alone: "stopped 10 days ago", "not used since 2026-11-03 (watched by dockersweep)"."""
    if about.measure not in _UNUSED:
        return _length_ago(about)
    text, watched = _unused(about)
    return f"{text} ({watched})" if watched else text


def age_fact(about: Aged) -> str:
    """Return an age for a line of its own, length first: "stopped 10 days ago", "11 days: not used since 2026-11-13,
    watched by dockersweep"."""
    if about.measure not in _UNUSED:
        return _length_ago(about)
    return f"{format_duration(about.seconds)}: {', '.join(text for text in _unused(about) if text)}"


def since_phrase(about: Aged) -> str:
    """Return the phrase for an age, with %s for its length: "stopped %s ago", "not used for %s"."""
    if about.measure in _UNUSED:
        return "not used for %s"
    return _AGES[about.measure] if about.action is None else _DONE.get(about.action, _AGES[about.measure])


def since_words(source: str, action: UseAction | None) -> str:
    """Return what an age counts from, as in sentences: "stopped", "loaded", "first seen"."""
    if action is not None and action in _DONE:
        return _DONE[action].removesuffix(_AGO)
    return "stopped" if source == "finished" else source


def made_by_hand_text(about: Aged) -> str:
    """Return a note to put before an age; mostly empty."""
    return "made by hand, " if about.made_by_hand else ""


def by_text(name: str | None, is_gone: bool) -> str:
    """Return the container that did it: " by backup-1 (removed)"; empty where that is not known."""
    return "" if name is None else f" by {name}{' (removed)' if is_gone else ''}"


def day_text(instant: datetime) -> str:
    """Return a day in the format of all dates: "2026-11-03"."""
    return f"{instant:%Y-%m-%d}"


@lru_cache(1000)
def limit_words(limit: str) -> str:
    """Return the age in a limit as words: "24 hours"."""
    return Age(months=0, seconds=0, text=limit).words()


def asked_text(about: Aged) -> str:
    """Return the limit of an age: "limit 24 hours", "not before 2026-11-01"; empty where there is none."""
    if about.limit is not None:
        return f"limit {limit_words(about.limit)}"
    return "" if about.date is None else f"{'' if about.is_reached else 'not '}before {about.date}"


def setting_text(setting: str | None) -> str:
    """Return the setting that asks for an age, in brackets; empty where a rule does."""
    return "" if setting is None else f" ({setting})"


def _one_age(about: Aged) -> str:
    text, watched = _unused(about) if about.measure in _UNUSED else (_length_ago(about), "")
    notes = [_length(about), asked_text(about), about.setting, watched]
    noted = ", ".join(note for note in notes if note)
    return f"{made_by_hand_text(about)}{text}{f' ({noted})' if noted else ''}"


def _length_ago(about: Aged) -> str:
    """Return how long ago the last use or the creation was."""
    by = "" if about.action in _DONE else by_text(about.by, about.by_is_gone)
    return f"{since_phrase(about) % format_duration(about.seconds)}{by}"


def _length(about: Aged) -> str:
    """Return the length of an age for which the text has only a day, where there is a limit to compare it with."""
    if about.since_at is None or _tells_share(about) or not (about.limit or about.date):
        return ""
    return format_duration(about.seconds)


def _only_copy(container: str | None) -> str:
    return "" if container is None else f"; holds the only copy of what {container} wrote"


def _unused(about: Aged) -> tuple[str, str]:
    """Return who used it last and since when no scan saw a use; and how much of that time was watched."""
    if about.since_at is None:
        # An older version wrote it.
        return f"not in use for {format_duration(about.seconds)}", ""
    since = day_text(about.since_at)
    last = "" if about.by is None else f"last used{by_text(about.by, about.by_is_gone)}, "
    watched = about.watched_seconds
    if watched is not None and (short := _watched_but_for(about.seconds, about.seconds - watched)):
        return f"{last}not used since {since}", f"{short}{_of_builds(about)}"
    scans = "" if about.scans is None or about.scans < 2 else f" in any of {about.scans} scans"
    share = "" if watched is None else f"{_share(watched, about.seconds)} watched by dockersweep{_of_builds(about)}"
    return f"{last}not in use{scans} since {since}", share


def _watched_but_for(seconds: int, unwatched: int) -> str | None:
    """Return the phrase for a time watched whole, or almost; None where too much was not watched for that."""
    if unwatched < _ROUNDING_SECONDS:
        return "watched by dockersweep"
    is_short = unwatched <= min(_SHORT_GAP_SECONDS, seconds // 100)
    return f"watched by dockersweep but for {format_duration(unwatched)}" if is_short else None


def _tells_share(about: Aged) -> bool:
    watched = about.watched_seconds
    return watched is not None and _watched_but_for(about.seconds, about.seconds - watched) is None


def _of_builds(about: Aged | Unwatched) -> str:
    return "; uses by builds not seen" if about.builds_unseen else ""


def _share(part: int, whole: int, of: str = "of") -> str:
    """Return "9 of 26 days", in the largest unit of which the whole has at least two."""
    for size, names in _UNITS:
        if whole >= 2 * size:
            return f"{part // size} {of} {whole // size} {names}"
    return f"{part} {of} {whole} seconds"
