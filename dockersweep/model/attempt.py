"""One attempt at a removal: what identifies it within a run, and its outcome."""

from dockersweep.model.history import InHand
from dockersweep.model.outcome import Outcome, Status
from dockersweep.model.plan import Removal

Attempt = tuple[str, str, str, str]
"""Kind, id, action and name of a removal: an image may lose several tags before it is removed."""


def attempt_of(removal: Removal | Outcome | InHand) -> Attempt:
    """Return the key of a removal within its run."""
    return removal.kind, removal.id, removal.action, removal.name


def outcome_for(
    removal: Removal | InHand, status: Status, detail: str | None = None, freed_bytes: int | None = None
) -> Outcome:
    """Return the outcome of a removal; `freed_bytes` is what was provably freed, None where nothing is proven. It has
    the way back that the plan says."""
    return Outcome(
        kind=removal.kind,
        id=removal.id,
        name=removal.name,
        action=removal.action,
        status=status,
        detail=detail,
        freed_bytes=freed_bytes,
        is_there=False if status in ("removed", "gone") else None,
        recovery=removal.recovery if status == "removed" and isinstance(removal, Removal) else None,
    )
