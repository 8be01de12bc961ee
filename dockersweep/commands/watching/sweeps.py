"""The sweeps of a watcher, one at a time, and how the last ones ended."""

import time
from datetime import UTC, datetime

from msgspec.structs import replace

from dockersweep.commands.options import WatchOptions
from dockersweep.commands.watching.children import Child, Work
from dockersweep.commands.watching.watch_log import WatchLog
from dockersweep.model.policy import Policy, WatchSettings
from dockersweep.model.watching import ChildResult, LastSweep, SweepCause
from dockersweep.policy.watching.deciding import SweepEnd, backs_off, tries_rules_again
from dockersweep.policy.watching.repeated_notices import Told, still_to_tell, told_after
from dockersweep.units import format_instant

LOOK_AGAIN_SECONDS = 3_600.0
"""How often the engine's disks are looked for without a sweep: one may be mounted or moved."""
LOOK_RETRY_SECONDS = 60.0


class Sweeps:
    """At most one child, of which the loop asks again and again how far it is."""

    def __init__(self, options: WatchOptions, log: WatchLog) -> None:
        self._options = options
        self._log = log
        self._child: Child | None = None
        self._began_at = datetime.now(UTC)
        self.sweeping: SweepCause | None = None
        """Why a sweep is under way; None for none."""
        self.last: LastSweep | None = None
        self.counts: dict[tuple[SweepCause, int], int] = {}
        self.no_space_before: float | None = None
        """Until when no sweep is made for space, in seconds of the monotonic clock."""
        self.no_rules_before: float | None = None
        self.look_due_at = 0.0
        """When the engine's disks are looked for next."""
        self._had_look = True
        self._told: Told = {}
        """What those have heard already whom the policy tells."""

    @property
    def is_busy(self) -> bool:
        """Whether a child is at work."""
        return self._child is not None

    @property
    def result_ends(self) -> tuple[int, ...]:
        """What can be read where the child has ended."""
        return () if self._child is None else (self._child.result_end,)

    def look(self, policy: Policy) -> None:
        """Begin to look for the engine's disks."""
        self.look_due_at = time.monotonic() + LOOK_RETRY_SECONDS
        self._start("look", policy)

    def sweep(self, cause: SweepCause, why: str | None, policy: Policy) -> None:
        """Begin a sweep; one for space leaves the rules out."""
        self._log.sweep_begins(cause, why)
        self._began_at = datetime.now(UTC)
        self.sweeping = cause
        policy = policy if cause == "schedule" else replace(policy, only_target=True)
        if policy.notify is not None:
            policy = replace(policy, notify=still_to_tell(policy.notify, self._told, time.monotonic()))
        self._start("sweep", policy)

    def _start(self, work: Work, policy: Policy) -> None:
        try:
            self._child = Child(work, self._options, policy)
        except OSError as error:
            # No memory, or no processes left.
            self._log.notice(f"no process can be started: {error.strerror}")

    def ended(self, settings: WatchSettings) -> tuple[SweepCause | None, ChildResult] | None:
        """Return what a child came to that has ended since, with the cause of a sweep; None for none."""
        if self._child is None and self.sweeping is not None:
            result = ChildResult(exit_status=1, problem="its process could not be started")
        elif self._child is None or (found := self._child.poll()) is None:
            return None
        else:
            result = found
            self._child.close()
            self._child = None
        cause, self.sweeping = self.sweeping, None
        if cause is not None:
            self._sweep_ended(cause, result, settings)
        elif result.problem is not None and self._had_look:
            self._log.notice(f"the engine's disks could not be looked for: {result.problem}; trying again")
        self._had_look = result.look is not None
        if result.look is not None:
            self.look_due_at = time.monotonic() + LOOK_AGAIN_SECONDS
        return cause, result

    def _sweep_ended(self, cause: SweepCause, result: ChildResult, settings: WatchSettings) -> None:
        end = SweepEnd(
            cause=cause,
            exit_status=result.exit_status,
            has_outcome=result.has_outcome,
            removed=result.removed,
            target_reached=result.target_reached,
        )
        self._told = told_after(self._told, result, time.monotonic())
        pause = settings.backoff.seconds
        until = time.monotonic() + pause
        self.no_rules_before = until if tries_rules_again(end) else None
        self.no_space_before = until if backs_off(end) else None
        self._log.sweep_ends(cause, result, self._then(pause))
        key = (cause, result.exit_status)
        self.counts = {**self.counts, key: self.counts.get(key, 0) + 1}
        self.last = LastSweep(
            cause=cause,
            started_at=self._began_at,
            finished_at=datetime.now(UTC),
            exit_status=result.exit_status,
            removed=result.removed,
            freed_bytes=result.freed_bytes,
            target_reached=result.target_reached,
            run=result.run,
        )

    def _then(self, pause: int) -> str:
        at = format_instant(datetime.fromtimestamp(time.time() + pause, UTC))
        if self.no_rules_before is not None:
            return f"; the rules are tried again at {at}"
        return "" if self.no_space_before is None else f"; no sweep for space before {at}"

    def stop(self, number: int) -> None:
        """Hand a signal to the child."""
        if self._child is not None:
            self._child.end(number)

    def close(self) -> None:
        """Kill what is left."""
        if self._child is not None:
            self._child.close()
            self._child = None
