"""Since when a stream of events has told all that happened, from how late they come."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime

from dockersweep.engine.reading.event_coverage import CLOCK_TOLERANCE
from dockersweep.model.event_reading import EngineEvent

LAG_NANOS = 80 * 10**6
LONGEST_LAGGING_RUN = 900
"""Docker drops an event once its channel of 1,024 has been full for 100 ms: so all 1,024 come at least that late."""
QUIET_NANOS = 10**9


class StreamProof:
    """Since when no event of a stream can be missing. Safe for several threads.

    Only an engine with the clock of this machine tells how late its events come.
    """

    def __init__(self, begins_at: datetime) -> None:
        """Nothing after `begins_at` was sent before the stream began."""
        self._lock = threading.Lock()
        self._begins_at = begins_at
        self._run = 0
        self._is_doubtful = False
        self._counted_nanos = 0

    def since(self) -> datetime | None:
        """Return since when; None while that is in doubt."""
        with self._lock:
            return None if self._is_doubtful else self._begins_at

    def count(self, events: Iterable[EngineEvent], now_nanos: int) -> None:
        """Count events that came just now, in the engine's order."""
        with self._lock:
            self._counted_nanos = now_nanos
            for event in events:
                lag = now_nanos - event.at_nanos
                # One from the future is of another clock.
                self._run = self._run + 1 if lag >= LAG_NANOS or lag < 0 else 0
                if self._run > LONGEST_LAGGING_RUN:
                    self._is_doubtful = True
                elif self._run == 0 and self._is_doubtful:
                    # What was dropped came before this one.
                    self._is_doubtful = False
                    self._begins_at = max(self._begins_at, _next_second(event.at_nanos))

    def begin_again(self, at: datetime, now_nanos: int) -> None:
        """Prove nothing for the time before `at`; a doubt ends once nothing has come for a while."""
        with self._lock:
            has_jumped = self._begins_at > at + CLOCK_TOLERANCE
            self._begins_at = at if has_jumped else max(self._begins_at, at)
            if abs(now_nanos - self._counted_nanos) > QUIET_NANOS:
                self._is_doubtful, self._run = False, 0


def _next_second(nanos: int) -> datetime:
    """Return the first whole second after an event: spans are kept in whole seconds."""
    return datetime.fromtimestamp(nanos // 10**9 + 1, UTC)
