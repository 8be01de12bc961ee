"""The ledger as a watcher uses it, which goes on without it and comes back to it."""

import os
from collections.abc import Callable
from typing import TypeVar

from dockersweep.commands.options import EngineOptions
from dockersweep.commands.watching.boot_clock import now_seconds
from dockersweep.errors import LedgerError
from dockersweep.ledger import Ledger, state_folder

REOPEN_SECONDS = 10.0

Value = TypeVar("Value")


class OpenLedger:
    """The ledger, opened again some time after it could not be used."""

    def __init__(self, options: EngineOptions) -> None:
        self._folder = state_folder(os.environ, os.geteuid()) if options.uses_ledger else None
        self._ledger: Ledger | None = None
        self._written: Ledger | None = None
        """The same, also once it is closed."""
        self._failed_at = float("-inf")
        self.problem: str | None = None
        """Why it cannot be used now."""

    def was_replaced(self) -> bool:
        """Return, once, whether another file, or none, has taken the place of the one that was written last."""
        if self._written is None or not self._written.is_replaced:
            return False
        self.close()
        self._written = None
        return True

    def do(self, work: Callable[[Ledger], Value], otherwise: Value) -> Value:
        """Return what `work` does; `otherwise` where the ledger cannot be used."""
        if self.problem is not None and now_seconds() - self._failed_at < REOPEN_SECONDS:
            return otherwise
        try:
            self._ledger = self._written = self._ledger or Ledger(self._folder, required=True)
            done = work(self._ledger)
        except LedgerError as error:
            self.close()
            self._failed_at, self.problem = now_seconds(), str(error)
            return otherwise
        self.problem = None
        return done

    def close(self) -> None:
        """Close it, until it is used again."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None
