"""Why a run did not end well, in one sentence for standard error: a result in a file or in JSON is read by nobody."""

from collections.abc import Iterator

from dockersweep.model.outcome import OutcomeDocument
from dockersweep.report.outcome import target_words
from dockersweep.words.amounts import plural


def ending_sentence(document: OutcomeDocument, problems: tuple[str, ...]) -> str:
    """Return why the exit status is not 0, most important first; `problems` are what could not be written."""
    return "; ".join([*_reasons(document), *problems])


def _reasons(document: OutcomeDocument) -> Iterator[str]:
    failed = [one for one in document.outcomes if one.status == "failed"]
    removals = plural(len(failed), "removal")
    if document.ended_early is not None:
        yield f"the sweep ended early: {document.ended_early}"
        if failed:
            yield f"{removals} failed"
    elif failed:
        first = f"{failed[0].kind} {failed[0].name}: {failed[0].detail}"
        yield f"{removals} failed: {first}" if len(failed) == 1 else f"{removals} failed, the first is {first}"
    left = sum(one.status == "not-attempted" for one in document.outcomes)
    if left:
        yield f"{left} not attempted"
    if document.target is not None and not document.target.reached:
        yield target_words(document.target)
