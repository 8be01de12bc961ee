"""The archives that removed objects may be in, and what is in them of one engine."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from dockersweep.archive.folder import open_archive, open_named
from dockersweep.archive.run_reader import RunReader
from dockersweep.errors import ArchiveError
from dockersweep.files import is_there, what_is_wrong
from dockersweep.model.archive import Archive, ArchivedObject
from dockersweep.model.history import ArchivedRow
from dockersweep.model.inventory import Engine, Kind, ScanWarning
from dockersweep.model.naming import engine_identity, former_identity
from dockersweep.model.restoring import Removed
from dockersweep.words.lists import both


class Place(NamedTuple):
    """An object in an archive."""

    folder: str
    """The folder of the archive, without links."""
    run: str
    """The folder of the run in it."""
    kind: Kind
    id: str


class FoundObject(Struct, frozen=True):
    """An object in an archive, and the run that put it there."""

    archive: Archive
    archived: ArchivedObject
    folder: str
    """The folder of the run, absolute."""


class Archives:
    """The archives of one run of `restore`, which gives what is in them. Use it as a context: until its end nobody
    deletes a run that was read from."""

    def __init__(self, engine: Engine) -> None:
        """`engine` is the one whose objects are looked for."""
        self._identities = {engine_identity(engine), former_identity(engine)}
        self._stack = ExitStack()
        self._readers: dict[str, RunReader] = {}
        self.found: dict[Place, FoundObject] = {}
        self._of_runs: defaultdict[tuple[int | None, Kind, str], list[FoundObject]] = defaultdict(list)
        """The same by the number of the run, kind and id."""
        self.tried: list[str] = []
        """The folders that were looked into, in this order."""
        self.of_others: set[str] = set()
        """The other engines that have runs there: the names of their hosts, or where they were reached."""
        self.problems: dict[str, str] = {}
        """Why an archive, or a run in one, cannot be read, by its folder."""

    def __enter__(self) -> "Archives":
        """Close everything at the end."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Close what was opened."""
        self._stack.close()

    @property
    def warnings(self) -> tuple[ScanWarning, ...]:
        """What could not be read, for people."""
        return tuple(ScanWarning(about="archive", text=text) for text in self.problems.values())

    def look_into(self, folder: str, *, must_be_there: bool, is_named: bool = False) -> None:
        """Find the objects of the engine in an archive, once; what cannot be read is in `problems`.

        `is_named` says that a person named the folder.
        """
        folder = os.path.realpath(folder)
        if folder in self.tried:
            return
        try:
            if not must_be_there and not is_there(folder):
                return
            self.tried.append(folder)
            archive = open_named(folder) if is_named else open_archive(folder, make=False)
            names = archive.run_names()
        except (ArchiveError, OSError) as error:
            self.problems[folder] = what_is_wrong(error)
            return
        for name in names:
            try:
                with archive.open_run(name) as run:
                    engine = run.archive.engine
                    if engine_identity(engine) in self._identities:
                        self._note(folder, name, run)
                    else:
                        self.of_others.add(engine.name or engine.endpoint)
            except ArchiveError as error:
                self.problems[f"{folder}/{name}"] = str(error)

    def _note(self, folder: str, name: str, run: RunReader) -> None:
        for archived in run.objects:
            place = Place(folder, name, archived.kind, archived.id)
            former = self.found.get(place)
            # Of what a run has archived twice the last is what it removed.
            if former is None or former.archived.archived_at <= archived.archived_at:
                found = self.found[place] = FoundObject(run.archive, archived, f"{folder}/{name}")
                self._of_runs[run.archive.run, archived.kind, archived.id].append(found)

    def find(self, run: int, row: ArchivedRow) -> FoundObject | None:
        """Return what a run has archived of an object that it removed, in the first folder that has it; None where none
        of those that were looked into does. An archive may have been moved or copied since, and a run in it renamed."""
        for folder in self.tried:
            found = self.found.get(Place(folder, row.path, row.kind, row.id))
            if found is not None:
                return found
        # Another ledger may have a run of this number, too, that removed a volume of this name.
        for found in self._of_runs.get((run, row.kind, row.id), ()):
            if abs(found.archived.archived_at - row.archived_at) < timedelta(seconds=1):
                return found
        return None

    def why_not(self, row: ArchivedRow) -> str:
        """Return why what the ledger says was archived cannot be had, for people."""
        for folder in self.tried:
            problem = self.problems.get(f"{folder}/{row.path}")
            if problem is not None:
                return problem
        problem = self.problems.get(os.path.realpath(row.folder))
        if len(self.tried) > 1:
            return f"no archive has it: {both(self.tried)} were looked into"
        return problem or f"the archive {row.folder} does not have it any more"

    # What restoring asks for.

    def document(self, removed: Removed) -> dict[str, Any]:
        """Return the engine's own document about a removed object; raises ArchiveError."""
        if removed.document is not None and removed.archived is None:
            kept = removed.document.content
            return kept.whole() if isinstance(kept, LazyDocument) else dict(kept)
        content = self._reader(removed).inspect_of(_archived(removed))
        return read_json(content, f"{removed.folder}: the document about {removed.kind} {removed.name}")

    def files(self, removed: Removed) -> Iterator[bytes] | None:
        """Return the tar of what a volume held, or a container had written; None where there is none."""
        return None if removed.archived is None else self._reader(removed).tar_of(removed.archived)

    def unpack(self, removed: Removed, folder: str) -> list[str]:
        """Put the files of a volume into an empty folder; return the paths that are not as they were archived."""
        return self._reader(removed).unpack(_archived(removed), folder)

    def image(self, removed: Removed) -> Iterator[bytes]:
        """Return the tar of an image, without tags."""
        return self._reader(removed).image_tar(_archived(removed), with_tags=False)

    def _reader(self, removed: Removed) -> RunReader:
        folder = removed.folder
        if folder is None:
            raise ArchiveError(f"the archive has no {removed.kind} {removed.name}")
        if folder not in self._readers:
            archive = open_archive(os.path.dirname(folder), make=False)
            self._readers[folder] = self._stack.enter_context(archive.open_run(os.path.basename(folder)))
        return self._readers[folder]


def read_json(content: bytes, where: str) -> dict[str, Any]:
    """Return a document of an engine that was kept; raises ArchiveError where it is none."""
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArchiveError(f"{where} is damaged: {error}") from None


class LazyDocument(Mapping[str, Any]):
    """A document that is read when somebody looks into it; empty where it is damaged, which making the object then
    tells."""

    def __init__(self, read: Callable[[], dict[str, Any]]) -> None:
        """`read` raises ArchiveError where it is damaged."""
        self.whole = read
        self._content: dict[str, Any] | None = None

    def _read(self) -> dict[str, Any]:
        if self._content is None:
            try:
                self._content = self.whole()
            except ArchiveError:
                self._content = {}
        return self._content

    def __getitem__(self, key: str) -> Any:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def _archived(removed: Removed) -> ArchivedObject:
    if removed.archived is None:
        raise ArchiveError(f"the archive has no {removed.kind} {removed.name}")
    return removed.archived
