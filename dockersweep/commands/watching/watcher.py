"""The loop of a watcher: it looks at the disks, decides, and starts sweeps."""

import time
from datetime import UTC, datetime

from dockersweep.commands.options import WatchOptions
from dockersweep.commands.watching.wakeup import Wakeup
from dockersweep.model.policy import Policy
from dockersweep.model.watching import EventState, WatchState


class Watcher:
    """One watcher on one engine."""

    def __init__(self, options: WatchOptions, policy: Policy) -> None:
        self.wakeup = Wakeup()
        """Wakes the loop: what the recorder is given, to say that a pull, load or build came."""
        self._options = options
        self._policy = policy
        self._started_at = datetime.now(UTC)
        self._ticked_at = time.monotonic()
        self._stopped_by: int | None = None

    def state(self) -> WatchState:
        """Return what the watcher knows of itself; for any thread."""
        return WatchState(
            started_at=self._started_at,
            endpoint="",
            engine=None,
            events=EventState(),
            policy_source=self._policy.source,
            ticked_at=self._ticked_at,
        )

    def stop(self, number: int) -> None:
        """End the loop, for the signal of that number."""
        self._stopped_by = number
        self.wakeup.wake()

    def run(self) -> int:
        """Go round until a signal ends it; return its number."""
        while self._stopped_by is None:
            self._ticked_at = time.monotonic()
            self.wakeup.wait(self._options.interval_seconds)
        return self._stopped_by
