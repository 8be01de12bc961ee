"""The outcome of one removal, for logs."""

import os
from datetime import UTC, datetime

import msgspec

from dockersweep.model.inventory import Engine, ObjectRef
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Decision, Plan, Removal, RemovalReasons
from dockersweep.report.text import printable
from dockersweep.words.reasons import joined_by_rule, rule_and_text

WARNING, NOTICE, INFORMATION = 4, 5, 6
"""Priorities of syslog(3), also used by the journal."""
_PRIORITY = {"removed": NOTICE, "failed": WARNING}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one removal: a line of the audit log."""

    at: datetime
    run: int | None
    """The number of the run in the ledger; None if no ledger is written."""
    pid: int
    engine: str | None
    """The engine's name."""
    engine_id: str | None
    endpoint: str
    kind: str
    id: str
    name: str
    action: str
    status: str
    detail: str | None
    reasons: tuple[str, ...]
    """Each begins with its rule: "stopped containers: stopped 10 days ago (limit 24 hours)"."""
    size_bytes: int | None
    freed_bytes: int | None


class LoggedRemoval(msgspec.Struct, frozen=True):
    """An outcome, as data and as a text."""

    entry: Entry
    reasons: str
    """All reasons in one text, which names each rule once."""

    @property
    def priority(self) -> int:
        """The syslog priority."""
        return _PRIORITY.get(self.entry.status, INFORMATION)

    @property
    def message(self) -> str:
        """One line for people: "remove container web: removed: stopped containers: stopped 10 days ago"."""
        entry = self.entry
        return printable(f"{entry.action} {entry.kind} {entry.name}: {entry.status}: {entry.detail or self.reasons}")


class Entries:
    """Makes the log entries of a run."""

    def __init__(self, engine: Engine, run: int | None) -> None:
        """`run` is its number in the ledger."""
        self._engine = engine
        self._run = run
        self._decisions: dict[ObjectRef, Decision] = {}
        self._reasons = RemovalReasons()

    def plan(self, plan: Plan) -> None:
        """Take the reasons from a plan that is about to be carried out."""
        self._decisions |= {decision.ref: decision for decision in plan.decisions}
        self._reasons = RemovalReasons()

    def of(self, removal: Removal, outcome: Outcome) -> LoggedRemoval:
        """Return the entry of a removal with its outcome."""
        decision = self._decisions.get(removal.ref)
        reasons = self._reasons.of(removal, decision) if decision else ()
        entry = Entry(
            at=datetime.now(UTC),
            run=self._run,
            pid=os.getpid(),
            engine=self._engine.name,
            engine_id=self._engine.id,
            endpoint=self._engine.endpoint,
            kind=removal.kind,
            id=removal.id,
            name=removal.name,
            action=removal.action,
            status=outcome.status,
            detail=outcome.detail,
            reasons=tuple(map(rule_and_text, reasons)),
            size_bytes=decision.size_bytes if decision else None,
            freed_bytes=outcome.freed_bytes,
        )
        return LoggedRemoval(entry, joined_by_rule(reasons))
