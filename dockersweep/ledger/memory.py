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
from dockersweep.ledger import arrivals, objects, past_runs, runs, sizes
from dockersweep.ledger.opening import FAULTS, LedgerFile, UnusableError, is_unusable, words_of
from dockersweep.ledger.rows import seconds
from dockersweep.ledger.runs import RunRecord
from dockersweep.ledger.transaction import transaction
from dockersweep.model.attempt import Attempt
from dockersweep.model.history import Life, PastRun, RunStart, ShareSize, UnfinishedRun
from dockersweep.model.inventory import KINDS, Engine, Inventory, Kind, Mark, ScanWarning
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import ObjectRef, Removal
from dockersweep.model.report import TrendPoint
from dockersweep.model.storage import SizeBase

Value = TypeVar("Value")


class Memory:
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
        """Whether something is remembered."""
        return self._database is not None

    def close(self) -> None:
        """Close the file; nothing is known and nothing written from now on."""
        with self._lock:
            database, self._database = self._database, None
            if database is not None:
                # What was committed is in the file beside it whether or not it can be moved into the file itself now.
                with suppress(sqlite3.Error):
                    database.close()

    def __enter__(self) -> Self:
        """Close it at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def is_known(self, engine: Engine) -> bool:
        """Return whether somebody has looked at this engine before."""

        def ask(database: sqlite3.Connection) -> bool:
            number = objects.known_engine(database, engine)
            row = database.execute("SELECT looked_at IS NOT NULL FROM engines WHERE number = ?", (number,)).fetchone()
            return bool(row == (1,))

        return self._do(ask, False)

    def looked_at(self, engine: Engine, now: datetime) -> None:
        """From now on the engine is known."""

        def write(database: sqlite3.Connection) -> None:
            number = objects.engine_number(database, engine)
            database.execute("UPDATE engines SET looked_at = ? WHERE number = ?", (seconds(now), number))

        self._write(write)

    def layers(self, engine: Engine) -> dict[str, bytes]:
        """Return what `keep_layers` kept of an engine."""
        return self._do(lambda database: objects.layers_of(database, objects.known_engine(database, engine) or 0), {})

    def keep_layers(self, engine: Engine, layers: Mapping[str, bytes]) -> None:
        """Keep what never changes of an engine's layers, in place of what was kept before of ids that begin alike (up
        to the first colon): a scan tells either of layers or of images."""
        self._write(lambda database: objects.update_layers(database, objects.engine_number(database, engine), layers))

    def remember(
        self, inventory: Inventory, used: Collection[ObjectRef], now: datetime, writes: bool = True
    ) -> Inventory:
        """Write down what is there, and return the inventory with what was known of it before, marks included.

        `used` are the objects that something holds. Without `writes` the file is only read: an instant that somebody
        chose must not become a memory. What is no longer there is young again when it comes back. Where the ledger
        cannot be used the inventory gets a warning. The engine does not become known by this.
        """

        def write(database: sqlite3.Connection) -> Inventory:
            # Without writes it is done all the same and taken back, so that both know the same of an object.
            with transaction(database, writes):
                engine = objects.engine_number(database, inventory.engine)
                return objects.update_objects(database, engine, inventory, used, seconds(now))

        return self._with_problem(self._do(write, replace(inventory, marks=None)))

    def _with_problem(self, inventory: Inventory) -> Inventory:
        if self.problem is None:
            return inventory
        warning = ScanWarning(about="ledger", text=f"{self.problem}; what was first seen when is not known")
        return replace(inventory, warnings=(*inventory.warnings, warning))

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

    def keep_sizes(self, taken: Collection[ShareSize], engine: Engine, at: datetime) -> None:
        """Write down what there was of each sort, and thin out what was written down earlier."""
        self._write(
            lambda database: sizes.keep_sizes(database, objects.engine_number(database, engine), taken, seconds(at))
        )

    def sizes(self, engine: Engine, base: SizeBase) -> tuple[TrendPoint, ...]:
        """Return what there was at earlier scans that counted in one base, the oldest first."""
        return self._do(
            lambda database: sizes.points_of(database, objects.known_engine(database, engine) or 0, base), ()
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
        """Return the latest run of an engine, and what all that there ever were gave back; None where nothing tells."""
        nothing: tuple[PastRun | None, int | None] = (None, None)
        return self._do(
            lambda database: past_runs.last_run(database, objects.known_engine(database, engine) or 0), nothing
        )

    def unfinished(self, engine: Engine) -> tuple[UnfinishedRun, ...]:
        """Return the runs of an engine that have a start and no end, without those of this process.

        Only to be asked by who holds the engine's lock: else a run that is going on would be among them.
        """
        return self._do(
            lambda database: runs.unfinished(database, objects.known_engine(database, engine) or 0, self._own_runs), ()
        )

    def settle(self, run: int, outcomes: Collection[Outcome]) -> None:
        """Close a run as one that did not end, with what is known now of what it had in hand."""
        self._do(lambda database: runs.settle(database, run, outcomes), None)

    def failed_before(self, engine: Engine, removals: Sequence[Removal]) -> Mapping[Attempt, tuple[int, datetime]]:
        """Return in how many of the latest runs, one after the other up to now, each removal failed, and since when.

        By kind, id, action and name; what did not fail in the last run that tried it is not there.
        """
        return self._do(
            lambda database: runs.failed_before(database, objects.known_engine(database, engine) or 0, removals), {}
        )

    def begin(self, start: RunStart) -> RunRecord:
        """Write down that a run begins; return what takes the rest of it, also where the ledger is not used."""
        number = self._do(lambda database: runs.begin(database, start), None)
        if number is not None:
            self._own_runs.add(number)
        return RunRecord(number, self._do)

    def forget_before(self, instant: datetime) -> None:
        """Forget runs that began, sizes that were counted, and objects that were last seen before an instant; what
        those runs gave back together is kept."""
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
        """Go on without, and set the file aside where it is the fault; raise LedgerError where it is required."""
        assert self._file is not None
        self.close()
        aside = ""
        if is_unusable(error):
            aside = f"; {self._file.set_aside(error.suffix if isinstance(error, UnusableError) else 'damaged')}"
        self.problem = f"{self._file.path} {words_of(error)}{aside}"
        if self._required:
            raise LedgerError(self.problem) from None
        self.problem += "; this run goes on without a ledger"
