"""Why a run did not end well, for standard error: nobody reads a result in a file or in JSON."""

from collections.abc import Iterator, Sequence

from dockersweep.model.outcome import Outcome, OutcomeDocument
from dockersweep.report.outcome import target_words
from dockersweep.words.amounts import plural

MOST_FAILURES = 20
"""The most failed removals with a line of their own."""


def ending_sentence(document: OutcomeDocument, problems: tuple[str, ...]) -> str:
    """Return why the exit status is not 0, most important first; `problems` are errors of writing."""
    return "; ".join([*_reasons(document), *problems])


def missed_target(document: OutcomeDocument) -> str | None:
    """Return by how much a space target was missed, and why, for the ledger; None where it was not, or something ended
    the run early."""
    if document.ended_early is not None or document.target is None or document.target.reached is not False:
        return None
    return target_words(document.target)


def failure_lines(document: OutcomeDocument) -> list[str]:
    """Return a line for each failed removal, and each object that stays because it could not be archived, of both at
    most MOST_FAILURES, and how many more there are."""
    failed = [outcome for outcome in document.outcomes if outcome.status == "failed"]
    unarchived = {outcome.ref: outcome for outcome in document.outcomes if outcome.is_not_archived}
    return [*_lines("Failed", failed), *_lines("Skipped", list(unarchived.values()))]


def _lines(what: str, outcomes: Sequence[Outcome]) -> list[str]:
    lines = [f"{what}: {_words(outcome)}" for outcome in outcomes[:MOST_FAILURES]]
    more = len(outcomes) - len(lines)
    return [*lines, f"{what}: {more} more"] if more else lines


def _words(outcome: Outcome) -> str:
    # In most runs nothing fails.
    from dockersweep.words.failures import cause_first, with_short_ids

    kind = "tag" if outcome.action == "untag" else outcome.kind
    return f"{kind} {with_short_ids(outcome.name)}: {cause_first(outcome.detail or '')}"


def _reasons(document: OutcomeDocument) -> Iterator[str]:
    failed = [outcome for outcome in document.outcomes if outcome.status == "failed"]
    if document.ended_early is not None:
        yield f"the sweep ended early: {document.ended_early}"
    if failed:
        yield f"{plural(len(failed), 'removal')} failed"
    left = sum(outcome.status == "not-attempted" for outcome in document.outcomes)
    if left:
        yield f"{left} not attempted"
    if document.target is not None and not document.target.reached:
        yield target_words(document.target)
