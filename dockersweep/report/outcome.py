"""What a sweep did, for people (totals, and each removal that did not go through) and for spreadsheets."""

from collections.abc import Callable, Iterator, Sequence

from dockersweep.model.inventory import Kind
from dockersweep.model.naming import has_made_up_name, short_id
from dockersweep.model.outcome import Archived, Outcome, OutcomeDocument, Reclaimed, TargetOutcome
from dockersweep.model.quantities import Bounds
from dockersweep.report.headline import (
    BASE_WORDS,
    NOT_REMOVED,
    STATUS_WORDS,
    done_counts,
    engine_sentence,
    engine_words,
    kind_counts,
    tags_of_staying,
    warning_sentences,
)
from dockersweep.report.layout import Cell, Column, Layout, Section, rows_of
from dockersweep.report.local_time import day_of
from dockersweep.units import format_size
from dockersweep.words.amounts import amount_words, plural
from dockersweep.words.lists import first_of, naturally

MOST_LOST = 5
_BY_LOSS: tuple[Kind, ...] = ("volume", "image", "container", "network", "build-cache")
_LEAST_BYTES_ELSEWHERE = 1_000_000
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
    "recovery": lambda outcome: outcome.recovery.how if outcome.recovery else None,
    "archived_bytes": lambda outcome: outcome.archived_bytes,
}


def outcome_layout(document: OutcomeDocument, names: int = 0) -> Layout:
    """Return the layout of what a sweep did, naming at most `names` removed objects; for spreadsheets a row for each
    removal."""
    title = f"Sweep of {engine_words(document.engine)}"
    return Layout(title, _sections(document, names), rows_of(document.outcomes, _CELLS))


def _sections(document: OutcomeDocument, names: int) -> Iterator[Section]:
    yield Section(sentences=(engine_sentence(document.engine, document.finished_at), _summary(document)))
    went = [f"{_kind(outcome)} {outcome.name}" for outcome in document.outcomes if outcome.status == "removed"]
    if names and went:
        yield Section(sentences=(f"Removed objects: {first_of(naturally(went), names)}.",))
    elif went and document.run is not None:
        yield Section(sentences=(f"`dockersweep history {document.run}` lists them.",), goes_on=True)
    if document.archived is not None:
        yield Section(sentences=(_archived(document, document.archived),), goes_on=True)
    lost = [outcome for outcome in document.outcomes if _is_lost(outcome)]
    if lost:
        yield Section(sentences=(_lost(lost),), goes_on=True)
    problems = [outcome for status in NOT_REMOVED for outcome in document.outcomes if outcome.status == status]
    yield Section(columns=_COLUMNS, rows=[_row(outcome) for outcome in problems])
    if document.reclaimed.surprises:
        yield Section(
            sentences=("What was measured is not what was predicted; to find out why, look at:",),
            lines=document.reclaimed.surprises,
        )
    if document.target is not None:
        yield Section(sentences=(f"{target_words(document.target)}.",))
    if document.ended_early:
        yield Section(sentences=(f"The sweep ended early: {document.ended_early}. What is left can be swept again.",))
    yield Section(sentences=warning_sentences(document.warnings))


def _summary(document: OutcomeDocument) -> str:
    if not document.outcomes:
        return f"Nothing to remove{_by(document)}."
    removed, tags, others = done_counts(document.outcomes)
    went = kind_counts(removed)
    if tags:
        went.append(tags_of_staying(tags))
    rest = [f"{others[status]} {STATUS_WORDS[status]}" for status in NOT_REMOVED if others[status]]
    text = f"Removed {', '.join(went) or 'nothing'}{'; ' + ', '.join(rest) if rest else ''}{_by(document)}."
    return f"{text} {_freed(document)}" if went else text


def _archived(document: OutcomeDocument, archived: Archived) -> str:
    """Return what is in the archive, until when, and the command that brings it back."""
    what = f"{plural(archived.objects, 'object')}, {format_size(archived.archived_bytes)}"
    until = day_of(archived.until, document.finished_at)
    restore = (
        "" if document.run is None else f": `dockersweep restore {document.run}` takes back what can be made again"
    )
    return f"In the archive in {archived.folder} until {until}: {what}{restore}."


def _is_lost(outcome: Outcome) -> bool:
    """Whether an object was removed with data that nothing brings back."""
    way_back = outcome.recovery
    is_gone = outcome.status == "removed" and outcome.action == "remove"
    return is_gone and way_back is not None and way_back.how == "none" and not way_back.without_data


