"""The layout of what is in the archive, and of what has become of it."""

from collections.abc import Iterator, Sequence
from typing import Literal

from dockersweep.model.archive import Archive, ArchivedObject, ArchiveReport, RunInArchive
from dockersweep.model.inventory import Kind
from dockersweep.model.naming import PLURAL_OF
from dockersweep.report.layout import Cell, Column, Layout, Section, rows_of
from dockersweep.report.local_time import local_time
from dockersweep.units import format_instant, format_size
from dockersweep.words.amounts import plural

Asks = Literal["list", "verify", "delete"]
_UNKNOWN = "-"
_STATUS = {"kept": "", "goes": "would be deleted", "deleted": "deleted", "failed": "not deleted"}
_COLUMNS = (
    Column("RUN", right=True),
    Column("WHEN", wraps=True, narrowest=12),
    Column("ENGINE", shortens=True),
    Column("ARCHIVED", wraps=True, narrowest=12),
    Column("SIZE", right=True),
    Column("KEPT UNTIL", wraps=True, narrowest=12),
    Column("NOTE", wraps=True, narrowest=12),
)
_OF_ONE = "`dockersweep archive show RUN` lists what is in a run, `dockersweep restore RUN` brings it back."


def archive_layout(report: ArchiveReport, asks: Asks) -> Layout:
    """Return the layout of a list, a verification, or what is or would be deleted; a row a run."""
    rows = rows_of(report.runs, {
        "folder": lambda run: run.folder, "run": lambda run: run.run, "engine": lambda run: run.engine,
        "begun_at": lambda run: _instant(run.begun_at), "until": lambda run: _instant(run.until),
        "objects": lambda run: sum(run.objects.values()), "size_bytes": lambda run: run.size_bytes,
        "status": lambda run: run.status, "verified_at": lambda run: _instant(run.verified_at),
        "damaged": lambda run: len(run.damaged), "problem": lambda run: run.problem,
    })  # fmt: skip
    return Layout("Archive", _sections(report, asks), rows)


def _instant(instant: object) -> Cell:
    from datetime import datetime

    return format_instant(instant) if isinstance(instant, datetime) else None


def _sections(report: ArchiveReport, asks: Asks) -> Iterator[Section]:
    sums = f"{plural(len(report.runs), 'run')}, {format_size(report.size_bytes)}"
    yield Section(sentences=(f"Archive: {report.folder} ({sums})",), keeps_words=True, is_list=True)
    runs = [run for run in report.runs if asks != "delete" or run.status != "kept"]
    if runs:
        yield Section(columns=_COLUMNS, rows=[_row(run) for run in runs])
    yield Section(sentences=tuple(_sentences(report, asks)), is_list=True)


def _row(run: RunInArchive) -> tuple[str, ...]:
    return (
        run.folder if run.run is None else str(run.run),
        _UNKNOWN if run.begun_at is None else local_time(run.begun_at),
        run.engine or _UNKNOWN,
        counts(run.objects) or _UNKNOWN,
        format_size(run.size_bytes),
        _UNKNOWN if run.until is None else local_time(run.until),
        _note(run),
    )


def _note(run: RunInArchive) -> str:
    if run.status != "kept":
        return _STATUS[run.status]
    if run.problem is not None:
        return "cannot be read"
    return f"damaged: {plural(len(run.damaged), 'file')}" if run.damaged else ""


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


def archived_run_layout(archive: Archive, path: str, size_bytes: int) -> Layout:
    """Return the layout of what is in one run; a row an object."""
    rows = rows_of(archive.objects, {
        "kind": lambda one: one.kind, "name": lambda one: one.name, "id": lambda one: one.id,
        "archived_at": lambda one: format_instant(one.archived_at), "read_from": lambda one: one.read_from,
        "size_bytes": lambda one: one.size_bytes, "archive_bytes": _archived_bytes,
        "entries": lambda one: one.entries, "not_kept": lambda one: ", ".join(one.not_kept),
    })  # fmt: skip
    return Layout(f"Archive of run {archive.run or path}", _run_sections(archive, path, size_bytes), rows)


def _run_sections(archive: Archive, path: str, size_bytes: int) -> Iterator[Section]:
    named = f"Run {archive.run}" if archive.run is not None else "A run without a ledger"
    engine = archive.engine.name or archive.engine.endpoint
    yield Section(
        sentences=(
            f"{named} on {engine}, {local_time(archive.begun_at)}; kept until {local_time(archive.until)}",
            f"{plural(len(archive.objects), 'object')}, {format_size(size_bytes)}, in the directory",
        ),
        is_list=True,
    )
    yield Section(lines=(path,), goes_on=True)
    columns = (
        Column("KIND"),
        Column("NAME", shortens=True),
        Column("SIZE", right=True),
        Column("IN THE ARCHIVE", right=True),
        Column("NOT KEPT", wraps=True),
    )
    yield Section(columns=columns, rows=[_object_row(one) for one in archive.objects])
    if archive.run is not None and archive.objects:
        yield Section(sentences=(f"`dockersweep restore {archive.run}` brings all of it back.",), is_list=True)


def _object_row(one: ArchivedObject) -> tuple[str, ...]:
    size = _UNKNOWN if one.size_bytes is None else format_size(one.size_bytes)
    return one.kind, one.name, size, format_size(_archived_bytes(one)), ", ".join(one.not_kept)


def _archived_bytes(one: ArchivedObject) -> int:
    return sum(file.size_bytes for file in one.files)
