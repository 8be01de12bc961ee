"""Runs and removals, read back from their rows."""

import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from dockersweep.file_lock import lock_within
from dockersweep.ledger.folder import run_lock_file
from dockersweep.ledger.recognition import LOST_UNLESS_ARCHIVED, PULL
from dockersweep.ledger.rows import instant, instant_or_none, seconds
from dockersweep.ledger.runs import in_hand
from dockersweep.model.history import PastRemoval, PastRun, Recognition
from dockersweep.model.inventory import Kind
from dockersweep.model.outcome import Status
from dockersweep.model.plan import NOTHING, Interval
from dockersweep.model.reason import InWords, Reason, ReasonCode

if TYPE_CHECKING:
    from dockersweep.ledger.past_restorations import Kept, RestoredCounts

_REASONS = msgspec.json.Decoder(list[tuple[ReasonCode, str, str]])
_RECOGNITION = msgspec.json.Decoder(Recognition)

FIRST_PROCESS = 1
RunState = Literal["ended", "running", "did-not-end"]
Spot = tuple[int, int]
"""A removal: the number of its run, and its position in it."""


def runs_between(database: sqlite3.Connection, first: int, last: int, since: datetime | None) -> tuple[PastRun, ...]:
    """Return the runs numbered `first` to `last` that began at or after `since`, the newest first."""
    if since is not None:
        # Counting is the slow part, so fewer runs are counted.
        since_then = "SELECT min(number) FROM runs WHERE started_at >= ?"
        first = max(first, database.execute(since_then, (seconds(since),)).fetchone()[0] or first)
    counts = _counts(database, first, last)
    # A run with a note was refused, maybe because another was in progress: it does not end that one.
    latest = dict(database.execute("SELECT engine, max(number) FROM runs WHERE note IS NULL GROUP BY engine"))
    rows = database.execute(
        "SELECT runs.number, engine, state, low_bytes, high_bytes, verb, name, endpoint, started_at, finished_at, "
        "exit_status, user, pid, version, policy_source, policy_sha256, note, ended_early, measured_bytes, identity "
        "FROM runs LEFT JOIN engines ON engines.number = engine "
        "WHERE runs.number BETWEEN ? AND ? AND started_at >= ? ORDER BY runs.number DESC",
        (first, last, -(2**62) if since is None else seconds(since)),
    ).fetchall()
    # Imported late: no run needs it.
    from dockersweep.ledger.past_restorations import restored_between

    made = restored_between(database, first, last)
    return tuple(
        _run(database, row, counts.get(row[0]) or _Counts(), made.get(row[0]), latest.get(row[1]) == row[0])
        for row in rows
    )


def last_run(database: sqlite3.Connection, engine: int) -> tuple[PastRun | None, int | None]:
    """Return the latest run of an engine that was to remove something, and the bytes that all its runs freed, as far as
    measured, including runs that are forgotten."""
    # One statement, so that a run that another process forgets meanwhile counts exactly once.
    number, total = database.execute(
        "SELECT max(CASE WHEN verb <> 'restore' THEN number END), coalesce(sum(measured_bytes), 0) "
        "+ coalesce((SELECT measured_bytes FROM forgotten WHERE engine = ?1), 0) FROM runs WHERE engine = ?1",
        (engine,),
    ).fetchone()
    latest = () if number is None else runs_between(database, number, number, None)
    return (latest[0] if latest else None), total


def _run(
    database: sqlite3.Connection,
    row: tuple[Any, ...],
    counts: "_Counts",
    made: "RestoredCounts | None",
    is_latest: bool,
) -> PastRun:
    number, _, state, low, high, verb, name, endpoint, started_at, finished_at, exit_status, user, pid = row[:13]
    version, policy_source, policy_sha256, note, ended_early, measured_bytes, identity = row[13:]
    fields = {
        "number": number,
        "verb": verb,
        "engine_name": name,
        "endpoint": endpoint,
        "started_at": instant(started_at),
        "finished_at": instant_or_none(finished_at),
        "state": _state(database, state, is_latest, identity or "", pid),
        "exit_status": exit_status,
        "user": user,
        "pid": pid,
        "version": version,
        "policy_source": policy_source,
        "policy_sha256": policy_sha256,
        "note": note,
        "ended_early": ended_early,
        "removed": dict(counts.removed),
        "tags_removed": counts.tags,
        "not_removed": dict(counts.others),
        # Only a run that ended recorded the total of its removals.
        "predicted": counts.predicted if low is None else Interval(low_bytes=low, high_bytes=high),
        "measured_bytes": measured_bytes,
        "in_hand": () if state == "ended" else tuple(in_hand(database, number)),
        **({} if made is None else made.fields()),
    }
    return msgspec.convert(fields, PastRun)


class _Counts:
    """What became of the removals of one run."""

    def __init__(self) -> None:
        self.removed: Counter[Kind] = Counter()
        self.others: Counter[Status] = Counter()
        self.tags = 0
        self.predicted = NOTHING


