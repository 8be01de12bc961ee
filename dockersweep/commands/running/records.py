"""The records of a run: the ledger, the audit log and the event log."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field

from dockersweep.commands.event_log import EventLog
from dockersweep.commands.removal_entry import Entries
from dockersweep.commands.running.audit_log import AuditLog
from dockersweep.ledger import Ledger, RunRecord
from dockersweep.model.attempt import Attempt, attempt_of
from dockersweep.model.history import ArchivedRow
from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Plan, Removal
from dockersweep.model.recovery import EarlyDeletion


class Records(Struct, frozen=True):
    """Records each removal as it happens."""

    run: RunRecord
    audit_log: AuditLog
    events: EventLog
    entries: Entries

    def plan(self, plan: Plan, inventory: Inventory) -> None:
        """Record a plan that is about to be carried out."""
        self.run.plan(plan, inventory)
        if self._has_logs:
            self.entries.plan(plan)

    @property
    def _has_logs(self) -> bool:
        return self.audit_log.is_open or self.events.is_on

    def sending(self, removal: Removal, document: bytes | None = None) -> None:
        """Record that a removal is about to be sent, and of a network the engine's document about it."""
        if document is not None:
            self.run.definition(removal.kind, removal.id, document)
        self.run.sending(removal)

    def archived(self, what: ArchivedRow) -> None:
        """Record that an object is in the archive."""
        self.run.archived(what)

    def deleted_early(self, folder: str, deleted: Sequence[EarlyDeletion]) -> None:
        """Record which runs were deleted from the archive before their time."""
        self.run.deleted_early(folder, deleted)

    def ended(self, removal: Removal, outcome: Outcome) -> None:
        """Record the outcome of a removal. If it is unknown, the ledger keeps only that it was sent: the next run
        looks."""
        if self._has_logs:
            logged = self.entries.of(removal, outcome)
            self.audit_log.write(logged)
            self.events.removal(logged)
        if not outcome.is_unknown:
            self.run.ended(removal, outcome)

    def failed_inside(self, error: Exception) -> None:
        """Report an unexpected error that ends the run."""
        self.events.bug(error)


class FailedBefore(Struct):
    """Knows in how many runs before this one each removal failed.

    Removals that this run has tried are not looked up again: by then the ledger counts this run too.
    """

    ledger: Ledger
    _known: dict[Attempt, tuple[int, datetime]] = field(default_factory=dict)
    _tried: set[Attempt] = field(default_factory=set)

    def of(self, plan: Plan) -> Mapping[Attempt, tuple[int, datetime]]:
        """Return (failed runs, since) for the removals of a plan that is about to be carried out."""
        failed = self.ledger.failed_before(plan.engine, plan.removals)
        self._known |= {attempt: runs for attempt, runs in failed.items() if attempt not in self._tried}
        self._tried |= {attempt_of(removal) for removal in plan.removals}
        return self._known
