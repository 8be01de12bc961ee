"""The ledger as a run uses it: it never stops the run, unless it is required."""

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from msgspec.structs import replace

from dockersweep.errors import LedgerError
from dockersweep.ledger import (
    arrivals,
    declared_files,
    objects,
    past_runs,
    registry_answers,
    runs,
    sizes,
    uses,
)
from dockersweep.ledger.opening import FAULTS, LedgerFile, NewerError, is_damage, words_of
from dockersweep.ledger.rows import instant, seconds
from dockersweep.ledger.runs import RunRecord
from dockersweep.ledger.transaction import transaction
from dockersweep.model.attempt import Attempt
from dockersweep.model.event_reading import EngineEvent, EventPosition, NoticedUses
from dockersweep.model.history import ArchivedRow, Life, PastRun, RunStart, ShareSize, UnfinishedRun
from dockersweep.model.inventory import KINDS, Engine, Inventory, Kind, Mark, ObjectRef, ScanWarning
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Removal
from dockersweep.model.registry import RegistryAnswer, RegistryQuestion
from dockersweep.model.report import TrendPoint
from dockersweep.model.storage import SizeBase

if TYPE_CHECKING:
    from dockersweep.model.last_use import Span
    from dockersweep.model.restoring import RemovedRow, RunOfEngine

Value = TypeVar("Value")


