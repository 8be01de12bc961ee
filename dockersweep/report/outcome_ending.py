"""Why a run did not end well, for standard error: a result in a file or in JSON is read by nobody."""

from collections.abc import Iterator, Sequence

from dockersweep.model.outcome import Outcome, OutcomeDocument
from dockersweep.report.outcome import target_words
from dockersweep.words.amounts import plural

MOST_FAILURES = 20
"""So many removals that failed have a line."""


def ending_sentence(document: OutcomeDocument, problems: tuple[str, ...]) -> str:
    """Return why the exit status is not 0, most important first; `problems` are what could not be written."""
    return "; ".join([*_reasons(document), *problems])


def failure_lines(document: OutcomeDocument) -> list[str]:
    """Return a line for each removal that failed, unless `ending_sentence` names it."""
    failed = [one for one in document.outcomes if one.status == "failed"]
    if _is_named(failed, document):
        return []
    lines = [f"Failed: {_words(one)}" for one in failed[:MOST_FAILURES]]
    more = len(failed) - len(lines)
    return [*lines, f"Failed: {more} more"] if more else lines


def _is_named(failed: Sequence[Outcome], document: OutcomeDocument) -> bool:
    return len(failed) == 1 and document.ended_early is None


def _words(outcome: Outcome) -> str:
    kind = "tag" if outcome.action == "untag" else outcome.kind
    return f"{kind} {outcome.name}: {outcome.detail}"


def _reasons(document: OutcomeDocument) -> Iterator[str]:
    failed = [one for one in document.outcomes if one.status == "failed"]
    if document.ended_early is not None:
        yield f"the sweep ended early: {document.ended_early}"
    if failed:
        named = f": {_words(failed[0])}" if _is_named(failed, document) else ""
        yield f"{plural(len(failed), 'removal')} failed{named}"
    left = sum(one.status == "not-attempted" for one in document.outcomes)
    if left:
        yield f"{left} not attempted"
    if document.target is not None and not document.target.reached:
        yield target_words(document.target)
