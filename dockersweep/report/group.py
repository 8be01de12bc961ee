"""The explanation of several objects: by kind, one line an object, then totals; for spreadsheets a row an object."""

import shlex
from collections.abc import Callable, Iterator

from dockersweep.model.explanation import GroupedBy, GroupedKind, GroupExplanation
from dockersweep.model.inventory import Kind
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.plan import Decision
from dockersweep.model.reason import HeldBy, ReasonCode, Relation
from dockersweep.report.headline import (
    NOUN_OF,
    TITLE_OF,
    base_sentence,
    engine_sentence,
    over_limit_sentences,
    warning_sentences,
)
from dockersweep.report.layout import Cell, Column, Layout, Section, rows_of
from dockersweep.units import format_size
from dockersweep.words.alike import joined_alike
from dockersweep.words.amounts import amount_words, format_interval, plural
from dockersweep.words.lists import natural_key
from dockersweep.words.reasons import reason_text

_ROWS = (Column("NAME", shortens=True), Column("SIZE", right=True), Column("VERDICT"), Column("WHY", wraps=True))
_TOTALS = (Column("KIND"), Column("COUNT", right=True), Column("TO REMOVE", right=True), Column("FREES", right=True))
_UNKNOWN = "an unknown amount"
_IN_USE: tuple[ReasonCode, ...] = ("in-use", "external", "service")
_BELOW: tuple[Relation, ...] = ("parent", "lends-configuration")
"""The relations to objects of the same kind, which need it and do not use it."""
_WHAT: dict[GroupedBy, str] = {"project": "Compose project", "repository": "Repository", "name": "Objects called"}
_CELLS: dict[str, Callable[[Decision], Cell]] = {
    "kind": lambda decision: decision.kind,
    "id": lambda decision: decision.id,
    "name": lambda decision: decision.name,
    "verdict": lambda decision: decision.verdict,
    "size_bytes": lambda decision: decision.size_bytes,
    "tags_removed": lambda decision: " ".join(decision.untag),
    "reasons": lambda decision: "; ".join(map(reason_text, decision.reasons)),
}


def group_layout(group: GroupExplanation) -> Layout:
    """Return the layout of the explanation of a group."""
    return Layout(f"{_WHAT[group.grouped_by]} {group.name}", _sections(group), rows_of(group.decisions, _CELLS))


def _sections(group: GroupExplanation) -> Iterator[Section]:
    named = f"{group.decisions[0].kind}:{group.name}"
    hint = [f"`dockersweep explain {shlex.quote(named)}` explains one of them."] if group.grouped_by == "name" else []
    yield Section(sentences=(engine_sentence(group.engine, group.taken_at), _summary(group), *hint))
    for kind in (row.kind for row in group.kinds):
        rows = [decision for decision in group.decisions if decision.kind == kind]
        rows.sort(key=lambda decision: (decision.verdict == "keep", natural_key(decision.name), decision.id))
        yield Section(TITLE_OF[kind], columns=_ROWS, rows=list(map(_row, rows)))
    over = over_limit_sentences(group.limits, "The plan is over")
    base = [base_sentence(group.size_base, group.not_from_disk)] if group.size_base == "lengths" else []
    yield Section(sentences=(*over, *base))
    yield Section(sentences=warning_sentences(group.warnings))
    rows_of_kinds = [_total(row) for row in group.kinds]
    tags = _tags(group)
    if tags:
        rows_of_kinds.append(("tags of images that stay", "", str(tags), ""))
    if len(rows_of_kinds) > 1:
        going = _going(group) + tags
        rows_of_kinds.append(("total", str(len(group.decisions)), str(going), format_interval(group.reclaim)))
    yield Section(columns=_TOTALS, rows=rows_of_kinds)


def _summary(group: GroupExplanation) -> str:
    """Return how many objects there are, how many are removed, and what that, or all of them, would free."""
    count = plural(len(group.decisions), _noun(group))
    by = group.grouped_by
    counted = f"{count} called {group.name}" if by == "name" else f"{_WHAT[by]} {group.name}: {count}"
    going = _going(group)
    tags = _tags(group)
    untagged = f", {plural(tags, 'tag')} to take off" if tags else ""
    goes = f"{going or 'none'} to remove{untagged} by {group.policy_source}"
    frees = f", freeing {amount_words(group.reclaim, _UNKNOWN)}" if going else ""
    held = ", those in use too," if any(map(_is_in_use, group.decisions)) else ""
    every = f" All of them{held} would free {amount_words(group.reclaim_of_all, _UNKNOWN)}."
    return f"{counted}, {goes}{frees}.{every if going < len(group.decisions) else ''}"


def _is_in_use(decision: Decision) -> bool:
    return any(
        reason.code in _IN_USE and not (isinstance(reason.about, HeldBy) and reason.about.relation in _BELOW)
        for reason in decision.reasons
    )


def _noun(group: GroupExplanation) -> str:
    return NOUN_OF[group.kinds[0].kind] if len(group.kinds) == 1 else "object"


def _going(group: GroupExplanation) -> int:
    return sum(row.goes for row in group.kinds)


def _tags(group: GroupExplanation) -> int:
    """Return how many tags go of images that stay."""
    return sum(len(decision.untag) for decision in group.decisions)


def _total(row: GroupedKind) -> tuple[str, ...]:
    frees = "" if row.kind == "network" else format_interval(row.frees)
    return PLURAL_OF[row.kind], str(row.objects), str(row.goes), frees


def _row(decision: Decision) -> tuple[str, ...]:
    verdict = "remove" if decision.verdict == "remove" else "lose tags" if decision.untag else "keep"
    return decision.name, _size(decision.kind, decision.size_bytes), verdict, _why(decision)


def _size(kind: Kind, size_bytes: int | None) -> str:
    return "" if kind == "network" else format_size(size_bytes)


def _why(decision: Decision) -> str:
    """Return the reasons, equal ones merged, so that no row lists many holders. That it exists only here is none."""
    text = joined_alike(reason for reason in decision.reasons if reason.code != "only-here")
    return f"{text}; exists only here" if any(reason.code == "only-here" for reason in decision.reasons) else text