class Ledger:
    """One connection to the ledger. Safe for several threads.

    If the file cannot be used, or no longer, `problem` says so, reads return that nothing is known, and writes do
    nothing. A required ledger raises LedgerError instead, then and at every later call.
    """

    def __init__(self, folder: Path | None, required: bool = False) -> None:
        """Open the ledger in a folder, creating both where missing; None is to use no ledger at all."""
        self.problem: str | None = None
        """Why it cannot be used, one sentence with its path; None while all is well."""
        self._file = None if folder is None else LedgerFile(folder)
        self._required = required
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._own_runs: set[int] = set()
        if self._file is not None:
            try:
                self._database = self._file.open()
            except FAULTS as error:
                self._fail(error.with_traceback(None))

    @property
    def is_used(self) -> bool:
        """Whether the file is open; if not, nothing is known and nothing is written."""
        return self._database is not None

    @property
    def is_replaced(self) -> bool:
        """Whether another file, or none, is where the one was that was opened: what was written is not in there."""
        return self._file is not None and self._file.is_replaced()

    @property
    def has_begun(self) -> bool:
        """Whether a run of this process is written down."""
        return bool(self._own_runs)

    def close(self) -> None:
        """Close the file; from now on nothing is known and nothing is written."""
        with self._lock:
            database, self._database = self._database, None
            if database is not None:
                # Committed data is in the WAL already, whether or not the checkpoint succeeds.
                with suppress(sqlite3.Error):
                    database.close()

    def __enter__(self) -> Self:
        """Close it at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def is_known(self, engine: Engine) -> bool:
        """Return whether a person has looked at this engine before."""

        def ask(database: sqlite3.Connection) -> bool:
            number = objects.known_engine(database, engine)
            row = database.execute("SELECT looked_at IS NOT NULL FROM engines WHERE number = ?", (number,)).fetchone()
            return bool(row == (1,))

        return self._do(ask, False)

    def looked_at(self, engine: Engine, now: datetime) -> None:
        """Record that a person has looked at the engine, which makes it known."""

        def write(database: sqlite3.Connection) -> None:
            number = objects.engine_number(database, engine)
            database.execute("UPDATE engines SET looked_at = ? WHERE number = ?", (seconds(now), number))

        self._write(write)

    def scheduled_at(self, engine: Engine) -> datetime | None:
        """Return when a watcher carried out the rules of an engine by its schedule last; None for never."""

        def ask(database: sqlite3.Connection) -> datetime | None:
            number = objects.known_engine(database, engine)
            row = database.execute("SELECT scheduled_at FROM watchers WHERE engine = ?", (number,)).fetchone()
            return None if row is None or row[0] is None else instant(row[0])

        return self._do(ask, None)

    def keep_scheduled(self, engine: Engine, at: datetime) -> None:
        """Record when a watcher carried out the rules of an engine."""

        def write(database: sqlite3.Connection) -> None:
            row = (objects.engine_number(database, engine), seconds(at))
            database.execute("INSERT OR REPLACE INTO watchers (engine, scheduled_at) VALUES (?, ?)", row)

        self._write(write)

    def known_at(self, endpoint: str, identity: str) -> tuple[str, str | None] | None:
        """Return identity and name of the engine at an endpoint that a person looked at last; None for none. Of several
        within one second it is that of `identity`."""

        def ask(database: sqlite3.Connection) -> tuple[str, str | None] | None:
            row: tuple[str, str | None] | None = database.execute(
                "SELECT identity, name FROM engines WHERE endpoint = ? AND looked_at IS NOT NULL "
                "ORDER BY looked_at DESC, identity = ? DESC LIMIT 1",
                (endpoint, identity),
            ).fetchone()
            return row

        return self._do(ask, None)

    def layers(self, engine: Engine) -> dict[str, bytes]:
        """Return what `keep_layers` kept of an engine."""
        return self._do(lambda database: objects.layers_of(database, objects.known_engine(database, engine) or 0), {})

    def keep_layers(self, engine: Engine, layers: Mapping[str, bytes]) -> None:
        """Keep what never changes about an engine's layers. Replaces what is kept under ids with the same prefix (up to
        the first colon): a scan yields layers or images, not both."""
        self._write(lambda database: objects.update_layers(database, objects.engine_number(database, engine), layers))

    def event_position(self, engine: Engine) -> EventPosition | None:
        """Return how far the events of an engine were last read; None where they never were."""
        return self._do(lambda database: uses.position_of(database, objects.known_engine(database, engine) or 0), None)

    def pending_events(self, engine: Engine) -> tuple[EngineEvent, ...]:
        """Return the events that a watcher recorded, and of which `update_objects` has not made uses yet."""
        return self._do(lambda database: uses.pending_of(database, objects.known_engine(database, engine) or 0), ())

    def record_events(
        self,
        engine: Engine,
        events: Iterable[EngineEvent],
        position: EventPosition | None = None,
        spans: "Iterable[Span]" = (),
        now: datetime | None = None,
    ) -> int:
        """Record what a watcher received, in one transaction: events, how far they were read, and in which spans a use
        would have been noticed; return how many events are pending. `now` is the engine's clock, where it was read."""
        # Imported late: only a watcher writes events.
        from dockersweep.ledger.recorded_events import record_events

        def write(database: sqlite3.Connection) -> int:
            with transaction(database):
                number = objects.engine_number(database, engine)
                return record_events(database, number, events, position, spans, now)

        return self._do(write, 0)

    def update_objects(
        self,
        inventory: Inventory,
        used: Collection[ObjectRef],
        now: datetime,
        writes: bool = True,
        noticed: NoticedUses | None = None,
    ) -> Inventory:
        """Record which objects are there, and return the inventory with what the ledger knows about them.

        `used` are the objects that something holds, `noticed` the uses that events reported since `event_position`, and
        `pending_events`, which are then no longer pending.
        Without `writes` the file stays as it is: a `now` that somebody chose must not be written. An object that was
        gone starts a new life when it comes back. If the ledger cannot be used, the inventory gets a warning. This does
        not make the engine known.
        """

        def update(database: sqlite3.Connection) -> Inventory:
            # Without writes it is rolled back, so that both ways answer the same.
            with transaction(database, writes):
                engine = objects.engine_number(database, inventory.engine)
                return objects.update_objects(database, engine, inventory, used, seconds(now), noticed)

        return self._with_problem(self._do(update, replace(inventory, marks=None)))

    def _with_problem(self, inventory: Inventory) -> Inventory:
        if self.problem is None:
            return inventory
        warning = ScanWarning(about="ledger", text=f"{self.problem}; what was first seen when is not known")
        return replace(inventory, warnings=(*inventory.warnings, warning))

    def freed(self, engine: Engine, refs: Collection[ObjectRef], now: datetime) -> None:
        """Record that objects became unused because their holders were removed.

        Their ages then count from `now`, not from the next scan.
        """

        def write(database: sqlite3.Connection) -> None:
            objects.freed(database, objects.engine_number(database, engine), refs, seconds(now))

        self._write(write)

    def mark(
        self,
        engine: Engine,
        candidates: Collection[Mark],
        terms: Collection[tuple[str, str]],
        now: datetime,
        kinds: Collection[Kind] = KINDS,
    ) -> None:
        """Leave exactly these candidates marked for the given rules and kinds.

        `terms` are the policy's rules with `marked_for`, as (rule, terms). A candidate that is marked already keeps its
        earlier instant; marks for other rules, terms and kinds stay.
        """
        self._write(
            lambda database: objects.update_marks(
                database, objects.engine_number(database, engine), candidates, terms, kinds, seconds(now)
            )
        )

    def keep_sizes(self, shares: Collection[ShareSize], engine: Engine, at: datetime) -> None:
        """Record the size of each share at an instant, and thin out earlier sizes."""
        self._write(
            lambda database: sizes.keep_sizes(database, objects.engine_number(database, engine), shares, seconds(at))
        )

    def sizes(self, engine: Engine, base: SizeBase) -> tuple[TrendPoint, ...]:
        """Return the sizes that earlier scans counted in this base, the oldest first."""
        return self._do(
            lambda database: sizes.points_of(database, objects.known_engine(database, engine) or 0, base), ()
        )

    def registry_answers(
        self, engine: Engine, questions: Collection[RegistryQuestion], now: datetime
    ) -> Mapping[str, RegistryAnswer]:
        """Return the registries' answers to exactly these questions that are recent enough to count, by image."""
        return self._do(
            lambda database: registry_answers.answers_to(
                database, objects.known_engine(database, engine) or 0, questions, seconds(now)
            ),
            {},
        )

    def former_tags(self, engine: Engine) -> Mapping[str, tuple[str, ...]]:
        """Return the former tags of images that have none now, by image."""
        return self._do(
            lambda database: registry_answers.former_tags(database, objects.known_engine(database, engine) or 0), {}
        )

    def keep_registry_answers(
        self, engine: Engine, answers: Mapping[RegistryQuestion, RegistryAnswer], now: datetime
    ) -> None:
        """Keep the registries' answers, and delete those too old to count."""
        self._write(
            lambda database: registry_answers.keep_answers(
                database, objects.engine_number(database, engine), answers, seconds(now)
            )
        )

    def dangling_since(self, engine: Engine, since: datetime) -> tuple[Life, ...]:
        """Return the lives, begun at or after `since`, of images that have no tag, or had none when last seen."""
        return self._do(
            lambda database: tuple(
                arrivals.dangling_since(database, objects.known_engine(database, engine) or 0, seconds(since))
            ),
            (),
        )

    def last_run(self, engine: Engine) -> tuple[PastRun | None, int | None]:
        """Return the latest run of an engine, and the bytes that all its runs freed; None where unknown."""
        nothing: tuple[PastRun | None, int | None] = (None, None)
        return self._do(
            lambda database: past_runs.last_run(database, objects.known_engine(database, engine) or 0), nothing
        )

    def unfinished(self, engine: Engine) -> tuple[UnfinishedRun, ...]:
        """Return the runs of an engine that have a start and no end, without those of this process.

        Hold the engine's lock: otherwise a run still in progress would be among them.
        """
        return self._do(
            lambda database: runs.unfinished(database, objects.known_engine(database, engine) or 0, self._own_runs), ()
        )

    def settle(self, run: int, outcomes: Collection[Outcome]) -> None:
        """Mark a run as "did not end", with the outcomes of the removals it had sent."""
        self._do(lambda database: runs.settle(database, run, outcomes), None)

    def failed_before(self, engine: Engine, removals: Sequence[Removal]) -> Mapping[Attempt, tuple[int, datetime]]:
        """Return in how many runs in a row each removal has failed, and since when.

        By kind, id, action and name. Left out: removals that did not fail in the last run that tried them.
        """
        return self._do(
            lambda database: runs.failed_before(database, objects.known_engine(database, engine) or 0, removals), {}
        )

    def begin(self, start: RunStart) -> RunRecord:
        """Record that a run begins; return its record, which does nothing if the ledger is not used."""
        number = self._do(lambda database: runs.begin(database, start), None)
        if number is not None:
            self._own_runs.add(number)
        return RunRecord(number, self._do)

    def archived(self, engine: Engine) -> Mapping[tuple[int, Kind, str], ArchivedRow]:
        """Return where the archives of removed objects of an engine are, by run, kind and id."""
        # Imported late, here and below: only `restore` asks.
        from dockersweep.ledger.archived import archived_of

        return self._do(lambda database: archived_of(database, objects.known_engine(database, engine) or 0), {})

    def runs_in_archive(self, folder: str, now: datetime) -> frozenset[str]:
        """Return the folders of the runs that are still to be kept in the archive in a folder."""
        from dockersweep.ledger.archived import runs_in

        return self._do(lambda database: runs_in(database, folder, now), frozenset())

    def archive_folders(self) -> tuple[str, ...]:
        """Return the folders of all archives that runs have put something into, whatever became of them."""
        statement = "SELECT DISTINCT folder FROM archived ORDER BY folder"
        return self._do(lambda database: tuple(path for (path,) in database.execute(statement)), ())

    def definitions(self, engine: Engine) -> frozenset[tuple[int, Kind, str]]:
        """Return of which removed objects of an engine `RunRecord.definition` kept the inspect documents, by run, kind
        and id."""
        from dockersweep.ledger.archived import definitions_of

        return self._do(
            lambda database: definitions_of(database, objects.known_engine(database, engine) or 0), frozenset()
        )

    def definition(self, run: int, kind: Kind, object_id: str) -> bytes | None:
        """Return one of these documents; None where it is not kept."""
        from dockersweep.ledger.archived import definition_of

        return self._do(lambda database: definition_of(database, run, kind, object_id), None)

    def removed_from(self, engine: Engine) -> "tuple[RemovedRow, ...]":
        """Return everything that runs removed from an engine, but build-cache records, the oldest first."""
        from dockersweep.ledger.restorable import removed_from

        return self._do(lambda database: removed_from(database, objects.known_engine(database, engine) or 0), ())

    def half_restored(self, engine: Engine) -> Mapping[tuple[Kind, str], int]:
        """Return what runs that did not end were making again, by kind and name, with the run.

        Hold the engine's lock: otherwise a run still in progress would be among them.
        """
        from dockersweep.ledger.restorable import half_restored

        return self._do(
            lambda database: half_restored(database, objects.known_engine(database, engine) or 0, self._own_runs), {}
        )

    def run_of(self, engine: Engine, run: int) -> "RunOfEngine | None":
        """Return what `restore` has to know of a run besides its removals; None where there is no such run."""
        from dockersweep.ledger.restorable import run_of

        return self._do(lambda database: run_of(database, objects.known_engine(database, engine) or 0, run), None)

    def declared_files(self) -> Mapping[str, bytes]:
        """Return the readings that `keep_declared_files` kept, by place."""
        return self._do(declared_files.declared_files, {})

    def keep_declared_files(self, readings: Mapping[str, bytes], now: datetime) -> None:
        """Keep the readings of declared files, by place."""
        self._write(lambda database: declared_files.keep_declared_files(database, readings, seconds(now)))

    def forget_before(self, instant: datetime) -> None:
        """Delete runs that began, sizes that were counted, and objects that were last seen before an instant; the sum
        of what those runs freed is kept."""
        self._do(lambda database: runs.forget_before(database, instant), None)

    def _write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        def write(database: sqlite3.Connection) -> None:
            with transaction(database):
                work(database)

        self._do(write, None)

    def _do(self, work: Callable[[sqlite3.Connection], Value], otherwise: Value) -> Value:
        with self._lock:
            if self._database is None:
                if self._required and self.problem is not None:
                    raise LedgerError(self.problem)
                return otherwise
            try:
                return work(self._database)
            except FAULTS as error:
                # The traceback's frames hold cursors. With one open, SQLite closes the database only later, and then
                # finds the -wal beside it by name, which may be another ledger's.
                self._fail(error.with_traceback(None))
                return otherwise

    def _fail(self, error: Exception) -> None:
        """Go on without the ledger, setting a damaged file aside; raise LedgerError if it is required."""
        assert self._file is not None
        self.close()
        aside = ""
        if is_damage(error):
            aside = f"; {self._file.set_aside()}"
        elif isinstance(error, NewerError):
            aside = "; it is left where it is"
        self.problem = f"{self._file.path} {words_of(error)}{aside}"
        if self._required:
            raise LedgerError(self.problem) from None
        self.problem += "; this run goes on without a ledger"
