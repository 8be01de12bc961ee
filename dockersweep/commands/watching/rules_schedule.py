"""When a watcher carries out the rules, by the clock on the wall and what the ledger has of the last time."""

import socket
import time
from contextlib import suppress
from datetime import datetime, timedelta

from dockersweep.commands.gather import open_ledger
from dockersweep.commands.options import EngineOptions
from dockersweep.errors import LedgerError
from dockersweep.model.inventory import Engine
from dockersweep.model.policy import Schedule, WatchSettings
from dockersweep.policy.watching.schedule import believed, first_last, made_up_for, next_due, splay_of


class RulesSchedule:
    """The schedule of one watcher; unknown until the engine has answered."""

    def __init__(self, options: EngineOptions, started_at: datetime) -> None:
        self._options = options
        self._started_at = started_at
        self._engine: Engine | None = None
        self._last: datetime | None = None

    def begin(self, engine: Engine, settings: WatchSettings) -> None:
        """Find out when the rules of an engine were carried out last; for a new watcher, count from now."""
        self._engine = engine
        with open_ledger(self._options) as ledger:
            self._last = ledger.scheduled_at(engine)
        if self._last is None:
            self._keep(first_last(settings.sweep, self._started_at, self._splay(settings)))

    def due_at(self, settings: WatchSettings, now: datetime) -> datetime | None:
        """Return when they are due, which may be past; None for never, and where that is not known yet."""
        if self._last is None:
            return None
        self._last = believed(settings.sweep, self._last, now)
        splay = self._splay(settings)
        due = next_due(settings.sweep, self._last, _offset, _of_day(settings.sweep, splay))
        return None if due is None else made_up_for(due, self._started_at, splay)

    def done(self, started_at: datetime) -> None:
        """Record that they were carried out."""
        self._keep(started_at)

    def _keep(self, at: datetime) -> None:
        self._last = at
        if self._engine is None:
            return
        # Without a ledger it is known until the watcher ends.
        with suppress(LedgerError), open_ledger(self._options) as ledger:
            ledger.keep_scheduled(self._engine, at)

    def _splay(self, settings: WatchSettings) -> timedelta:
        name = "" if self._engine is None else self._engine.endpoint
        return splay_of(timedelta(seconds=settings.splay.seconds), f"{_machine()} {name}")


def _of_day(schedule: Schedule, splay: timedelta) -> timedelta:
    return timedelta(0) if schedule.daily_minute is None else splay


def _offset(instant: datetime) -> timedelta:
    # The zone of the machine may have been changed since.
    time.tzset()
    return timedelta(seconds=time.localtime(instant.timestamp()).tm_gmtoff)


def _machine() -> str:
    with suppress(OSError, ValueError), open("/etc/machine-id", encoding="ascii") as file:
        return file.read(64).strip() or socket.gethostname()
    return socket.gethostname()
