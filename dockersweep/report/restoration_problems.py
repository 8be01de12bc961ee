"""What of a restoration needs a person, for standard error."""

from collections.abc import Iterator

from dockersweep.model.restoring import Restoration


def problem_lines(document: Restoration) -> Iterator[str]:
    """Yield a sentence for each object that was not made again, but for those that are there as they were."""
    for one in document.restored:
        if one.status in ("failed", "skipped") and not one.is_back:
            yield f"dockersweep: {one.kind} {one.name} {one.status}: {one.detail}"
    if document.ended_early is not None:
        yield f"dockersweep: the restoration ended early: {document.ended_early}"
