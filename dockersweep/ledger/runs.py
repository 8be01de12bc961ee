"""Runs. The planned removals are written before the first request, each removal before it is sent, then its outcome."""

import sqlite3
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from dockersweep.ledger.objects import engine_number
from dockersweep.ledger.recognition import LOST_UNLESS_ARCHIVED, PULL, recognition_of
from dockersweep.ledger.refusals import write_refusal
from dockersweep.ledger.rows import instant, seconds, storable
from dockersweep.ledger.transaction import transaction
from dockersweep.model.attempt import Attempt, attempt_of
from dockersweep.model.history import ArchivedRow, InHand, Recognition, RunStart, UnfinishedRun
from dockersweep.model.inventory import Inventory, Kind, Object
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.outcome import Outcome, OutcomeDocument
from dockersweep.model.plan import Decision, Plan, Removal, RemovalReasons
from dockersweep.model.reason import Reason
from dockersweep.words.reasons import ages_behind_counts, removal_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from dockersweep.model.recovery import EarlyDeletion
    from dockersweep.model.restoring import Restored

Value = TypeVar("Value")
LONGEST_DETAIL = 2000
MOST_FORMER_OBJECTS = 100_000
"""Some 20 MB; what was removed is known from the runs too."""
UNSEEN_SECONDS = 400 * 24 * 3600


class Using(Protocol):
    """Calls `work` with the database; returns `otherwise` if the ledger is not, or no longer, usable."""

    def __call__(self, work: "Callable[[sqlite3.Connection], Value]", otherwise: Value) -> Value: ...


class RunRecord:
    """One run in the ledger; does nothing if the ledger is not used. Safe for several threads."""

    def __init__(self, number: int | None, using: Using) -> None:
        """Use `Ledger.begin` instead."""
        self.number = number
        """None where the ledger is not used."""
        self._using = using
        self._positions: dict[Attempt, int] = {}
        self._sent: set[int] = set()
        self._unwritten: deque[tuple[int, Outcome | None, int]] = deque()
        """(position, outcome, seconds since 1970) of removals that were sent or, with an outcome, ended."""
        self._planned = 0

    def plan(self, plan: Plan, inventory: Inventory) -> None:
        """Record the planned removals; a sweep for a space target calls this once per round."""
        first = self._planned
        self._planned += len(plan.removals)
        self._positions.update((attempt_of(removal), first + n) for n, removal in enumerate(plan.removals))
        if self.number is None:
            return
        rows = list(_planned_rows(self.number, first, plan, inventory))

        def write(database: sqlite3.Connection) -> None:
            with transaction(database):
                # A generator, because signals are handled only between rows.
                database.executemany(f"INSERT INTO removals VALUES ({', '.join('?' * 11)})", (row for row in rows))

        self._using(write, None)

    def sending(self, removal: Removal) -> None:
        """Record that a removal is about to be sent; it is in the file when this returns."""
        position = self._positions.get(attempt_of(removal))
        if self.number is None or position is None:
            return
        self._sent.add(position)
        self._unwritten.append((position, None, int(time.time())))
        self._write()

    def ended(self, removal: Removal, outcome: Outcome) -> None:
        """Record the outcome of a removal, sent or not.

        It is in the file when this returns. Two exceptions: the outcome of a removal that succeeded is in the file
        before the next one is sent (until then the file says "sent"), and `finish` writes all that was not attempted
        at once (after a signal that may be most of a huge plan).
        """
        position = self._positions.get(attempt_of(removal))
        if self.number is None or position is None:
            return
        if outcome.status == "not-attempted" and position not in self._sent:
            return
        self._unwritten.append((position, outcome, int(time.time())))
        if outcome.status != "removed" or position not in self._sent:
            self._write()

    def archived(self, what: ArchivedRow) -> None:
        """Record that an object is in an archive; it is in the file when this returns."""
        # Imported late, here and below: most runs archive nothing.
        from dockersweep.ledger.archived import keep_archived

        if self.number is not None:
            run = self.number
            self._using(lambda database: keep_archived(database, run, what), None)

    def deleted_early(self, folder: str, deleted: "Sequence[EarlyDeletion]") -> None:
        """Record which runs were deleted from the archive in a folder before their time."""
        from dockersweep.ledger.archived import keep_deleted

        if self.number is not None:
            run = self.number
            self._using(lambda database: keep_deleted(database, run, folder, deleted), None)

    def definition(self, kind: Kind, object_id: str, document: bytes) -> None:
        """Record the inspect document of what is about to be removed; it is in the file when this returns."""
        from dockersweep.ledger.archived import keep_definition

        if self.number is not None:
            run = self.number
            self._using(lambda database: keep_definition(database, run, (kind, object_id), document), None)

    def restoring(self, planned: "Sequence[Restored]") -> None:
        """Record what is to be made again; it is in the file when this returns."""
        from dockersweep.ledger.restorable import plan_restorations

        if self.number is not None:
            run = self.number
            self._using(lambda database: plan_restorations(database, run, planned), None)

    def restored(self, position: int, what: "Restored") -> None:
        """Record what became of the object at a position in what was planned."""
        from dockersweep.ledger.restorable import end_restoration

        if self.number is not None:
            run, at = self.number, int(time.time())
            self._using(lambda database: end_restoration(database, run, position, what, at), None)

    def _write(self) -> None:
        """Write all pending rows in one transaction. Of several waiting threads most find their rows written."""
        self._using(self._write_all, None)

    def _write_all(self, database: sqlite3.Connection) -> None:
        rows = [self._unwritten.popleft() for _ in range(len(self._unwritten))]
        if rows and self.number is not None:
            with transaction(database):
                _write_rows(database, self.number, rows)

    def finish(
        self, exit_status: int, finished_at: datetime, document: OutcomeDocument | None, note: str | None
    ) -> None:
        """Record how the run ended. Planned removals that were never sent become "not-attempted".

        If the run was refused, `document` is None and `note` says why. A removal that was sent and has no outcome
        leaves the run open: the next run has to look. With a document, `note` says how a space target was missed.
        """
        if self.number is not None:
            run = self.number
            self._write()
            self._using(lambda database: _finish(database, run, exit_status, finished_at, document, note), None)


