"""`dockersweep archive`: what is in the archive, whether it is whole, and what goes from it. No engine is asked."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dockersweep.archive.folder import ArchiveFolder
from dockersweep.archive.lock import locked
from dockersweep.archive.retention import StoredRun, to_prune
from dockersweep.archive.verification import Verified, note_verified
from dockersweep.archive.verifying import verify
from dockersweep.commands.archive_folder import archive_folder, known_archives
from dockersweep.commands.archive_reporting import ReadArchive, read_archive, read_named, report_of
from dockersweep.commands.options import ArchiveOptions
from dockersweep.commands.write import terminal_width, write_aside, write_problems, write_result
from dockersweep.errors import ArchiveError, LedgerError, RefusedError, UsageError
from dockersweep.files import is_there
from dockersweep.ledger import state_folder
from dockersweep.ledger.reading import read_archive_folders
from dockersweep.model.archive import ArchiveProblem, ArchiveReport
from dockersweep.report.archive import Asks, archive_layout, archived_run_layout
from dockersweep.report.formats import formatted
from dockersweep.units import format_size
from dockersweep.words.amounts import plural
from dockersweep.words.documents import write_document
from dockersweep.words.lists import both, either

if TYPE_CHECKING:
    from dockersweep.model.policy import ArchiveSettings
    from dockersweep.report.layout import Layout

Stored = tuple[ReadArchive, StoredRun]
"""A run, and the archive that has it."""
_NEEDS_RUN = ("show", "drop")
_TAKES_RUN = (*_NEEDS_RUN, "verify")
_DELETES = ("prune", "drop")
_SOME_FAILED = 3


def run(options: ArchiveOptions) -> int:
    """Carry out the action; return the exit status."""
    _check(options)
    settings = _settings(options)
    archives = _archives(options, settings)
    if options.action == "show":
        return _show(archives, options)
    if options.action == "verify":
        return _verify(archives, options)
    if options.action in _DELETES:
        return _delete(archives, settings, options)
    _write(report_of(archives, _runs_of(archives)), options)
    return _tell_problems(_problems(archives), options)


def _check(options: ArchiveOptions) -> None:
    if options.names_engine:
        raise UsageError("archive asks no engine: leave out -H, -c and the TLS flags")
    if options.run is None and options.action in _NEEDS_RUN:
        raise UsageError(f"a run is missing: name one of `archive list`, as in `archive {options.action} 12`")
    if options.run is not None and options.action not in _TAKES_RUN:
        raise UsageError(f"archive {options.action} takes no run: leave out {options.run}")
    if (options.dry_run or options.yes) and options.action not in _DELETES:
        raise UsageError(f"archive {options.action} deletes nothing: leave out --dry-run and --yes")
    if options.action in _DELETES and not (options.dry_run or options.yes):
        _require_terminal()


def _require_terminal() -> None:
    from dockersweep.commands.running.permission import can_ask

    if not can_ask():
        raise RefusedError("there is no terminal to ask on; give --yes to delete, or --dry-run to look")


def _settings(options: ArchiveOptions) -> "ArchiveSettings | None":
    """Return what the policy in force says of the archive; None where it has none."""
    from dockersweep.commands.policy_source import policy_in_force

    return policy_in_force(options.policy, os.environ).archive


def _archives(options: ArchiveOptions, settings: "ArchiveSettings | None") -> tuple[ReadArchive, ...]:
    """Return the archive that is named, otherwise all that are known and there: that of the policy first.

    Raises ArchiveError where the one that is named cannot be read, or is not there.
    """
    if options.folder is not None:
        return (read_named(options.folder),)
    known = known_archives(settings, _of_ledger())
    there = tuple(read_archive(folder) for folder in known if _may_be_there(folder))
    if not there:
        write_aside(f"nothing is archived yet: there is no archive at {either(known)}")
    return there


def _of_ledger() -> tuple[str, ...]:
    try:
        return read_archive_folders(state_folder(os.environ, os.geteuid()))
    except LedgerError as error:
        write_aside(f"archives that the ledger names are left out: {error}")
        return ()


def _may_be_there(folder: str) -> bool:
    try:
        return is_there(folder)
    except OSError:
        # Reading it says why not.
        return True


def _runs_of(archives: Sequence[ReadArchive]) -> list[Stored]:
    return [(archive, run) for archive in archives for run in archive.runs]


def _problems(archives: Sequence[ReadArchive]) -> list[str]:
    """Return what cannot be read, archives and runs."""
    problems = (
        problem for archive in archives for problem in (archive.place.problem, *(run.problem for run in archive.runs))
    )
    return [problem for problem in problems if problem is not None]


def _named(archives: Sequence[ReadArchive], text: str) -> Stored:
    """Return the run that a person means: by its number, or by the name of its folder."""
    number = int(text) if text.isascii() and text.isdigit() else None
    found = [
        (archive, run)
        for archive, run in _runs_of(archives)
        if run.name == text or (run.archive is not None and run.archive.run == number is not None)
    ]
    if len(found) == 1:
        return found[0]
    where = f"the archive{'s' if len(archives) > 1 else ''} {both(archive.place.folder for archive in archives)}"
    if not found:
        unread = "".join(f"; {problem}" for problem in _problems(archives))
        if not archives:
            raise UsageError(f"there is no run {text}: nothing is archived yet, or name the folder with --archive")
        raise UsageError(f"there is no run {text} in {where}: see `dockersweep archive list`{unread}")
    names = [run.name for _, run in found]
    if len(set(names)) == len(names):
        raise UsageError(f"there are several runs {text} in {where}: write {either(names)}")
    raise UsageError(f"there are several runs {text} in {where}: choose one with --archive FOLDER")


def _show(archives: Sequence[ReadArchive], options: ArchiveOptions) -> int:
    archive, run = _named(archives, options.run or "")
    path = archive.place.folder
    if run.archive is None:
        raise ArchiveError(run.problem or f"nothing is archived yet in {path}/{run.name}")
    if options.output.format == "json":
        write_result(write_document(run.archive), options.output.path)
    else:
        (described,) = report_of((archive,), ((archive, run),)).runs
        _write_layout(archived_run_layout(run.archive, described), options)
    return 0


def _verify(archives: Sequence[ReadArchive], options: ArchiveOptions) -> int:
    """Read every file of the named run, or of all; keep what was found, for reports."""
    chosen = _runs_of(archives) if options.run is None else [_named(archives, options.run)]
    files = 0
    problems: list[ArchiveProblem] = []
    unread: list[str] = []
    for archive, stored in chosen:
        folder = archive.folder
        if folder is None:
            continue
        try:
            with folder.open_run(stored.name) as run:
                files += len({file.path for one in run.objects for file in one.files})
                found = tuple(verify(run))
        except ArchiveError as error:
            unread.append(str(error))
            continue
        problems += found
        verified = Verified(at=datetime.now(UTC), damaged=found)
        try:
            with locked(folder.path):
                note_verified(folder.path, {stored.name: verified}, frozenset(folder.run_names()))
        except ArchiveError as error:
            # It may be on a disk that is read only; what was found counts all the same.
            unread.append(str(error))
    if options.run is None:
        unread += [archive.place.problem for archive in archives if archive.place.problem is not None]
    _write(replace(report_of(archives, chosen), files=files, problems=tuple(problems)), options)
    return _tell_problems([problem.text for problem in problems] + list(dict.fromkeys(unread)), options)


def _delete(archives: Sequence[ReadArchive], settings: "ArchiveSettings | None", options: ArchiveOptions) -> int:
    """Delete the named run, or what retention deletes, after a yes."""
    goes = [_named(archives, options.run or "")] if options.action == "drop" else _to_prune(archives, settings)
    runs = _runs_of(archives)
    report = report_of(archives, runs, goes=goes)
    places = [] if options.action == "drop" else [archive.place for archive in archives]
    unread = [place.problem for place in places if place.problem is not None]
    if options.dry_run:
        _write(report, options)
        return _tell_problems(unread, options)
    if goes and not options.yes:
        from dockersweep.commands.running.permission import ask

        ask(archive_layout(report, "delete"), _question([run for _, run in goes]), lambda: False)
    deletions = [(archive, deletion) for archive, run in goes for deletion in _folder(archive).delete([run])]
    if options.action == "prune":
        for archive in archives:
            if archive.folder is not None:
                archive.folder.tidy()
    _write(report_of(archives, runs, deletions), options)
    failed = [deletion.problem for _, deletion in deletions if deletion.problem is not None]
    _tell_problems(failed + unread, options)
    return _SOME_FAILED if failed else ArchiveError.exit_status if unread else 0


def _to_prune(archives: Sequence[ReadArchive], settings: "ArchiveSettings | None") -> list[Stored]:
    """Return the runs that retention deletes. How large an archive may be the policy says of its own alone."""
    own = os.path.realpath(archive_folder(settings))
    most = None if settings is None or settings.max_size is None else settings.max_size.size_bytes
    now = datetime.now(UTC)
    return [
        (archive, run)
        for archive in archives
        for run in to_prune(archive.runs, now, most if archive.place.folder == own else None)
    ]


def _folder(archive: ReadArchive) -> ArchiveFolder:
    if archive.folder is None:
        raise ArchiveError(archive.place.problem or f"{archive.place.folder} cannot be read")
    return archive.folder


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
