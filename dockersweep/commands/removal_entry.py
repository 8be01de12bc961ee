"""The outcome of one removal, for logs."""

import os
from datetime import UTC, datetime

import msgspec

from dockersweep.model.inventory import Engine, ObjectRef
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Decision, Plan, Removal, RemovalReasons
from dockersweep.report.text import printable
from dockersweep.words.reasons import rule_and_text

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

    @property
    def priority(self) -> int:
        """The syslog priority."""
        return _PRIORITY.get(self.status, INFORMATION)

    @property
    def message(self) -> str:
        """One line for people: "remove container web: removed: stopped containers: stopped 10 days ago"."""
        why = self.detail or "; ".join(self.reasons)
        return printable(f"{self.action} {self.kind} {self.name}: {self.status}: {why}")


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

    def of(self, removal: Removal, outcome: Outcome) -> Entry:
        """Return the entry of a removal with its outcome."""
        decision = self._decisions.get(removal.ref)
        return Entry(
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
            reasons=tuple(map(rule_and_text, self._reasons.of(removal, decision))) if decision else (),
            size_bytes=decision.size_bytes if decision else None,
            freed_bytes=outcome.freed_bytes,
        )