def _planned_rows(run: int, first: int, plan: Plan, inventory: Inventory) -> Iterator[tuple[object, ...]]:
    wanted = {(removal.kind, removal.id) for removal in plan.removals}
    decisions = {
        (decision.kind, decision.id): decision for decision in plan.decisions if (decision.kind, decision.id) in wanted
    }
    objects = {
        (ref.kind, ref.id): item
        for ref, item in ((ref_of(item), item) for item in objects_of(inventory))
        if (ref.kind, ref.id) in wanted
    }
    networks = {network.id: network.name for network in inventory.networks}
    reasons = RemovalReasons()
    last_of = {(removal.kind, removal.id): position for position, removal in enumerate(plan.removals, first)}
    for position, removal in enumerate(plan.removals, first):
        place = removal.kind, removal.id
        decision = decisions.get(place)
        # An image may have hundreds of tags: only its last row holds the recognition.
        item = objects.get(place) if last_of[place] == position else None
        yield (
            run,
            position,
            removal.kind,
            storable(removal.id),
            storable(removal.name),
            removal.action,
            _json(
                [
                    (reason.code, reason.rule, removal_text(reason))
                    for reason in ages_behind_counts(_reasons(removal, decision, reasons))
                ]
            ),
            _size(removal, decision),
            removal.reclaim.low_bytes,
            removal.reclaim.high_bytes,
            _json(_recognition(item, removal, networks) if item else {}),
        )


def _recognition(item: Object, removal: Removal, networks: Mapping[str, str]) -> Recognition:
    """Return what identifies an object, where a registry has an image its reference there, and whether it may be
    lost."""
    recognition, way_back = recognition_of(item, networks), removal.recovery
    if way_back is not None and way_back.how == "pull":
        recognition[PULL] = way_back.text
    elif way_back is not None and way_back.how in ("archive", "none") and not way_back.without_data:
        recognition[LOST_UNLESS_ARCHIVED] = way_back.text
    return recognition


def _reasons(removal: Removal, decision: Decision | None, reasons: RemovalReasons) -> Sequence[Reason]:
    """Return why an object is removed; for a tag without the removed holders, which may be very many."""
    of_removal = () if decision is None else reasons.of(removal, decision)
    return [reason for reason in of_removal if removal.action == "remove" or reason.code != "released"]


def _size(removal: Removal, decision: Decision | None) -> int | None:
    return decision.size_bytes if decision and removal.action == "remove" else None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _write_rows(database: sqlite3.Connection, run: int, rows: Iterable[tuple[int, Outcome | None, int]]) -> None:
    """Record that removals were sent or, with an outcome, ended."""
    counts_any = _counts_any(database)
    for position, outcome, at in rows:
        if outcome is None:
            database.execute(
                "INSERT OR REPLACE INTO outcomes (run, position, sent_at) VALUES (?, ?, ?)", (run, position, at)
            )
        else:
            counts_any |= outcome.status == "failed" or outcome.refusal is not None
            _write_outcome(database, run, position, outcome, at)
            if counts_any:
                _count(database, run, outcome)


