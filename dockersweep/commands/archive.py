"""`dockersweep archive`: what is in the archive, whether it is whole, and what goes from it. No engine is asked."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dockersweep.archive.folder import ArchiveFolder, open_archive
from dockersweep.archive.lock import locked
from dockersweep.archive.retention import Deletion, StoredRun, to_prune
from dockersweep.archive.verification import Verified, note_verified, verifications
from dockersweep.archive.verifying import verify
from dockersweep.commands.archive_folder import archive_folder
from dockersweep.commands.options import ArchiveOptions
from dockersweep.commands.write import terminal_width, write_aside, write_problems, write_result
from dockersweep.errors import ArchiveError, RefusedError, UsageError
from dockersweep.files import is_there
from dockersweep.model.archive import ArchiveReport, RunInArchive, RunStatus
from dockersweep.report.archive import Asks, archive_layout, archived_run_layout
from dockersweep.report.formats import formatted
from dockersweep.units import format_size
from dockersweep.words.amounts import plural
from dockersweep.words.documents import write_document

if TYPE_CHECKING:
    from dockersweep.model.policy import ArchiveSettings
    from dockersweep.report.layout import Layout

_NEEDS_RUN = ("show", "drop")
_TAKES_RUN = (*_NEEDS_RUN, "verify")
_DELETES = ("prune", "drop")
_SOME_FAILED = 3


def run(options: ArchiveOptions) -> int:
    """Carry out the action; return the exit status."""
    _check(options)
    settings = _settings(options)
    path = options.folder or archive_folder(settings)
    if options.folder is None and options.action not in _NEEDS_RUN and not is_there(path):
        write_aside(f"nothing is archived yet: there is no archive at {path}")
        _write(ArchiveReport(schema="dockersweep.archive-report/1", folder=path, size_bytes=0, runs=()), options)
        return 0
    archive = open_archive(path, make=False)
    if options.action == "show":
        return _show(archive, options)
    if options.action == "verify":
        return _verify(archive, options)
    if options.action in _DELETES:
        return _delete(archive, settings, options)
    runs = archive.runs()
    _write(_report(archive, runs), options)
    return _tell_problems([run.problem for run in runs if run.problem is not None], options)


def _check(options: ArchiveOptions) -> None:
    if options.names_engine:
        raise UsageError("archive asks no engine: leave out -H, -c and the TLS flags")
    if options.run is None and options.action in _NEEDS_RUN:
        raise UsageError(f"a run is missing: name one of `archive list`, as in `archive {options.action} 12`")
    if options.run is not None and options.action not in _TAKES_RUN:
        raise UsageError(f"archive {options.action} takes no run: leave out {options.run}")
    if (options.dry_run or options.yes) and options.action not in _DELETES:
        raise UsageError(f"archive {options.action} deletes nothing: leave out --dry-run and --yes")
    if options.action in _DELETES and not (options.dry_run or options.yes or _can_ask()):
        raise RefusedError("there is no terminal to ask on; give --yes to delete, or --dry-run to look")


def _can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _settings(options: ArchiveOptions) -> "ArchiveSettings | None":
    """Return what the policy in force says of the archive; None where it has none."""
    from dockersweep.commands.policy_source import policy_in_force

    return policy_in_force(options.policy, os.environ).archive


def _report(
    archive: ArchiveFolder,
    runs: Sequence[StoredRun],
    deletions: Iterable[Deletion] = (),
    goes: Sequence[StoredRun] = (),
) -> ArchiveReport:
    """Return what is in the archive, with what became of the runs that were to go."""
    verified = verifications(archive.path)
    deleted = {deletion.run.name: deletion for deletion in deletions}
    going = {run.name for run in goes}

    def described(run: StoredRun) -> RunInArchive:
        status: RunStatus = "goes" if run.name in going else "kept"
        if run.name in deleted:
            status = "deleted" if deleted[run.name].problem is None else "failed"
        made = _in_archive(run, verified.get(run.name))
        return replace(made, status=status, problem=deleted[run.name].problem if run.name in deleted else made.problem)

    return ArchiveReport(
        schema="dockersweep.archive-report/1",
        folder=archive.path,
        size_bytes=archive.taken_bytes(),
        runs=tuple(map(described, runs)),
    )


def _in_archive(run: StoredRun, verified: Verified | None) -> RunInArchive:
    index = run.archive
    made = RunInArchive(
        folder=run.name,
        size_bytes=run.size_bytes,
        problem=run.problem,
        verified_at=None if verified is None else verified.at,
        damaged=() if verified is None else verified.damaged,
    )
    if index is None:
        return made
    return replace(
        made,
        run=index.run,
        engine=index.engine.name or index.engine.endpoint,
        begun_at=index.begun_at,
        until=index.until,
        objects=dict(Counter(archived.kind for archived in index.objects)),
    )


def _named(runs: Sequence[StoredRun], text: str, path: str) -> StoredRun:
    """Return the run that a person means: by its number, or by the name of its folder."""
    number = int(text) if text.isascii() and text.isdigit() else None
    found = [
        run for run in runs if run.name == text or (run.archive is not None and run.archive.run == number is not None)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"there is no run {text} in the archive {path}: see `dockersweep archive list`")
    names = " or ".join(run.name for run in found)
    raise UsageError(f"there are several runs {text} in the archive {path}: write {names}")


def _number(run: StoredRun) -> int | None:
    return None if run.archive is None else run.archive.run


def _show(archive: ArchiveFolder, options: ArchiveOptions) -> int:
    run = _named(archive.runs(), options.run or "", archive.path)
    if run.archive is None:
        raise ArchiveError(run.problem or f"nothing is archived yet in {archive.path}/{run.name}")
    if options.output.format == "json":
        write_result(write_document(run.archive), options.output.path)
    else:
        _write_layout(archived_run_layout(run.archive, f"{archive.path}/{run.name}", run.size_bytes), options)
    return 0


def _verify(archive: ArchiveFolder, options: ArchiveOptions) -> int:
    """Read every file of the named run, or of all; keep what was found, for reports."""
    runs = archive.runs()
    chosen = runs if options.run is None else [_named(runs, options.run, archive.path)]
    files, problems, unread = 0, [], []
    for stored in chosen:
        try:
            with archive.open_run(stored.name) as run:
                files += len({file.path for one in run.objects for file in one.files})
                found = list(verify(run))
        except ArchiveError as error:
            unread.append(str(error))
            continue
        problems += found
        verified = Verified(at=datetime.now(UTC), damaged=tuple(problem.text for problem in found))
        with locked(archive.path):
            note_verified(archive.path, {stored.name: verified}, frozenset(archive.run_names()))
    report = _report(archive, chosen)
    _write(replace(report, files=files, problems=tuple(problems)), options)
    return _tell_problems([problem.text for problem in problems] + unread, options)


def _delete(archive: ArchiveFolder, settings: "ArchiveSettings | None", options: ArchiveOptions) -> int:
    """Delete the named run, or what retention deletes, after a yes."""
    runs = archive.runs()
    max_size = None if settings is None else settings.max_size
    if options.action == "drop":
        goes: Sequence[StoredRun] = [_named(runs, options.run or "", archive.path)]
    else:
        goes = to_prune(runs, datetime.now(UTC), None if max_size is None else max_size.size_bytes)
    report = _report(archive, runs, goes=goes)
    if options.dry_run:
        _write(report, options)
        return 0
    if goes and not options.yes:
        from dockersweep.commands.running.permission import ask

        ask(archive_layout(report, "delete"), _question(goes), lambda: False)
    deletions = list(archive.delete(goes))
    if options.action == "prune":
        archive.tidy()
    _write(_report(archive, runs, deletions), options)
    failed = [deletion.problem for deletion in deletions if deletion.problem is not None]
    _tell_problems(failed, options)
    return _SOME_FAILED if failed else 0


def _question(goes: Sequence[StoredRun]) -> str:
    size = format_size(sum(run.size_bytes for run in goes))
    objects = sum(len(run.archive.objects) for run in goes if run.archive is not None)
    return (
        f"Delete {plural(len(goes), 'run')} from the archive ({size}), and lose {plural(objects, 'object')} for good?"
    )


def _tell_problems(problems: Sequence[str], options: ArchiveOptions) -> int:
    """Tell what is wrong on standard error; return the exit status."""
    write_problems([f"dockersweep: {problem}" for problem in problems], options.output)
    return ArchiveError.exit_status if problems else 0


def _write(report: ArchiveReport, options: ArchiveOptions) -> None:
    if options.output.format == "json":
        write_result(write_document(report), options.output.path)
        return
    asks: Asks = "verify" if options.action == "verify" else "delete" if options.action in _DELETES else "list"
    _write_layout(archive_layout(report, asks), options)


def _write_layout(layout: "Layout", options: ArchiveOptions) -> None:
    width = terminal_width(options.output.path)
    write_result(formatted(layout, options.output.format, width), options.output.path)
