"""The table of what a sweep did: totals, and each removal that did not go through."""

from collections import Counter

from dockersweep.model.inventory import KINDS
from dockersweep.model.outcome import Outcome, OutcomeDocument, Status
from dockersweep.model.plan import Interval
from dockersweep.report.headline import NOUN_OF, engine_line, fold, format_interval, warning_lines
from dockersweep.report.table import Column, render_table
from dockersweep.report.text import plural

_NOT_REMOVED: tuple[Status, ...] = ("failed", "skipped", "not-attempted", "gone")
_COLUMNS = (
    Column("STATUS"),
    Column("KIND"),
    Column("NAME", shortens=True),
    Column("WHY", wraps=True),
)


def outcome_table(document: OutcomeDocument, predicted: Interval, width: int | None) -> str:
    """Return what became of a plan; `predicted` is what the plan said it would give back."""
    parts = [engine_line(document.engine, document.finished_at, width) + fold(_summary(document, predicted), width)]
    problems = [outcome for status in _NOT_REMOVED for outcome in document.outcomes if outcome.status == status]
    if problems:
        parts.append(render_table(_COLUMNS, [_row(outcome) for outcome in problems], width))
    if document.ended_early:
        parts.append(fold(f"The sweep ended early: {document.ended_early}. What is left can be swept again.", width))
    if document.warnings:
        parts.append(warning_lines(document.warnings, width))
    return "\n".join(parts)


def _summary(document: OutcomeDocument, predicted: Interval) -> str:
    if not document.outcomes:
        return "There was nothing to remove."
    counts = Counter(outcome.status for outcome in document.outcomes)
    reclaimed = Interval(low_bytes=document.reclaimed.low_bytes, high_bytes=document.reclaimed.high_bytes)
    removed = [outcome for outcome in document.outcomes if outcome.status == "removed"]
    text = f"Removed {_by_kind(removed)}"
    if removed:
        text += f", which gives back {_amount(reclaimed)}"
    if reclaimed != predicted:
        text += f" (planned: {_amount(predicted)})"
    rest = [f"{counts[status]} {status.replace('-', ' ')}" for status in _NOT_REMOVED if counts[status]]
    return f"{text}; {', '.join(rest)}." if rest else f"{text}."


def _amount(interval: Interval) -> str:
    amount = format_interval(interval)
    return "an unknown number of bytes" if amount == "unknown" else amount


def _by_kind(removed: list[Outcome]) -> str:
    parts = []
    for kind in KINDS:
        count = sum(outcome.kind == kind and outcome.action == "remove" for outcome in removed)
        if count:
            parts.append(plural(count, NOUN_OF[kind]))
    tags = sum(outcome.action == "untag" for outcome in removed)
    if tags:
        parts.append(plural(tags, "further tag"))
    return ", ".join(parts) or "nothing"


def _row(outcome: Outcome) -> tuple[str, ...]:
    kind = "tag" if outcome.action == "untag" else outcome.kind
    return outcome.status, kind, outcome.name, outcome.detail or ""