def _write_outcome(
    database: sqlite3.Connection, run: int, position: int, outcome: Outcome, ended_at: int | None
) -> None:
    values = (
        run,
        position,
        outcome.status,
        None if outcome.detail is None else storable(outcome.detail[:LONGEST_DETAIL]),
        outcome.freed_bytes,
        ended_at,
    )
    database.execute(
        "INSERT INTO outcomes (run, position, status, detail, freed_bytes, ended_at) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (run, position) DO UPDATE SET status = excluded.status, detail = excluded.detail, "
        "freed_bytes = excluded.freed_bytes, ended_at = excluded.ended_at",
        values,
    )


def _count(database: sqlite3.Connection, run: int, outcome: Outcome) -> None:
    """Count failures and refusals in a row; any other outcome of an attempt resets the count."""
    if outcome.status == "not-attempted":
        return
    write_refusal(database, run, outcome)
    key = tuple(map(storable, attempt_of(outcome)))
    if outcome.status == "failed":
        database.execute(
            "INSERT INTO failures SELECT engine, ?, ?, ?, ?, 1, started_at, number FROM runs WHERE number = ? "
            "ON CONFLICT (engine, kind, id, action, name) "
            "DO UPDATE SET runs = runs + (last_run <> excluded.last_run), last_run = excluded.last_run",
            (*key, run),
        )
    else:
        database.execute(
            "DELETE FROM failures WHERE engine = (SELECT engine FROM runs WHERE number = ?) "
            "AND kind = ? AND id = ? AND action = ? AND name = ?",
            (run, *key),
        )


def _counts_any(database: sqlite3.Connection) -> bool:
    """Whether anything failed or was refused in the last run that tried it."""
    asked = "SELECT EXISTS (SELECT 1 FROM failures) OR EXISTS (SELECT 1 FROM refusals)"
    return bool(database.execute(asked).fetchone()[0])


def _finish(
    database: sqlite3.Connection,
    run: int,
    exit_status: int,
    finished_at: datetime,
    document: OutcomeDocument | None,
    note: str | None,
) -> None:
    reclaimed = document.reclaimed if document else None
    early = document.ended_early if document else None
    with transaction(database):
        _give_up(database, run, note if document is None else early)
        unanswered = database.execute("SELECT 1 FROM outcomes WHERE run = ? AND status IS NULL", (run,)).fetchone()
        database.execute(
            "UPDATE runs SET state = ?, finished_at = ?, exit_status = ?, note = ?, ended_early = ?, low_bytes = ?, "
            "high_bytes = ?, measured_bytes = ? WHERE number = ?",
            (
                "open" if unanswered else "ended",
                seconds(finished_at),
                exit_status,
                None if note is None else storable(note),
                None if early is None else storable(early),
                reclaimed.low_bytes if reclaimed else None,
                reclaimed.high_bytes if reclaimed else None,
                reclaimed.measured_bytes if reclaimed else None,
                run,
            ),
        )


def _give_up(database: sqlite3.Connection, run: int, why: str | None) -> None:
    """Record planned removals that were never sent as "not-attempted"."""
    database.execute(
        "INSERT INTO outcomes (run, position, status, detail) SELECT run, position, 'not-attempted', ? FROM removals "
        "WHERE run = ? AND position NOT IN (SELECT position FROM outcomes WHERE run = ?)",
        (None if why is None else storable(why), run, run),
    )


def begin(database: sqlite3.Connection, start: RunStart) -> int:
    """Record that a run begins; return its number."""
    policy = None if start.policy_source is None else storable(start.policy_source)
    with transaction(database):
        engine = engine_number(database, start.engine)
        number = database.execute(
            "INSERT INTO runs (engine, verb, started_at, user, pid, version, policy_source, policy_sha256) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                engine,
                start.verb,
                seconds(start.started_at),
                storable(start.user),
                start.pid,
                start.version,
                policy,
                start.policy_sha256,
            ),
        ).lastrowid
    assert number is not None
    return number


def unfinished(database: sqlite3.Connection, engine: int, own: Collection[int]) -> tuple[UnfinishedRun, ...]:
    """Return the runs of an engine that have no end, the oldest first, without those of this process."""
    rows = database.execute(
        "SELECT number, started_at, pid FROM runs WHERE engine = ? AND state = 'open' ORDER BY number", (engine,)
    ).fetchall()
    return tuple(
        UnfinishedRun(number=number, started_at=instant(at), pid=pid, in_hand=tuple(in_hand(database, number)))
        for number, at, pid in rows
        if number not in own
    )


