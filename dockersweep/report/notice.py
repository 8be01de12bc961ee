"""How a run ended, as a title and a text for a message to people."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from dockersweep.model.outcome import FailureDocument, OutcomeDocument
from dockersweep.report.headline import done_counts, engine_sentence, engine_words, kind_counts, tags_of_staying
from dockersweep.report.local_time import in_local_time
from dockersweep.report.outcome import outcome_layout
from dockersweep.report.outcome_ending import failure_lines
from dockersweep.report.text import printable
from dockersweep.units import format_size
from dockersweep.words.amounts import plural

MOST_NAMES = 20
LONGEST_TITLE = 150
"""In characters: subjects of mails and headings of messages are short."""


class NoticeText(Struct, frozen=True):
    """A message: a line, and a text of several lines, both printable."""

    title: str
    text: str


def outcome_notice(document: OutcomeDocument, status: int, problem: str | None = None) -> NoticeText:
    """Return the message about a run that ended with this exit status; `problem` is an error after its last removal."""
    where = engine_words(document.engine)
    title = f"dockersweep on {where}: {'; '.join(_headline(document, problem))}"
    # Failures come first: a phone shows the beginning.
    layout = outcome_layout(document, MOST_NAMES)
    lines = [*([f"Error: {problem}."] if problem else []), *failure_lines(document)]
    for section in layout.sections:
        lines += [*section.sentences, *section.lines]
    return _notice(title, [*lines, *_ending(document.run, status)])


def failure_notice(document: FailureDocument) -> NoticeText:
    """Return the message about a run that removed nothing because it failed or was refused."""
    where = "" if document.engine is None else f" on {engine_words(document.engine)}"
    lines = [f"Error: {document.error}."]
    if document.engine is not None:
        lines.append(engine_sentence(document.engine, document.ended_at))
    lines.append(f"It ran on the machine {document.machine}, by {document.policy_source}.")
    what = "a sweep of the watcher" if document.verb == "watch" else document.verb
    title = f"dockersweep{where or f' on {document.machine}'}: {what} failed"
    return _notice(title, [*lines, *_ending(document.run, document.exit_status)])


def _headline(document: OutcomeDocument, problem: str | None) -> Iterator[str]:
    """Yield what a person has to know, most important first."""
    failed = sum(outcome.status == "failed" for outcome in document.outcomes)
    if problem:
        yield "the run failed after its removals"
    if document.ended_early is not None:
        yield "ended early"
    if failed:
        yield f"{plural(failed, 'removal')} failed"
    if document.target is not None and not document.target.reached:
        yield "space target missed" if document.target.reached is False else "not known whether the target was reached"
    removed, tags, _ = done_counts(document.outcomes)
    went = [*kind_counts(removed), *([tags_of_staying(tags)] if tags else [])]
    if went:
        freed = document.reclaimed.measured_bytes
        yield f"removed {', '.join(went)}{'' if freed is None else f', freed {format_size(freed)}'}"
    elif not document.outcomes:
        yield "nothing to remove"
    elif not failed:
        yield "nothing removed"


def _ending(run: int | None, status: int) -> Iterator[str]:
    more = "" if run is None else f" `dockersweep history {run}` tells more."
    yield f"Exit status {status}.{more}"


def _notice(title: str, lines: Sequence[str]) -> NoticeText:
    clean = printable(title)
    short = clean if len(clean) <= LONGEST_TITLE else f"{clean[: LONGEST_TITLE - 1]}…"
    return NoticeText(short, "\n".join(printable(in_local_time(line)) for line in lines if line))
