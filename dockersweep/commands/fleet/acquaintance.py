"""Whether the engine that answers for a host is the one that a person has looked at there."""

import os
from datetime import UTC, datetime

from dockersweep.errors import RefusedError
from dockersweep.ledger import Ledger, state_folder
from dockersweep.model.inventory import Engine
from dockersweep.model.naming import engine_identity


def why_strange(uses_ledger: bool, engine: Engine) -> str | None:
    """Return what is to be said of an engine that answers where another one did when a person last looked; None where
    it is the same, or that is not known."""
    with _ledger(uses_ledger) as ledger:
        known = ledger.known_at(engine.endpoint, engine_identity(engine))
    if known is None or known[0] == engine_identity(engine):
        return None
    former = known[1] or "without a name"
    return f"another engine answers there, {engine.name}, than the one that was last looked at, {former}"


def refuse_strange(uses_ledger: bool, engine: Engine) -> None:
    """Raise RefusedError where nobody has looked at the engine since it took the place of another."""
    why = why_strange(uses_ledger, engine)
    if why is not None:
        raise RefusedError(f"{why}: look with `dockersweep plan` from a terminal, and run it again if it is right")


def note_look(uses_ledger: bool, engine: Engine) -> None:
    """Record that a person has looked at the engine."""
    with _ledger(uses_ledger) as ledger:
        ledger.looked_at(engine, datetime.now(UTC))


def _ledger(uses_ledger: bool) -> Ledger:
    return Ledger(state_folder(os.environ, os.geteuid()) if uses_ledger else None)
