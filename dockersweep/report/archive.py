"""The layout of what is in the archive, and of what has become of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from dockersweep.model.archive import (
    Archive,
    ArchivedObject,
    ArchivePlace,
    ArchiveProblem,
    ArchiveReport,
    RunInArchive,
)
from dockersweep.model.inventory import Kind
from dockersweep.model.naming import PLURAL_OF
from dockersweep.report.footnotes import Footnotes
from dockersweep.report.layout import Cell, Column, Layout, Section, rows_of, truth, without
from dockersweep.report.local_time import local_date, local_time
from dockersweep.units import format_instant, format_size
from dockersweep.words.amounts import plural
from dockersweep.words.lists import both, first_of

Asks = Literal["list", "verify", "delete"]
_UNKNOWN = "-"
MOST_OBJECTS = 3
_STATUS = {"kept": "", "goes": "would be deleted", "deleted": "deleted", "failed": "not deleted"}
_ENGINE = Column("ENGINE", shortens=True)
_NOTE = Column("NOTE", wraps=True, narrowest=12)
_COLUMNS = (
    Column("RUN", right=True),
    Column("WHEN"),
    _ENGINE,
    Column("ARCHIVED", wraps=True, narrowest=12),
    Column("SIZE", right=True),
    Column("KEPT UNTIL"),
    _NOTE,
)
_OF_ONE = "`dockersweep archive show RUN` lists what is in a run, `dockersweep restore RUN` brings it back."


def archive_layout(report: ArchiveReport, asks: Asks) -> Layout:
    """Return the layout of a list, a verification, or what is or would be deleted; a row a run."""
    rows = rows_of(report.runs, {
        "archive": lambda run: run.archive, "folder": lambda run: run.folder, "run": lambda run: run.run,
        "engine": lambda run: run.engine,
        "begun_at": lambda run: _instant(run.begun_at), "until": lambda run: _instant(run.until),
        "objects": lambda run: sum(run.objects.values()), "size_bytes": lambda run: run.size_bytes,
        "status": lambda run: run.status, "verified_at": lambda run: _instant(run.verified_at),
        "damaged": lambda run: len(run.damaged), "problem": lambda run: run.problem,
    })  # fmt: skip
    return Layout("Archive", _sections(report, asks), rows)


def _instant(instant: datetime | None) -> Cell:
    return None if instant is None else format_instant(instant)


def _sections(report: ArchiveReport, asks: Asks) -> Iterator[Section]:
    for place in report.archives:
        runs = [run for run in report.runs if run.archive == place.folder]
        sentences = (_of_place(place, runs, asks),)
        yield Section(sentences=sentences, keeps_words=True, is_list=True)
        shown = [run for run in runs if asks != "delete" or run.status != "kept"]
        if shown:
            yield without(_needless(shown), Section(columns=_COLUMNS, rows=[_row(run) for run in shown]))
    yield Section(sentences=tuple(_sentences(report, asks)), is_list=True)


def _needless(runs: Sequence[RunInArchive]) -> set[Column]:
    """Return the columns that say nothing, or the same in all rows: the engine then stands above."""
    return {
        column
        for column, says_nothing in ((_ENGINE, len(_engines(runs)) == 1), (_NOTE, not any(map(_note, runs))))
        if says_nothing
    }


def _engines(runs: Sequence[RunInArchive]) -> set[str | None]:
    return {run.engine for run in runs}


def _of_place(place: ArchivePlace, runs: Sequence[RunInArchive], asks: Asks) -> str:
    if place.size_bytes is None:
        return f"Archive: {place.folder} (cannot be read)"
    size = format_size(place.size_bytes)
    engines = _engines(runs)
    of_engine = f" of {engine}" if len(engines) == 1 and (engine := next(iter(engines))) else ""
    counted = f"{plural(len(runs), 'run')}{of_engine}, {size}"
    # What one run was asked for says nothing of how many there are.
    return f"Archive: {place.folder} ({size if asks == 'verify' else counted})"


def _row(run: RunInArchive) -> tuple[str, ...]:
    return (
        run.folder if run.run is None else str(run.run),
        _UNKNOWN if run.begun_at is None else local_date(run.begun_at),
        run.engine or _UNKNOWN,
        counts(run.objects) or _UNKNOWN,
        format_size(run.size_bytes),
        _UNKNOWN if run.until is None else local_date(run.until),
        _note(run),
    )


def _note(run: RunInArchive) -> str:
    if run.status != "kept":
        return _STATUS[run.status]
    if run.problem is not None:
        return "cannot be read"
    return f"damaged: {first_of(_objects_of(run.damaged), MOST_OBJECTS)}" if run.damaged else ""


def _objects_of(damaged: Sequence[ArchiveProblem]) -> list[str]:
    """Return the objects that have the damaged files: "volume pg-old"."""
    return list(dict.fromkeys(f"{problem.kind} {problem.name}" for problem in damaged))


def counts(objects: dict[Kind, int]) -> str:
    """Return how many objects there are of each kind: "2 volumes, 1 container"."""
    words = (f"{count} {kind if count == 1 else PLURAL_OF[kind]}" for kind, count in sorted(objects.items()))
    return ", ".join(words)


def _sentences(report: ArchiveReport, asks: Asks) -> Iterator[str]:
    if asks == "verify":
        read = f"{plural(report.files or 0, 'file')} of {plural(len(report.runs), 'run')} read"
        damaged = len(report.problems)
        yield f"{read}: {f'{damaged} damaged' if damaged else 'all of them are whole'}"
        yield from (f"{problem.kind} {problem.name}: {problem.text}" for problem in report.problems)
        if damaged:
            yield "`dockersweep restore` still brings back what is whole."
    elif asks == "delete":
        yield _deleted(report.runs)
    elif report.runs:
        yield _OF_ONE


def _deleted(runs: Sequence[RunInArchive]) -> str:
    chosen = [run for run in runs if run.status in ("goes", "deleted")]
    if not chosen:
        return "Nothing to delete" if all(run.status == "kept" for run in runs) else "Nothing was deleted"
    sums = f"{plural(len(chosen), 'run')} ({format_size(sum(run.size_bytes for run in chosen))})"
    return f"{'Would delete' if chosen[0].status == 'goes' else 'Deleted'} {sums}"


def archived_run_layout(archive: Archive, run: RunInArchive) -> Layout:
    """Return the layout of what is in one run; a row an object."""
    damaged = _damaged_ids(archive, run)
    rows = rows_of(archive.objects, {
        "kind": lambda one: one.kind, "name": lambda one: one.name, "id": lambda one: one.id,
        "archived_at": lambda one: format_instant(one.archived_at), "read_from": lambda one: one.read_from,
        "size_bytes": lambda one: one.size_bytes, "archive_bytes": _archived_bytes,
        "entries": lambda one: one.entries, "not_kept": lambda one: ", ".join(one.not_kept),
        "damaged": lambda one: truth(_key(one) in damaged),
    })  # fmt: skip
    return Layout(f"Archive of run {archive.run or run.folder}", _run_sections(archive, run, damaged), rows)


_Key = tuple[Kind, str]


def _key(one: ArchivedObject) -> _Key:
    return one.kind, one.id


def _damaged_ids(archive: Archive, run: RunInArchive) -> frozenset[_Key]:
    """Return the objects that have a damaged file, by kind and id: several images may share one."""
    paths = {problem.path for problem in run.damaged}
    return frozenset(_key(one) for one in archive.objects if any(file.path in paths for file in one.files))


def _run_sections(archive: Archive, run: RunInArchive, damaged: frozenset[_Key]) -> Iterator[Section]:
    named = f"Run {archive.run}" if archive.run is not None else "A run without a ledger"
    engine = archive.engine.name or archive.engine.endpoint
    yield Section(
        sentences=(
            f"{named} on {engine}, {local_time(archive.begun_at)}; kept until {local_time(archive.until)}",
            f"{plural(len(archive.objects), 'object')}, {format_size(run.size_bytes)}, in the directory",
        ),
        is_list=True,
    )
    yield Section(lines=(f"{run.archive}/{run.folder}",), goes_on=True)
    columns = (
        Column("KIND"),
        Column("NAME", shortens=True),
        Column("SIZE", right=True),
        Column("ARCHIVED", right=True),
        Column("NOTE", wraps=True),
    )
    footnotes = Footnotes(map(_lacks, archive.objects))
    yield Section(columns=columns, rows=[_object_row(one, damaged, footnotes) for one in archive.objects])
    yield Section(sentences=tuple(footnotes.below()), is_list=True)
    yield Section(sentences=tuple(_below_objects(archive, run, damaged)), is_list=True)


def _below_objects(archive: Archive, run: RunInArchive, damaged: frozenset[_Key]) -> Iterator[str]:
    if _shares(archive):
        yield "Layers that several images share lie there once, and count with each of them."
    if run.verified_at is not None:
        yield f"Last verified {local_date(run.verified_at)}."
    if archive.objects:
        what = archive.run if archive.run is not None else run.folder
        lost = [f"{one.kind} {one.name}" for one in archive.objects if _key(one) in damaged]
        brings = f"all but {both(lost)}" if lost else "all of it"
        yield f"`dockersweep restore {what}` brings {brings} back."


def _shares(archive: Archive) -> bool:
    """Return whether objects have a file in common."""
    paths = [file.path for one in archive.objects for file in one.files]
    return len(set(paths)) < len(paths)


def _lacks(one: ArchivedObject) -> str:
    return f"without {', '.join(one.not_kept)}" if one.not_kept else ""


def _object_row(one: ArchivedObject, damaged: frozenset[_Key], footnotes: Footnotes) -> tuple[str, ...]:
    size = _UNKNOWN if one.size_bytes is None else format_size(one.size_bytes)
    notes = "damaged" if _key(one) in damaged else "", footnotes.in_row(_lacks(one))
    note = "; ".join(filter(None, notes))
    return one.kind, one.name, size, format_size(_archived_bytes(one)), note


def _archived_bytes(one: ArchivedObject) -> int:
    return sum(file.size_bytes for file in one.files)
