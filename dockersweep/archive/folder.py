"""The folder of the archive: whether it may be trusted, its lock, its runs."""

import os
import secrets
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime

from dockersweep import __version__
from dockersweep.archive.deleting import tidy
from dockersweep.archive.lock import LOCK, locked, was_begun
from dockersweep.archive.paths import INDEX, cannot, is_run_name, make_folder, run_name, sync_folder
from dockersweep.archive.retention import Deletion, StoredRun, delete, prune, run_names, stored_runs
from dockersweep.archive.room import Room, nearest_folder
from dockersweep.archive.run_reader import RunReader
from dockersweep.archive.run_writer import RunWriter
from dockersweep.archive.sizes import taken_by
from dockersweep.errors import ArchiveError
from dockersweep.files import is_folder, is_there, is_writable_by_others, lets_others_in, state_of
from dockersweep.model.archive import Archive
from dockersweep.model.inventory import Engine
from dockersweep.model.policy import ArchiveSettings


class ArchiveFolder:
    """An archive that is there and may be trusted. Use `open_archive`."""

    def __init__(self, path: str) -> None:
        """`path` is absolute and has no links."""
        self.path = path

    def begin(
        self,
        engine: Engine,
        run: int | None,
        begun_at: datetime,
        settings: ArchiveSettings,
        interrupt: Callable[[], None] = lambda: None,
    ) -> RunWriter:
        """Make the folder of a run; `run` is its number in the ledger. Use it as a context. `interrupt` is called now
        and then while an object is written: what it raises ends that, and nothing is left of the object.

        Raises ArchiveError where it cannot be written.
        """
        index = Archive(
            schema="dockersweep.archive/1", engine=engine, run=run, version=__version__, begun_at=begun_at,
            until=settings.keep_for.after(begun_at), objects=(),
        )  # fmt: skip
        with locked(self.path):
            try:
                path = self._new_run(begun_at, run)
                return RunWriter(path, index, Room(self.path, os.path.basename(path), settings, interrupt))
            except OSError as error:
                raise cannot("written", self.path, error) from None

    def _new_run(self, begun_at: datetime, run: int | None) -> str:
        """Make a folder that no run has yet: several ledgers may use one archive."""
        end = secrets.token_hex(4) if run is None else str(run)
        path = f"{self.path}/{run_name(begun_at, end)}"
        while True:
            try:
                os.mkdir(path, 0o700)
                sync_folder(self.path)
                return path
            except FileExistsError:
                path = f"{self.path}/{run_name(begun_at, secrets.token_hex(4))}"

    def open_run(self, name: str) -> RunReader:
        """Return the run of a folder, to read. Use it as a context. Raises ArchiveError where it is not there, cannot
        be read, or is being written."""
        if not is_run_name(name):
            raise ArchiveError(f"{name!r} is not the name of a run in the archive {self.path}: see `archive list`")
        return RunReader(f"{self.path}/{name}")

    def runs(self) -> tuple[StoredRun, ...]:
        """Return all runs, the oldest first, also those that cannot be read. Raises ArchiveError."""
        return stored_runs(self.path)

    def run_names(self) -> tuple[str, ...]:
        """Return the names of the folders of all runs, the oldest first. Raises ArchiveError."""
        return run_names(self.path)

    def taken_bytes(self) -> int:
        """Return what it takes of the disk. Raises ArchiveError."""
        try:
            return taken_by(self.path)
        except OSError as error:
            raise cannot("read", self.path, error) from None

    def prune(self, now: datetime, max_bytes: int | None) -> tuple[Deletion, ...]:
        """Delete what retention deletes, and what killed runs left half done. Raises ArchiveError."""
        return prune(self.path, now, max_bytes)

    def tidy(self) -> None:
        """Delete what killed runs left half done. Raises ArchiveError."""
        if was_begun(self.path):
            with locked(self.path):
                tidy(self.path)

    def delete(self, runs: Sequence[StoredRun]) -> Iterator[Deletion]:
        """Delete runs, whatever retention says; yield what became of each. Raises ArchiveError."""
        return delete(self.path, runs)


def open_archive(path: str, *, make: bool = True) -> ArchiveFolder:
    """Return the archive in a folder, which is made if it is not there, unless `make` is False.

    Raises ArchiveError where it cannot be read, and as root where others can change what is in it.
    """
    path = os.path.realpath(path)
    try:
        if make:
            _make(path)
        if not is_folder(path):
            raise ArchiveError(f"there is no archive at {path}: if it was moved, name its folder with --archive")
        if os.geteuid() == 0:
            _check_trust(path, path)
    except OSError as error:
        raise cannot("read", path, error) from None
    return ArchiveFolder(path)


def open_named(path: str) -> ArchiveFolder:
    """Return the archive in a folder that a person named.

    Raises ArchiveError as `open_archive` does, and where it is no archive but a run in one.
    """
    path = os.path.realpath(path)
    try:
        if not is_folder(path):
            raise ArchiveError(
                f"there is no archive at {path}: --archive takes the directory that has one for each run in it"
            )
        if state_of(f"{path}/{INDEX}") is not None:
            raise ArchiveError(f"{path} is one run of an archive: --archive {os.path.dirname(path)} names all of it")
    except OSError as error:
        raise cannot("read", path, error) from None
    return open_archive(path, make=False)


def problem_of(path: str) -> str | None:
    """Return why no archive can be made or written in a folder; None where one can, as far as can be seen without
    writing."""
    path = os.path.realpath(path)
    try:
        place = nearest_folder(path)
        if not is_folder(place):
            return f"{place} is not a directory"
        if os.geteuid() == 0:
            _check_trust(place, path)
        if not os.access(place, os.W_OK | os.X_OK):
            return f"{place} cannot be written by this user"
    except ArchiveError as error:
        return str(error)
    except OSError as error:
        return str(cannot("read", path, error))
    return None


def what_is_missing(path: str, runs: Collection[str]) -> str | None:
    """Return that the folder of an archive has nothing of one, though these runs have to be there: then its disk is not
    mounted, most likely. None where that is not so, or cannot be seen."""
    path = os.path.realpath(path)
    try:
        if not runs or any(is_there(f"{path}/{name}") for name in (LOCK, *runs)):
            return None
    except OSError:
        return None
    here = shlex.quote(path)
    kept = "a run" if len(runs) == 1 else f"{len(runs)} runs"
    return (
        f"{path} has nothing of the archive that keeps {kept}: mount its disk; where it is lost, begin a new one with "
        f"mkdir -p {here} && touch {here}/{LOCK}"
    )


def _make(path: str) -> None:
    if state_of(path) is None:
        _make(os.path.dirname(path))
        make_folder(path)


def _check_trust(place: str, path: str) -> None:
    """Raise ArchiveError where others than root can write `place`, the folder of the archive at `path` or one above
    it, or a folder above that."""
    danger = "who could change what is restored as root"
    while True:
        state = os.stat(place)
        if state.st_uid != 0:
            raise ArchiveError(
                f"the archive {path} is refused: {place} belongs to the user {state.st_uid}, {danger}; "
                f"if it is right: chown root {place}"
            )
        # In one like /tmp others can make runs of their own, but not take its place.
        if lets_others_in(state) if place == path else is_writable_by_others(state):
            raise ArchiveError(
                f"the archive {path} is refused: {place} can be written by others than root, {danger}; "
                f"if it is right: chmod go-w {place}"
            )
        if place == "/":
            return
        place = os.path.dirname(place)