def _lost(outcomes: Sequence[Outcome]) -> str:
    """Return what cannot be recovered, as plans and the history name it: "volume pg-old (2.10 GB), container job-7".

    Without their module: an unattended sweep needs nothing else of it.
    """
    ordered = sorted(outcomes, key=lambda outcome: (_BY_LOSS.index(outcome.kind), -(outcome.freed_bytes or 0)))
    return f"Cannot be recovered: {first_of(list(map(_lost_one, ordered)), MOST_LOST)}."


def _lost_one(outcome: Outcome) -> str:
    name = short_id(outcome.name) if has_made_up_name(outcome.name) else outcome.name
    return f"{outcome.kind} {name}{f' ({format_size(outcome.freed_bytes)})' if outcome.freed_bytes else ''}"


def _by(document: OutcomeDocument) -> str:
    return "" if document.policy_source is None else f", by {document.policy_source}"


def _freed(document: OutcomeDocument) -> str:
    """Return what was freed, what was predicted, and how else the disk's free space changed."""
    reclaimed = document.reclaimed
    base = BASE_WORDS[document.size_base]
    if reclaimed.measured_bytes is None:
        proven = sum(outcome.freed_bytes or 0 for outcome in document.outcomes)
        witness = f"the engine's answers prove {format_size(proven)}" if proven else "how much was freed is not known"
        text = f"Predicted to free {amount_words(reclaimed)} {base}; {witness}"
    else:
        text = f"Freed {format_size(reclaimed.measured_bytes)} {base} (predicted {amount_words(reclaimed)})"
    if document.predicted is not None and _differ(document.predicted, reclaimed):
        text += f"; planned was {amount_words(document.predicted)}"
    return f"{text}.{_net(document)}{_elsewhere(reclaimed, _archived_there(document))}"


def _archived_there(document: OutcomeDocument) -> int:
    """Return how many bytes the archive took of the engine's own disks."""
    archived = document.archived
    return archived.archived_bytes if archived is not None and archived.on_engine_disk else 0


def _net(document: OutcomeDocument) -> str:
    """Return how much of what was freed the archive took; empty where it is on another disk."""
    archived, measured = _archived_there(document), document.reclaimed.measured_bytes
    if not archived:
        return ""
    took = f" The archive took {format_size(archived)} of the same disk"
    if measured is None:
        return f"{took}."
    net = measured - archived
    return f"{took}, so it gained {format_size(net)}." if net > 0 else f"{took}: no net gain yet."


def target_words(target: TargetOutcome) -> str:
    """Return whether the space target was reached, without a full stop."""
    if target.reached is None:
        return f"Target: not known whether it was reached: {target.text}"
    freed, wanted = format_size(target.freed_bytes), format_size(target.wanted_bytes)
    ended = f"reached: freed {freed}, {wanted} wanted" if target.reached else f"missed: freed {freed} of {wanted}"
    return f"Target {ended}{f'; {target.text}' if target.text else ''}"


def _differ(bounds: Bounds, other: Bounds) -> bool:
    return (bounds.low_bytes, bounds.high_bytes) != (other.low_bytes, other.high_bytes)


def _elsewhere(reclaimed: Reclaimed, archived_bytes: int) -> str:
    """Return how much something else than the archive changed the disk's free space; empty for small, usual
    differences."""
    if reclaimed.free_space_bytes is None or reclaimed.measured_bytes is None:
        return ""
    other = reclaimed.free_space_bytes + archived_bytes - reclaimed.measured_bytes
    if abs(other) <= max(_LEAST_BYTES_ELSEWHERE, reclaimed.measured_bytes // 100):
        return ""
    what = "something else freed" if other > 0 else "something else took"
    return f" Meanwhile {what} {format_size(abs(other))} of the same disk."


def _row(outcome: Outcome) -> tuple[str, ...]:
    return STATUS_WORDS[outcome.status], _kind(outcome), outcome.name, _why(outcome)


def _why(outcome: Outcome) -> str:
    if outcome.status != "failed":
        return outcome.detail or ""
    # In most runs nothing fails.
    from dockersweep.words.failures import cause_first

    return cause_first(outcome.detail or "")


def _kind(outcome: Outcome) -> str:
    return "tag" if outcome.action == "untag" else outcome.kind
