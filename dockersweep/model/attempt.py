"""One removal as it is tried: what tells it from all others of a run, and what became of it."""

from dockersweep.model.history import InHand
from dockersweep.model.outcome import Outcome, Status
from dockersweep.model.plan import Removal

Attempt = tuple[str, str, str, str]
"""Kind, id, action and name of a removal: an image may lose several tags before it goes."""


def attempt_of(removal: Removal | Outcome | InHand) -> Attempt:
    """Return what tells a removal from the others of its run."""
    return removal.kind, removal.id, removal.action, removal.name


def outcome_for(
    removal: Removal | InHand, status: Status, detail: str | None = None, freed_bytes: int | None = None
) -> Outcome:
    """Return the outcome of a removal; `freed_bytes` is what is proven to have been freed, None where nothing is."""
    return Outcome(
        kind=removal.kind,
        id=removal.id,
        name=removal.name,
        action=removal.action,
        status=status,
        detail=detail,
        freed_bytes=freed_bytes,
        is_there=False if status in ("removed", "gone") else None,
    )
