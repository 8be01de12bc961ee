"""One run in full."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from dockersweep.model.history import History, PastRemoval, PastRun
from dockersweep.model.inventory import KINDS
from dockersweep.report.headline import TITLE_OF
from dockersweep.report.history.restored import restored_of_run, way_back_of_run
from dockersweep.report.history.words import (
    PREDICTED,
    RESTORE,
    TOTAL_MEASURED,
    UNKNOWN,
    engine_of_run,
    freed_by,
    freed_by_run,
    is_predicted,
    is_predicted_of,
    kind_of,
    status_of,
    what_happened,
    why,
)
from dockersweep.report.layout import Column, Section
from dockersweep.report.local_time import local_time
from dockersweep.units import format_size
from dockersweep.words.lists import first_of, naturally
from dockersweep.words.recovery import runs_words

MOST_NAMES = 3

_FACTS = (Column("WHAT"), Column("TEXT", wraps=True))
_NAME, _WHY = Column("NAME", shortens=True), Column("WHY", wraps=True, narrowest=24)
_REMOVED = (_NAME, Column("SIZE", right=True), Column("FREED", right=True, wraps=True, narrowest=8), _WHY)
_WITHOUT_SIZE = (_NAME, _WHY)
_NOT_REMOVED = (Column("STATUS"), Column("KIND"), _NAME, _WHY)


def run_sections(history: History) -> Iterator[Section]:
    """Yield a run in full; the removals that did not go through come first, as people look for them."""
    for run in history.runs:
        yield Section(columns=_FACTS, rows=[*_facts(run), *_archive_facts(history)], header=False)
    not_removed = [removal for removal in history.removals if removal.status != "removed"]
    if not_removed:
        rows = [(status_of(removal), kind_of(removal), removal.name, why(removal)) for removal in not_removed]
        yield Section(f"Not removed: {len(not_removed)}", columns=_NOT_REMOVED, rows=rows)
    yield from restored_of_run(history.restorations)
    yield from _removed_sections([removal for removal in history.removals if removal.status == "removed"])
    if any(map(is_predicted_of, history.removals)) or any(map(is_predicted, history.runs)):
        sentence = PREDICTED if any(map(is_predicted, history.runs)) else TOTAL_MEASURED
        yield Section(sentences=(sentence,), is_list=True)
    for run in history.runs:
        yield Section(sentences=tuple(way_back_of_run(run.number, history.removals)), is_list=True, keeps_words=True)


def _removed_sections(removed: Sequence[PastRemoval]) -> Iterator[Section]:
    """Yield what was removed, by kind, then the tags of images that stayed; those of a removed image stand with it."""
    tags: defaultdict[str, list[PastRemoval]] = defaultdict(list)
    for removal in removed:
        if removal.action == "untag":
            tags[removal.id].append(removal)
    for kind in KINDS:
        of_kind = [removal for removal in removed if removal.kind == kind and removal.action == "remove"]
        rows = [_removed_row(removal, tags.pop(removal.id, ()) if kind == "image" else ()) for removal in of_kind]
        columns = _WITHOUT_SIZE if kind == "network" else _REMOVED
        if rows:
            yield Section(f"{TITLE_OF[kind]} removed: {len(rows)}", columns=columns, rows=rows)
    of_others = [(tag.name, why(tag)) for of_image in tags.values() for tag in of_image]
    if of_others:
        yield Section(f"Tags removed (their images stay): {len(of_others)}", columns=_WITHOUT_SIZE, rows=of_others)


def _removed_row(removal: PastRemoval, tags: Sequence[PastRemoval]) -> tuple[str, ...]:
    other = f"; also tagged {first_of(naturally(tag.name for tag in tags), MOST_NAMES)}" if tags else ""
    text = f"{why(removal)}{other}"
    if removal.kind == "network":
        return removal.name, text
    return removal.name, _size(removal), freed_by(removal), text


def _facts(run: PastRun) -> Iterator[tuple[str, str]]:
    yield "run", f"{run.number}: {run.verb} by {run.user}, process {run.pid}, dockersweep {run.version}"
    yield "engine", engine_of_run(run)
    yield "started", local_time(run.started_at)
    yield "finished", "did not end" if run.finished_at is None else local_time(run.finished_at)
    if run.exit_status is not None:
        yield "exit status", str(run.exit_status)
    if run.policy_source is not None:
        yield ("asked for" if run.verb == RESTORE else "policy"), run.policy_source
    if run.policy_sha256 is not None:
        yield "policy sha256", run.policy_sha256
    yield ("restored" if run.verb == RESTORE else "removed"), what_happened(run).removeprefix("restored ")
    if run.verb != RESTORE:
        yield "freed", freed_by_run(run)
    for text in dict.fromkeys(text for text in (run.note, run.ended_early) if text):
        yield "why", text


def _archive_facts(history: History) -> Iterator[tuple[str, str]]:
    archive = history.archive
    if archive is not None:
        until = local_time(archive.until)
        gone = f"; deleted by run {archive.deleted_by}, to make room" if archive.deleted_by is not None else ""
        yield "archived", f"in {archive.folder}/{archive.path} until {until}{gone}"
    if history.deleted_early:
        its = "its" if len(history.deleted_early) == 1 else "their"
        yield "to make room", f"{runs_words(history.deleted_early)} deleted from the archive before {its} time"


def _size(removal: PastRemoval) -> str:
    return UNKNOWN if removal.size_bytes is None else format_size(removal.size_bytes)