def in_hand(database: sqlite3.Connection, run: int) -> Iterator[InHand]:
    """Yield the removals that were sent and have no outcome, or got one only from a later run."""
    rows = database.execute(
        "SELECT kind, id, name, action FROM outcomes JOIN removals USING (run, position) "
        "WHERE run = ? AND sent_at IS NOT NULL AND ended_at IS NULL ORDER BY position",
        (run,),
    )
    for kind, object_id, name, action in rows:
        yield InHand(kind=kind, id=object_id, name=name, action=action)


def settle(database: sqlite3.Connection, run: int, outcomes: Iterable[Outcome]) -> None:
    """Mark a run as "did not end", with the outcomes of the removals it had sent."""
    positions = {
        (kind, object_id, action, name): position
        for position, kind, object_id, action, name in database.execute(
            "SELECT position, kind, id, action, name FROM outcomes JOIN removals USING (run, position) "
            "WHERE run = ? AND status IS NULL",
            (run,),
        )
    }
    with transaction(database):
        for outcome in outcomes:
            position = positions.get(attempt_of(outcome))
            if position is not None:
                _write_outcome(database, run, position, outcome, None)
                _count(database, run, outcome)
        _give_up(database, run, "the run did not end")
        database.execute("UPDATE runs SET state = 'did not end' WHERE number = ?", (run,))


def failed_before(
    database: sqlite3.Connection, engine: int, removals: Sequence[Removal]
) -> Mapping[Attempt, tuple[int, datetime]]:
    """Return in how many runs in a row each of these removals has failed, up to the latest, and since when."""
    rows = database.execute(
        "SELECT kind, id, action, name, runs, since FROM failures WHERE engine = ?", (engine,)
    ).fetchall()
    failed = {
        (kind, object_id, action, name): (runs, instant(since)) for kind, object_id, action, name, runs, since in rows
    }
    return {attempt_of(removal): failed[attempt_of(removal)] for removal in removals if attempt_of(removal) in failed}


def forget_before(database: sqlite3.Connection, before: datetime) -> None:
    """Delete runs that began, sizes that were counted, and objects and whole engines that were last seen before an
    instant, and of objects that are gone all but the last 100,000; the sum of what those runs freed is kept."""
    limit = (seconds(before),)
    with transaction(database):
        database.execute(
            "INSERT INTO forgotten SELECT engine, sum(measured_bytes) FROM runs "
            "WHERE started_at < ? AND state <> 'open' AND measured_bytes IS NOT NULL GROUP BY engine "
            "ON CONFLICT (engine) DO UPDATE SET measured_bytes = measured_bytes + excluded.measured_bytes",
            limit,
        )
        old = database.execute("SELECT number FROM runs WHERE started_at < ? AND state <> 'open'", limit).fetchall()
        for table in ("removals", "outcomes", "archived", "early_deletions", "definitions", "restorations"):
            database.executemany(f"DELETE FROM {table} WHERE run = ?", old)
        database.executemany("DELETE FROM runs WHERE number = ?", old)
        database.execute("DELETE FROM former_objects WHERE last_seen < ?", limit)
        # On a host of CI jobs every scan sees some that the next one does not.
        database.execute(
            "DELETE FROM former_objects WHERE rowid IN "
            "(SELECT rowid FROM former_objects ORDER BY last_seen DESC, rowid DESC LIMIT -1 OFFSET ?)",
            (MOST_FORMER_OBJECTS,),
        )
        # Engine by engine, so that the primary key is used.
        database.executemany(
            "DELETE FROM sizes WHERE engine = ? AND at < ?",
            [(*engine, *limit) for engine in database.execute("SELECT number FROM engines").fetchall()],
        )
        # However short the history, the ages of present objects must survive.
        unseen = (min(*limit, int(time.time()) - UNSEEN_SECONDS),)
        lost = database.execute("SELECT number FROM engines WHERE seen_at < ?", unseen).fetchall()
        for table in (
            *("objects", "layers", "marks", "failures", "refusals", "registry_answers"),
            *("uses", "last_projects", "inherited_labels", "projects", "watched", "event_readings"),
            *("pending_events", "watchers"),
        ):
            database.executemany(f"DELETE FROM {table} WHERE engine = ?", lost)
        database.execute("DELETE FROM projects WHERE container_at < ?", unseen)