def _counts(database: sqlite3.Connection, first: int, last: int) -> Mapping[int, _Counts]:
    # An image counts once, however many tags it has: by the outcome of its own removal, if that was planned.
    rows = database.execute(
        "WITH wholes AS (SELECT run, id, status FROM removals JOIN outcomes USING (run, position) "
        "WHERE run BETWEEN ?1 AND ?2 AND kind = 'image' AND action = 'remove') "
        "SELECT run, kind, action, status, count(*), sum(low_bytes), sum(high_bytes), count(high_bytes), "
        "action = 'untag' AND (run, id) IN (SELECT run, id FROM wholes) AS is_of_whole, "
        "action = 'untag' AND (run, id) IN (SELECT run, id FROM wholes WHERE status = 'removed') AS is_of_removed "
        "FROM outcomes JOIN removals USING (run, position) WHERE run BETWEEN ?1 AND ?2 AND status IS NOT NULL "
        "GROUP BY run, kind, action, status, is_of_whole, is_of_removed",
        (first, last),
    )
    counts_of: defaultdict[int, _Counts] = defaultdict(_Counts)
    for run, kind, action, status, count, low, high, known, is_of_whole, is_of_removed in rows:
        counts = counts_of[run]
        if status != "removed":
            counts.others[status] += 0 if is_of_whole else count
            continue
        if action == "remove":
            counts.removed[kind] += count
        elif not is_of_removed:
            counts.tags += count
        counts.predicted += Interval(low_bytes=low, high_bytes=high if known == count else None)
    return counts_of


def _state(database: sqlite3.Connection, row_state: str, is_latest: bool, identity: str, pid: int) -> RunState:
    """Return the state of a run. An engine has one run at a time, so an open run that a later one follows broke off."""
    if row_state == "ended":
        return "ended"
    if row_state != "open" or not is_latest:
        return "did-not-end"
    # Each container has a first process, and so has the machine.
    is_running = _is_locked(database, identity) if pid == FIRST_PROCESS else _is_alive(pid)
    return "running" if is_running else "did-not-end"


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _is_locked(database: sqlite3.Connection, identity: str) -> bool:
    """Return whether a run holds the lock of an engine beside the ledger."""
    folder = Path(database.execute("PRAGMA database_list").fetchone()[2]).parent
    try:
        descriptor = os.open(run_lock_file(folder, identity), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        lock_within(descriptor, 0, shared=True)
    except BlockingIOError:
        return True
    except OSError:
        # A file system without locks.
        return False
    finally:
        os.close(descriptor)
    return False


def removals_of(database: sqlite3.Connection, run: int) -> tuple[PastRemoval, ...]:
    """Return the removals of a run in the order of its plan."""
    spots = database.execute("SELECT run, position FROM removals WHERE run = ? ORDER BY position", (run,)).fetchall()
    return tuple(_removals_at(database, spots))


def removals_at(database: sqlite3.Connection, spots: Iterable[Spot], since: datetime | None) -> tuple[PastRemoval, ...]:
    """Return these removals of runs that began at or after `since`, the newest run first."""
    ordered = sorted(spots, key=lambda spot: (-spot[0], spot[1]))
    return tuple(removal for removal in _removals_at(database, ordered) if since is None or removal.started_at >= since)


def _removals_at(database: sqlite3.Connection, spots: Iterable[Spot]) -> Iterator[PastRemoval]:
    from dockersweep.ledger.past_restorations import kept_of

    for spot in spots:
        row = database.execute(
            "SELECT run, started_at, engines.name, kind, id, removals.name, action, reasons, size_bytes, "
            "removals.low_bytes, removals.high_bytes, recognition, sent_at, ended_at, status, detail, freed_bytes "
            "FROM removals JOIN runs ON runs.number = run LEFT JOIN engines ON engines.number = engine "
            "LEFT JOIN outcomes USING (run, position) WHERE run = ? AND position = ?",
            spot,
        ).fetchone()
        if row is not None:
            yield _removal(row, kept_of(database, row[0], row[3], row[4]))


def _removal(row: tuple[Any, ...], kept: "Kept") -> PastRemoval:
    run, started_at, engine_name, kind, object_id, name, action, reasons, size_bytes, low, high = row[:11]
    recognition, sent_at, ended_at, status, detail, freed_bytes = row[11:]
    known = _RECOGNITION.decode(recognition)
    may_be_lost = known.pop(LOST_UNLESS_ARCHIVED, None) is not None
    way_back = "recreate" if action == "untag" else kept.how or ("pull" if PULL in known else None)
    fields = {
        "run": run,
        "started_at": instant(started_at),
        "engine_name": engine_name,
        "kind": kind,
        "id": object_id,
        "name": name,
        "action": action,
        "reasons": tuple(_reason(*reason) for reason in _REASONS.decode(reasons)),
        "size_bytes": size_bytes,
        "predicted": Interval(low_bytes=low, high_bytes=high),
        "recognition": known,
        "sent_at": instant_or_none(sent_at),
        "ended_at": instant_or_none(ended_at),
        "status": status,
        "detail": detail,
        "freed_bytes": freed_bytes,
        "way_back": way_back if status == "removed" else None,
        "lost_archive": kept.lost_archive if way_back is None and status == "removed" else None,
        "is_lost": status == "removed" and way_back is None and may_be_lost and kept.lost_archive is None,
    }
    return msgspec.convert(fields, PastRemoval)


def _reason(code: ReasonCode, rule: str, text: str) -> Reason:
    """Return a reason from the ledger, which keeps the sentence that was shown then."""
    return Reason(code=code, rule=rule, about=InWords(text=text))
