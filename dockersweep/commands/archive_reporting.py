"""What is in archives, as the document dockersweep.archive-report/1."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.archive.folder import ArchiveFolder, open_archive, open_named
from dockersweep.archive.retention import Deletion, StoredRun
from dockersweep.archive.verification import Verified, verifications
from dockersweep.errors import ArchiveError
from dockersweep.model.archive import ArchivePlace, ArchiveReport, RunInArchive, RunStatus


class ReadArchive(Struct, frozen=True):
    """An archive, as it was found."""

    place: ArchivePlace
    folder: ArchiveFolder | None
    """None where it cannot be read."""
    runs: tuple[StoredRun, ...]
    """The oldest first."""


def read_named(path: str) -> ReadArchive:
    """Return what is in the archive in a folder that a person named. Raises ArchiveError where it cannot be read."""
    return _read(open_named(path))


def read_archive(path: str) -> ReadArchive:
    """Return what is in the archive in a folder that is there, or why it cannot be read."""
    try:
        return _read(open_archive(path, make=False))
    except ArchiveError as error:
        return ReadArchive(ArchivePlace(folder=path, size_bytes=None, problem=str(error)), None, ())


def _read(folder: ArchiveFolder) -> ReadArchive:
    return ReadArchive(ArchivePlace(folder=folder.path, size_bytes=folder.taken_bytes()), folder, folder.runs())


def report_of(
    archives: Iterable[ReadArchive],
    runs: Iterable[tuple[ReadArchive, StoredRun]],
    deletions: Iterable[tuple[ReadArchive, Deletion]] = (),
    goes: Sequence[tuple[ReadArchive, StoredRun]] = (),
) -> ArchiveReport:
    """Return the report about runs, with what became of those that were to go."""
    archives = tuple(archives)
    verified = {archive.place.folder: _verified(archive) for archive in archives}
    deleted = {(archive.place.folder, deletion.run.name): deletion for archive, deletion in deletions}
    going = {(archive.place.folder, run.name) for archive, run in goes}

    def described(archive: ReadArchive, run: StoredRun) -> RunInArchive:
        place = archive.place.folder, run.name
        made = _in_archive(archive.place.folder, run, verified[archive.place.folder].get(run.name))
        if place in deleted:
            problem = deleted[place].problem
            status: RunStatus = "deleted" if problem is None else "failed"
            return replace(made, status=status, problem=problem)
        return replace(made, status="goes" if place in going else "kept")

    return ArchiveReport(
        schema="dockersweep.archive-report/1",
        archives=tuple(_measured(archive) for archive in archives),
        runs=tuple(described(archive, run) for archive, run in runs),
    )


def _measured(archive: ReadArchive) -> ArchivePlace:
    """Return the place with what it takes by now: runs may have gone since it was read."""
    if archive.folder is None:
        return archive.place
    return replace(archive.place, size_bytes=archive.folder.taken_bytes())


def _verified(archive: ReadArchive) -> dict[str, Verified]:
    return {} if archive.folder is None else dict(verifications(archive.folder.path))


def _in_archive(folder: str, run: StoredRun, verified: Verified | None) -> RunInArchive:
    index = run.archive
    made = RunInArchive(
        archive=folder,
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
