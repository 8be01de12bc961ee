"""What would be removed within the next days: a line for each day, and what it adds."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from dockersweep.model.inventory import KINDS
from dockersweep.model.plan import Plan, UpcomingDay, UpcomingRemoval
from dockersweep.report.detail import Detail
from dockersweep.report.headline import (
    engine_sentence,
    engine_words,
    going_counts,
    going_words,
    kind_counts,
    over_limit_sentences,
    tags_of_staying,
    warning_sentences,
)
from dockersweep.report.layout import Column, Layout, Rows, Section
from dockersweep.units import format_instant, format_size
from dockersweep.words.amounts import format_interval
from dockersweep.words.lists import natural_key

MOST_ROWS = 5
"""The most objects of a day with a row of their own."""
_DAYS = (Column("DAY"), Column("NEW", wraps=True), Column("TOTAL", right=True), Column("FREES", right=True))
_ADDED = (Column("SIZE", right=True), Column("KIND"), Column("NAME", shortens=True), Column("RULE", shortens=True))
_HEADINGS = ("until_at", "kind", "id", "name", "size_bytes", "rules")


def upcoming_layout(plan: Plan, days: tuple[UpcomingDay, ...], detail: Detail) -> Layout:
    """Return the layout: the current plan in a line, then what each day adds, in full only with "all"."""
    rows = (
        (
            format_instant(day.until_at),
            removal.kind,
            removal.id,
            removal.name,
            removal.size_bytes,
            "; ".join(removal.rules),
        )
        for day in days
        for removal in day.added
    )
    title = f"What would go from {engine_words(plan.engine)}"
    return Layout(title, _sections(plan, days, detail), Rows(_HEADINGS, rows))


def _sections(plan: Plan, days: tuple[UpcomingDay, ...], detail: Detail) -> Iterator[Section]:
    counts, tags = going_counts(plan)
    now = f"{going_words(plan)} to remove now" if plan.removals else "Nothing to remove now"
    later = f"{sum(len(day.added) for day in days) or 'nothing'}{' more' if plan.removals else ''} later"
    sentence = f"{now}, {later} if nothing changes, by {plan.policy.source}."
    yield Section(sentences=(engine_sentence(plan.engine, plan.taken_at), sentence, *over_limit_sentences(plan.limits)))
    if detail != "totals":
        for day in days:
            yield _added(day, None if detail == "all" else MOST_ROWS)
    yield Section(sentences=warning_sentences(plan.warnings))
    if days:
        going = [*kind_counts(counts), *([tags_of_staying(tags)] if tags else [])]
        of_now = ("now", ", ".join(going), str(counts.total()), format_interval(plan.reclaim))
        yield Section(columns=_DAYS, rows=[of_now, *map(_day_row, days)])


def _day_row(day: UpcomingDay) -> tuple[str, ...]:
    return _day(day), _new(day), str(day.objects), format_interval(day.reclaim)


def _new(day: UpcomingDay) -> str:
    return ", ".join(kind_counts(Counter(removal.kind for removal in day.added)))


def _day(day: UpcomingDay) -> str:
    """Return the day in local time; `until_at` is midnight, which is the next day already."""
    return (day.until_at - timedelta(microseconds=1)).astimezone().strftime("%a %Y-%m-%d")


def _added(day: UpcomingDay, most: int | None) -> Section:
    listed = sorted(
        day.added,
        key=lambda removal: (-(removal.size_bytes or 0), KINDS.index(removal.kind), natural_key(removal.name)),
    )
    shown = listed if most is None or len(listed) <= most + 1 else listed[:most]
    rows = [_row(removal) for removal in shown]
    if len(shown) < len(listed):
        rows.append(("", "", f"and {len(listed) - len(shown)} more (--verbose lists them)", ""))
    return Section(f"{_day(day)}: {_new(day)}", columns=_ADDED, rows=rows, header=False, indent=2)


def _row(removal: UpcomingRemoval) -> tuple[str, ...]:
    size = "" if removal.kind == "network" else format_size(removal.size_bytes)
    return size, removal.kind, removal.name, ", ".join(removal.rules)
