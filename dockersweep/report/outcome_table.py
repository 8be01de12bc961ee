"""What a sweep did, for people (totals, and each removal that did not go through) and for spreadsheets."""

from collections import Counter
from collections.abc import Callable, Iterator

from dockersweep.model.inventory import KINDS
from dockersweep.model.outcome import Outcome, OutcomeDocument, Reclaimed, Status, TargetOutcome
from dockersweep.model.plan import Interval
from dockersweep.report.csv_text import Cell, csv_text
from dockersweep.report.headline import (
    BASE_WORDS,
    NOUN_OF,
    STATUS_WORDS,
    amount_words,
    engine_sentence,
    engine_words,
    warning_sentences,
)
from dockersweep.report.sections import Section, sections_markdown, sections_text
from dockersweep.report.table import Column
from dockersweep.report.text import plural
from dockersweep.units import format_size

_NOT_REMOVED: tuple[Status, ...] = ("failed", "skipped", "not-attempted", "gone")
_WORTH_TELLING = 1_000_000
_COLUMNS = (
    Column("STATUS"),
    Column("KIND"),
    Column("NAME", shortens=True),
    Column("WHY", wraps=True),
)
_CELLS: dict[str, Callable[[Outcome], Cell]] = {
    "kind": lambda outcome: outcome.kind,
    "id": lambda outcome: outcome.id,
    "name": lambda outcome: outcome.name,
    "action": lambda outcome: outcome.action,
    "status": lambda outcome: outcome.status,
    "detail": lambda outcome: outcome.detail,
    "freed_bytes": lambda outcome: outcome.freed_bytes,
    "failed_runs": lambda outcome: outcome.failed_runs,
}


def outcome_table(document: OutcomeDocument, width: int | None) -> str:
    """Return what became of a plan."""
    return sections_text(outcome_sections(document), width)


def outcome_markdown(document: OutcomeDocument) -> str:
    """Return the same as Markdown."""
    return sections_markdown(f"Sweep of {engine_words(document.engine)}", outcome_sections(document))


def outcome_csv(document: OutcomeDocument) -> str:
    """Return a row for each removal; what is not known is an empty cell."""
    return csv_text(list(_CELLS), [[cell(one) for cell in _CELLS.values()] for one in document.outcomes])


def outcome_sections(document: OutcomeDocument) -> Iterator[Section]:
    """Yield what is to be said of a sweep."""
    yield Section(sentences=(engine_sentence(document.engine, document.finished_at), _summary(document)))
    problems = [outcome for status in _NOT_REMOVED for outcome in document.outcomes if outcome.status == status]
    yield Section(columns=_COLUMNS, rows=[_row(outcome) for outcome in problems])
    if document.reclaimed.surprises:
        yield Section(
            sentences=("What was measured is not what was predicted; to find out why, look at:",),
            lines=document.reclaimed.surprises,
        )
    if document.target is not None:
        yield Section(sentences=(target_sentence(document.target),))
    if document.ended_early:
        yield Section(sentences=(f"The sweep ended early: {document.ended_early}. What is left can be swept again.",))
    yield Section(sentences=warning_sentences(document.warnings))


def _summary(document: OutcomeDocument) -> str:
    if not document.outcomes:
        return f"There was nothing to remove{_by(document)}."
    counts = Counter(outcome.status for outcome in document.outcomes)
    removed = [outcome for outcome in document.outcomes if outcome.status == "removed"]
    rest = [f"{counts[status]} {STATUS_WORDS[status]}" for status in _NOT_REMOVED if counts[status]]
    text = f"Removed {_by_kind(removed)}{'; ' + ', '.join(rest) if rest else ''}{_by(document)}."
    return f"{text} {_freed(document)}" if removed else text


def _by(document: OutcomeDocument) -> str:
    return "" if document.policy_source is None else f", by {document.policy_source}"


def _freed(document: OutcomeDocument) -> str:
    """Return what came back beside what was predicted, and what else happened to the disk."""
    told = document.reclaimed
    of_these = Interval(low_bytes=told.low_bytes, high_bytes=told.high_bytes)
    base = BASE_WORDS[document.size_base]
    if told.measured_bytes is None:
        proven = sum(outcome.freed_bytes or 0 for outcome in document.outcomes)
        witness = (
            f"the engine's answers prove {format_size(proven)}" if proven else "nothing tells what really came back"
        )
        text = f"By the prediction that gives back {amount_words(of_these)} {base}; {witness}"
    else:
        text = f"Freed {format_size(told.measured_bytes)} {base} (predicted {amount_words(of_these)})"
    if document.predicted is not None and _differ(document.predicted, of_these):
        text += f"; planned was {amount_words(document.predicted)}"
    return f"{text}.{_elsewhere(told)}"


def target_sentence(target: TargetOutcome) -> str:
    """Return whether the space target was reached."""
    if target.reached is None:
        return f"Whether the space target is reached cannot be told: {target.text}."
    freed = f"{format_size(target.wanted_bytes)} wanted, {format_size(target.freed_bytes)} freed"
    return f"Space target {'' if target.reached else 'not '}reached, {freed}: {target.text}."


def _differ(one: Interval, other: Interval) -> bool:
    return (one.low_bytes, one.high_bytes) != (other.low_bytes, other.high_bytes)


def _elsewhere(told: Reclaimed) -> str:
    """Return how much the disk's free space moved by something else; small and usual differences are not told."""
    if told.free_space_bytes is None or told.measured_bytes is None:
        return ""
    other = told.free_space_bytes - told.measured_bytes
    if abs(other) <= max(_WORTH_TELLING, told.measured_bytes // 100):
        return ""
    what = "something else freed" if other > 0 else "something else took"
    return f" Meanwhile {what} {format_size(abs(other))} of the same disk."


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
    return STATUS_WORDS[outcome.status], kind, outcome.name, outcome.detail or ""
