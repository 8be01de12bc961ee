"""The archive of a run: opened when the first object goes into it, and finished at the end."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dockersweep.archive.folder import open_archive
from dockersweep.archive.retention import StoredRun, early_deletion
from dockersweep.commands.archive_folder import archive_folder
from dockersweep.commands.running.archive_writing import ArchiveWriting
from dockersweep.commands.running.records import Records
from dockersweep.engine.removing.removal import InterruptedArchivingError, WayBack
from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.errors import ArchiveError, NoRoomError, NotArchivedError, RefusedError
from dockersweep.files import is_there, what_is_wrong
from dockersweep.model.archive import ArchivedObject
from dockersweep.model.history import ArchivedRow
from dockersweep.model.inventory import Object, ObjectRef, ScanWarning
from dockersweep.model.outcome import Archived, OutcomeDocument
from dockersweep.model.plan import Plan, Removal
from dockersweep.model.policy import ArchiveSettings
from dockersweep.model.recovery import COMPLETE, Recovery
from dockersweep.policy.judging.recovery import has_data
from dockersweep.policy.judging.survey import Survey
from dockersweep.words.lists import both
from dockersweep.words.recovery import deleted_early_text

if TYPE_CHECKING:
    from dockersweep.engine.api.client import Client

MOST_AT_ONCE = 4
MOST_LARGE_AT_ONCE = 2
"""Of large objects, for each of which zstd has threads of its own."""
LARGE_BYTES = 16_000_000
ABOUT = "archive"


class RunArchive:
    """The archive of a run. Several threads may call `archive` at once."""

    def __init__(
        self,
        client: "Client",
        settings: ArchiveSettings,
        records: Records,
        place: str,
        stop: StopRequest,
        goes_without: Callable[[ObjectRef], bool],
    ) -> None:
        """`place` tells where runs share the engine's lock with this one; `goes_without` whether an object for which
        the archive has no room is removed all the same."""
        self._client = client
        self._settings = settings
        self._records = records
        self._place = place
        self._stop = stop
        self._goes_without = goes_without
        self._folder = archive_folder(settings)
        self._writing: ArchiveWriting | None = None
        self._survey: Survey | None = None
        self._on_engine_disk: bool | None = None
        self._ways_back: dict[ObjectRef, WayBack | str] = {}
        """What became of each object: a text says why it is not in the archive."""
        self._counted: set[str] = set()
        """The files that are counted: images share some."""
        self._counting = Lock()
        self._turns = BoundedSemaphore(MOST_AT_ONCE)
        self._alone = Lock()
        self._in_hand = 0
        self._turns_of_large = BoundedSemaphore(MOST_LARGE_AT_ONCE)

    def prepare(self, plan: Plan, survey: Survey) -> None:
        """Make ready for a plan; opens the archive if the plan needs it. Raises ArchiveError, and RefusedError where
        nothing of the archive is there, though runs are kept in it."""
        self._survey = survey
        # What was archived in an earlier round and stayed may have been used since. An image is what its id says.
        self._ways_back = {ref: way_back for ref, way_back in self._ways_back.items() if ref.kind == "image"}
        if plan.archive is not None:
            self._on_engine_disk = plan.archive.on_engine_disk
        needed = any(removal.recovery is not None and removal.recovery.asks_archive for removal in plan.removals)
        if needed and survey.archive is not None and survey.archive.problem is not None:
            if survey.archive.is_missing:
                raise RefusedError(survey.archive.problem)
            raise ArchiveError(f"nothing can be archived, so nothing is removed: {survey.archive.problem}")
        if needed and self._writing is None:
            self._writing = ArchiveWriting(
                self._client,
                survey.inventory,
                self._records.run.number,
                self._folder,
                self._settings,
                self._place,
                self._interrupt,
            )

    def archive(self, removal: Removal) -> WayBack:
        """Archive an object, as `removal.Archiver` asks for."""
        known: WayBack | str | None = self._ways_back.get(removal.ref)
        if known is None:
            try:
                known = self._archive(removal)
            except NotArchivedError as error:
                # Its frames hold all that was reading and writing.
                known = str(error)
            self._ways_back[removal.ref] = known
        if isinstance(known, str):
            raise NotArchivedError(known)
        return known

    def _archive(self, removal: Removal) -> WayBack:
        writing, survey = self._writing, self._survey
        item = None if survey is None else survey.objects.get(removal.ref)
        if writing is None or survey is None or item is None:
            raise NotArchivedError("it is not in the last scan")
        size_bytes = survey.size_of(item)
        try:
            archived = self._in_turn(writing, item, size_bytes)
        except NoRoomError as error:
            if self._goes_without(removal.ref):
                return WayBack(Recovery(how="none", text=str(error), without_data=not has_data(item)), None)
            raise
        return self._recorded(archived, writing)

    def _in_turn(self, writing: ArchiveWriting, item: Object, size_bytes: int | None) -> ArchivedObject:
        """Archive an object beside a few others; without room once more alone: half of another one may have taken it.

        Raises NotArchivedError.
        """
        with ExitStack() as turns:
            if size_bytes is None or size_bytes > LARGE_BYTES:
                turns.enter_context(self._turns_of_large)
            turns.enter_context(self._turns)
            in_hand = self._count(begun=1)
            try:
                self._interrupt()
                return writing.archived(item, size_bytes)
            except NoRoomError:
                if self._count() == in_hand == 1:
                    raise
            finally:
                self._count(begun=-1)
        with self._alone, ExitStack() as turns:
            for _ in range(MOST_AT_ONCE):
                turns.enter_context(self._turns)
            self._interrupt()
            return writing.archived(item, size_bytes)

    def _count(self, begun: int = 0) -> int:
        """Count an object that is begun, or with -1 ended; return how many are in hand."""
        with self._counting:
            self._in_hand += begun
            return self._in_hand

    def _recorded(self, archived: ArchivedObject, writing: ArchiveWriting) -> WayBack:
        """Record where an object is; return its way back."""
        with self._counting:
            new = [file for file in archived.files if file.path not in self._counted]
            self._counted.update(file.path for file in new)
        archived_bytes = sum(file.size_bytes for file in new)
        self._records.archived(
            ArchivedRow(
                kind=archived.kind,
                id=archived.id,
                name=archived.name,
                folder=writing.folder,
                path=writing.name,
                size_bytes=archived_bytes,
                archived_at=archived.archived_at,
                until=writing.until,
            )
        )
        text = f"without {both(archived.not_kept)}" if archived.not_kept else COMPLETE
        return WayBack(Recovery(how="archive", text=text, until=writing.until), archived_bytes)

    def _interrupt(self) -> None:
        if self._stop.is_set():
            raise InterruptedArchivingError

    def close(self) -> None:
        """Finish it, if that was not done."""
        if self._writing is not None:
            self._writing.close()

    def ended(self, document: OutcomeDocument) -> OutcomeDocument:
        """Finish it, and delete what its time is over for; return the outcome of the run with what is archived, and a
        warning of each problem."""
        problems = [] if self._writing is None else self._writing.close()
        deletions = self._pruned(problems)
        now = datetime.now(UTC)
        early = tuple(one for run in deletions if (one := early_deletion(run, now)) is not None)
        warnings = [ScanWarning(about=ABOUT, text=text) for text in problems]
        if early:
            self._records.deleted_early(os.path.realpath(self._folder), early)
            warnings.append(ScanWarning(about=ABOUT, text=deleted_early_text(early), is_problem=False))
        return replace(
            document, archived=self._archived(), deleted_early=early, warnings=(*document.warnings, *warnings)
        )

    def _archived(self) -> Archived | None:
        writing = self._writing
        if writing is None or not writing.objects:
            return None
        sizes = {file.path: file.size_bytes for archived in writing.objects for file in archived.files}
        return Archived(
            folder=writing.folder,
            objects=len(writing.objects),
            archived_bytes=sum(sizes.values()),
            until=writing.until,
            on_engine_disk=self._on_engine_disk,
        )

    def _pruned(self, problems: list[str]) -> list[StoredRun]:
        """Delete from the archive what retention deletes, and add what went wrong to the problems; return what was
        deleted, also to make room."""
        deleted = [] if self._writing is None else list(self._writing.deleted)
        max_size = self._settings.max_size
        try:
            if not is_there(self._folder):
                return deleted
            archive = open_archive(self._folder, make=False)
            deletions = archive.prune(datetime.now(UTC), None if max_size is None else max_size.size_bytes)
        except (ArchiveError, OSError) as error:
            problems.append(what_is_wrong(error))
            return deleted
        problems += [f"{one.run.name} is still in it: {one.problem}" for one in deletions if one.problem]
        return [*deleted, *(one.run for one in deletions if not one.problem)]
