"""The ledger as a run uses it: it never stops the run, unless it is required."""

import sqlite3
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from msgspec.structs import replace

from dockersweep.errors import LedgerError
from dockersweep.ledger import arrivals, declared_files, objects, past_runs, registry_answers, runs, sizes, uses
from dockersweep.ledger.opening import FAULTS, LedgerFile, NewerError, is_damage, words_of
from dockersweep.ledger.rows import seconds
from dockersweep.ledger.runs import RunRecord
from dockersweep.ledger.transaction import transaction
from dockersweep.model.attempt import Attempt
from dockersweep.model.event_reading import EventPosition, NoticedUses
from dockersweep.model.history import Life, PastRun, RunStart, ShareSize, UnfinishedRun
from dockersweep.model.inventory import KINDS, Engine, Inventory, Kind, Mark, ObjectRef, ScanWarning
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Removal
from dockersweep.model.registry import RegistryAnswer, RegistryQuestion
from dockersweep.model.report import TrendPoint
from dockersweep.model.storage import SizeBase

Value = TypeVar("Value")


class Ledger:
    """One connection to the ledger. Safe for several threads.

    Where the file cannot be used, or not any more, `problem` says so, every answer is that nothing is known, and
    nothing is written; where it is required, LedgerError is raised instead, then and at every later call.
    """

    def __init__(self, folder: Path | None, required: bool = False) -> None:
        """Open the ledger in a folder, which is made where it is not there; None is to use no ledger at all."""
        self.problem: str | None = None
        """One sentence why it cannot be used, with its path; None while all is well."""
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
        """Whether the file is open; else nothing is known and nothing written."""
        return self._database is not None

    @property
    def has_begun(self) -> bool:
        """Whether a run of this process is written down."""
        return bool(self._own_runs)

    def close(self) -> None:
        """Close the file; nothing is known and nothing written from now on."""
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
        """Write down that a person has looked at the engine, which makes it known."""

        def write(database: sqlite3.Connection) -> None:
            number = objects.engine_number(database, engine)
            database.execute("UPDATE engines SET looked_at = ? WHERE number = ?", (seconds(now), number))

        self._write(write)

    def layers(self, engine: Engine) -> dict[str, bytes]:
        """Return what `keep_layers` kept of an engine."""
        return self._do(lambda database: objects.layers_of(database, objects.known_engine(database, engine) or 0), {})

    def keep_layers(self, engine: Engine, layers: Mapping[str, bytes]) -> None:
        """Keep what never changes of an engine's layers, in place of what was kept of ids with the same prefix (up to
        the first colon): a scan yields layers or images, not both."""
        self._write(lambda database: objects.update_layers(database, objects.engine_number(database, engine), layers))

    def event_position(self, engine: Engine) -> EventPosition | None:
        """Return where the events of an engine were last read to; None where they never were."""
        return self._do(lambda database: uses.position_of(database, objects.known_engine(database, engine) or 0), None)

    def update_objects(
        self,
        inventory: Inventory,
        used: Collection[ObjectRef],
        now: datetime,
        writes: bool = True,
        noticed: NoticedUses | None = None,
    ) -> Inventory:
        """Write down which objects are there, and return the inventory with what the ledger has of them.

        `used` are the objects that something holds, `noticed` is what events told since `event_position`. Without
        `writes` the file stays as it is: an instant that somebody chose must not be written. An object that is gone is
        young again when it comes back. Where the ledger cannot be used the inventory gets a warning. The engine does
        not become known by this.
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
        """Write down that objects are not used any more, as what held them has been removed.

        Their ages then count from that, and not from the next scan.
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
        """Leave exactly these candidates marked, of the rules with their terms that the policy has with marked_for.

        One that is marked already keeps its earlier instant; the marks of all other rules, terms and kinds stay.
        """
        self._write(
            lambda database: objects.update_marks(
                database, objects.engine_number(database, engine), candidates, terms, kinds, seconds(now)
            )
        )

    def keep_sizes(self, shares: Collection[ShareSize], engine: Engine, at: datetime) -> None:
        """Write down the size of each sort of object, and thin out earlier sizes."""
        self._write(
            lambda database: sizes.keep_sizes(database, objects.engine_number(database, engine), shares, seconds(at))
        )

    def sizes(self, engine: Engine, base: SizeBase) -> tuple[TrendPoint, ...]:
        """Return the sizes at earlier scans that counted in one base, the oldest first."""
        return self._do(
            lambda database: sizes.points_of(database, objects.known_engine(database, engine) or 0, base), ()
        )

    def registry_answers(
        self, engine: Engine, questions: Collection[RegistryQuestion], now: datetime
    ) -> Mapping[str, RegistryAnswer]:
        """Return what registries answered to these very questions so lately that it still holds, by image."""
        return self._do(
            lambda database: registry_answers.answers_to(
                database, objects.known_engine(database, engine) or 0, questions, seconds(now)
            ),
            {},
        )

    def former_tags(self, engine: Engine) -> Mapping[str, tuple[str, ...]]:
        """Return the tags that images had which have none now, by image."""
        return self._do(
            lambda database: registry_answers.former_tags(database, objects.known_engine(database, engine) or 0), {}
        )

    def keep_registry_answers(
        self, engine: Engine, answers: Mapping[RegistryQuestion, RegistryAnswer], now: datetime
    ) -> None:
        """Keep what registries answered, and forget what holds no longer."""
        self._write(
            lambda database: registry_answers.keep_answers(
                database, objects.engine_number(database, engine), answers, seconds(now)
            )
        )

    def dangling_since(self, engine: Engine, since: datetime) -> tuple[Life, ...]:
        """Return the lives, begun since then, of images that have no tag, or had none when they were last seen."""
        return self._do(
            lambda database: tuple(
                arrivals.dangling_since(database, objects.known_engine(database, engine) or 0, seconds(since))
            ),
            (),
        )

    def last_run(self, engine: Engine) -> tuple[PastRun | None, int | None]:
        """Return the latest run of an engine, and the bytes that all its runs freed; None where that is not known."""
        nothing: tuple[PastRun | None, int | None] = (None, None)
        return self._do(
            lambda database: past_runs.last_run(database, objects.known_engine(database, engine) or 0), nothing
        )

    def unfinished(self, engine: Engine) -> tuple[UnfinishedRun, ...]:
        """Return the runs of an engine that have a start and no end, without those of this process.

        Call it only with the engine's lock held: else a run that is still at work would be among them.
        """
        return self._do(
            lambda database: runs.unfinished(database, objects.known_engine(database, engine) or 0, self._own_runs), ()
        )

    def settle(self, run: int, outcomes: Collection[Outcome]) -> None:
        """Close a run as one that did not end, with the outcomes of the removals it had sent."""
        self._do(lambda database: runs.settle(database, run, outcomes), None)

    def failed_before(self, engine: Engine, removals: Sequence[Removal]) -> Mapping[Attempt, tuple[int, datetime]]:
        """Return in how many runs in a row, up to the latest that tried it, each removal failed, and since when.

        By kind, id, action and name; a removal that did not fail in the last run that tried it is left out.
        """
        return self._do(
            lambda database: runs.failed_before(database, objects.known_engine(database, engine) or 0, removals), {}
        )

    def begin(self, start: RunStart) -> RunRecord:
        """Write down that a run begins; return its record, which does nothing where the ledger is not used."""
        number = self._do(lambda database: runs.begin(database, start), None)
        if number is not None:
            self._own_runs.add(number)
        return RunRecord(number, self._do)

    def declared_files(self) -> Mapping[str, bytes]:
        """Return what `keep_declared_files` kept, by what was read."""
        return self._do(declared_files.declared_files, {})

    def keep_declared_files(self, told: Mapping[str, bytes], now: datetime) -> None:
        """Keep what was read of declared files."""
        self._write(lambda database: declared_files.keep_declared_files(database, told, seconds(now)))

    def forget_before(self, instant: datetime) -> None:
        """Forget runs that began, sizes that were counted, and objects that were last seen before an instant; what
        those runs freed together is kept."""
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
                # Its frames hold cursors, and a database with a cursor is not closed but only later, by its name.
                self._fail(error.with_traceback(None))
                return otherwise

    def _fail(self, error: Exception) -> None:
        """Go on without, and set the file aside where it is damaged; raise LedgerError where it is required."""
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
