"""The state of an archive, for reports: what is in it, and whether more can be put into it."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from dockersweep.archive.folder import open_archive, problem_of
from dockersweep.archive.paths import cannot
from dockersweep.archive.retention import StoredRun
from dockersweep.archive.room import disk_space, min_free_bytes, nearest_folder
from dockersweep.archive.verification import Verified, verifications
from dockersweep.errors import ArchiveError
from dockersweep.files import is_there
from dockersweep.model.policy import ArchiveSettings
from dockersweep.model.report import ArchiveState


def state_of_archive(path: str, settings: ArchiveSettings | None) -> ArchiveState | None:
    """Return the state of the archive in a folder, which may not be there yet; `settings` is None where nothing more is
    put into it. Return None where there is neither."""
    try:
        if is_there(path):
            state = _read(path)
        elif settings is None:
            return None
        else:
            state = ArchiveState(folder=path, size_bytes=0)
        return state if settings is None else _limited(state, path, settings)
    except ArchiveError as error:
        return ArchiveState(folder=path, problem=str(error))
    except OSError as error:
        return ArchiveState(folder=path, problem=str(cannot("read", path, error)))


def _read(path: str) -> ArchiveState:
    folder = open_archive(path, make=False)
    runs = folder.runs()
    begun = [run.archive.begun_at for run in runs if run.archive is not None]
    until = [run.archive.until for run in runs if run.archive is not None]
    verified = verifications(folder.path)
    at = [verified[run.name].at for run in runs if run.name in verified]
    return ArchiveState(
        folder=folder.path,
        objects=sum(len(run.archive.objects) for run in runs if run.archive is not None),
        size_bytes=sum(run.size_bytes for run in runs),
        oldest_at=min(begun, default=None),
        newest_at=max(begun, default=None),
        runs=len(runs),
        until_first=min(until, default=None),
        until_last=max(until, default=None),
        verified_at=min(at, default=None),
        unverified_runs=len(runs) - len(at),
        damaged=tuple(_damaged(verified, runs)),
    )


def _damaged(verified: Mapping[str, Verified], runs: Sequence[StoredRun]) -> Iterator[str]:
    for run in runs:
        if run.problem is not None:
            yield run.problem
        elif run.name in verified:
            yield from (problem.text for problem in verified[run.name].damaged)


def _limited(state: ArchiveState, path: str, settings: ArchiveSettings) -> ArchiveState:
    """Return the state with the limits of the policy, and what is free on its disk."""
    disk = disk_space(nearest_folder(path))
    return replace(
        state,
        problem=problem_of(path),
        max_bytes=None if settings.max_size is None else settings.max_size.size_bytes,
        free_bytes=disk.free_bytes,
        min_free_bytes=min_free_bytes(settings.min_free, disk.total_bytes),
    )
