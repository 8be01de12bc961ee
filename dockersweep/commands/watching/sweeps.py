"""The sweeps of a watcher, one at a time, and how the last ones ended."""

import signal
import time
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec.structs import replace

from dockersweep.commands.options import WatchOptions
from dockersweep.commands.watching.children import Child, Work
from dockersweep.commands.watching.watch_log import WatchLog, ended_words
from dockersweep.model.policy import Policy, WatchSettings
from dockersweep.model.watching import ChildResult, ChildTask, LastSweep, SweepCause
from dockersweep.policy.watching.deciding import pause_seconds, tries_rules_again
from dockersweep.policy.watching.repeated_notices import Told, still_to_tell, told_after, told_of_failure
from dockersweep.policy.watching.repeated_warnings import WarningNotices
from dockersweep.units import format_instant

LOOK_AGAIN_SECONDS = 3_600.0
"""How often the engine's disks are looked for without a sweep: one may be mounted or moved."""
LOOK_RETRY_SECONDS = 60.0
LOOK_SOON_SECONDS = 600.0
"""How often they are looked for while a disk is short of space that the target is not about."""
TOLD_AGAIN_SECONDS = 3_600.0
"""After how long it is told again that nothing comes of a sweep."""


class _Lasting(NamedTuple):
    """In which way nothing came of a sweep."""

    cause: SweepCause
    exit_status: int
    is_busy: bool
    has_outcome: bool


def _lasting(cause: SweepCause, result: ChildResult) -> _Lasting | None:
    """Return in which way nothing came of a sweep that failed or missed its target; None for any other."""
    if not result.exit_status or result.removed or result.failed:
        return None
    return _Lasting(cause, result.exit_status, result.is_busy, result.has_outcome)


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
        self.fold_from = 0.0
        """When a scan may be made next for the events that wait, whether or not one before could."""
        self._had_look = True
        self._told: Told = {}
        """What those have heard already whom the policy tells."""
        self._looked_at = self._ended_at = float("-inf")
        self._found_enough = 0
        self._lasting: _Lasting | None = None
        self._told_at = float("-inf")
        self._warnings = WarningNotices()
        self._is_ending = False
        self._is_outdated = False
        """Whether the policy has changed since the sweep that is under way began."""
        self._policy: Policy | None = None
        """That of the last sweep, with whom is still to be told."""

    @property
    def is_busy(self) -> bool:
        """Whether a child is at work."""
        return self._child is not None

    @property
    def result_ends(self) -> tuple[int, ...]:
        """What can be read where the child has ended."""
        return () if self._child is None else (self._child.result_end,)

    def pause_for_space(self, last_arrival: float | None) -> float | None:
        """Return until when no sweep is made for space; where the last one found enough, at most until something is
        pulled, loaded or built."""
        found_enough = self._found_enough > 0 and last_arrival is not None and last_arrival > self._ended_at
        return None if found_enough else self.no_space_before

    def look_again(self, *, at_once: bool) -> None:
        """Look for the engine's disks again: it came back, or is another one. One that comes and goes is not looked at
        each time, unless that must be `at_once`."""
        not_before = 0.0 if at_once else self._looked_at + LOOK_RETRY_SECONDS
        self.look_due_at = min(self.look_due_at, not_before)

    def look_soon(self) -> None:
        """Look for the engine's disks again, unless that was just done."""
        self.look_due_at = min(self.look_due_at, self._looked_at + LOOK_SOON_SECONDS)

    def begin_anew(self) -> None:
        """Wait for nothing that an earlier policy came to."""
        self.no_space_before = None
        self.no_rules_before = None if self.no_rules_before is None else time.monotonic()
        self._lasting = None
        self._is_outdated = self.sweeping is not None

    def look(self, policy: Policy) -> None:
        """Begin to look for the engine's disks."""
        self.look_due_at = self.fold_from = time.monotonic() + LOOK_RETRY_SECONDS
        self._start("look", ChildTask(policy=policy))

    def sweep(self, cause: SweepCause, why: str | None, policy: Policy) -> None:
        """Begin a sweep; one for space leaves the rules out."""
        if self._lasting is None or self._lasting.cause != cause:
            self._log.sweep_begins(cause, why)
        self._began_at = datetime.now(UTC)
        self.sweeping, self._is_outdated = cause, False
        policy = policy if cause == "schedule" else replace(policy, only_target=True)
        if policy.notify is not None:
            policy = replace(policy, notify=still_to_tell(policy.notify, self._told, time.monotonic()))
        self._policy = policy
        self._start("sweep", ChildTask(policy=policy))

    def _start(self, work: Work, task: ChildTask) -> bool:
        """Start a child; return whether that was possible."""
        try:
            self._child = Child(work, self._options, task)
        except OSError as error:
            # No memory, or no processes left.
            self._log.notice(f"no process can be started: {error.strerror}")
        return self._child is not None

    def ended(self, settings: WatchSettings) -> tuple[SweepCause | None, ChildResult] | None:
        """Return what a child came to that has ended since, with the cause of a sweep; None for none."""
        if self._child is None and self.sweeping is not None:
            result = ChildResult(exit_status=1, problem="its process could not be started", broke_off=True)
        elif self._child is None or (found := self._child.poll()) is None:
            return None
        else:
            result, work = found, self._child.work
            self._child.close()
            self._child = None
            if work == "tell":
                return None, result
        cause, self.sweeping = self.sweeping, None
        if cause is not None:
            self._sweep_ended(cause, result, settings)
        elif result.problem is not None and self._had_look and not self._is_ending:
            self._log.notice(f"the engine's disks could not be looked for: {result.problem}; trying again")
        self._had_look = result.look is not None
        if result.look is not None:
            self._looked_at = time.monotonic()
            self.look_due_at = self._looked_at + LOOK_AGAIN_SECONDS
        if cause is not None and result.broke_off and not self._is_ending:
            self._tell_of_broken(result)
        return cause, result

    def _tell_of_broken(self, result: ChildResult) -> None:
        """Tell whom the policy names of a sweep that broke off, which it could not do itself."""
        policy = self._policy
        if policy is None or policy.notify is None or "failed" not in policy.notify.on:
            return
        if self._options.run.notifies and self._start("tell", ChildTask(policy=policy, broken=result)):
            self._told = told_of_failure(self._told, time.monotonic())

    def _sweep_ended(self, cause: SweepCause, result: ChildResult, settings: WatchSettings) -> None:
        self._told = told_after(self._told, result, time.monotonic())
        now = self._ended_at = time.monotonic()
        pause = pause_seconds(cause, result, settings, self._found_enough)
        found_enough = cause == "space" and result.has_outcome and not result.target_began
        self._found_enough = self._found_enough + 1 if found_enough else 0
        self.no_rules_before = now + settings.backoff.seconds if tries_rules_again(cause, result) else None
        self.no_space_before = None if pause is None or self._is_outdated else now + pause
        self._tell_end(cause, result)
        key = (cause, result.exit_status)
        self.counts = {**self.counts, key: self.counts.get(key, 0) + 1}
        self.last = LastSweep(
            cause=cause,
            started_at=self._began_at,
            finished_at=datetime.now(UTC),
            exit_status=result.exit_status,
            removed=None if result.broke_off else result.removed,
            freed_bytes=result.freed_bytes,
            target_reached=result.target_reached,
            run=result.run,
            problem=ended_words(result) if result.exit_status else None,
        )

    def _tell_end(self, cause: SweepCause, result: ChildResult) -> None:
        """Tell how a sweep ended: where nothing comes of it in the same way again and again, once an hour."""
        lasting = _lasting(cause, result)
        now = time.monotonic()
        for warning in self._warnings.to_tell(result.warnings, now):
            self._log.warned(warning)
        if lasting is None or lasting != self._lasting or now - self._told_at >= TOLD_AGAIN_SECONDS:
            self._log.sweep_ends(cause, result, self._then(cause, result))
            self._told_at = now
        self._lasting = lasting

    def _then(self, cause: SweepCause, result: ChildResult) -> str:
        if self._is_ending:
            return ""
        if result.problem is not None:
            # Rules that would fail again in the same way are next tried when they are due again.
            before = self.no_rules_before if cause == "schedule" else self.no_space_before
            return "" if before is None else f"; tried again from {_at(before)} on"
        if self.no_space_before is None or not result.target_began:
            return ""
        return f"; no sweep for space before {_at(self.no_space_before)}"

    def stop(self, number: int) -> None:
        """Have the child end, which is the last; what it begins with would make a traceback of SIGINT."""
        self._is_ending = True
        if self._child is not None:
            self._child.end(signal.SIGTERM if number == signal.SIGINT else number)

    def close(self) -> None:
        """Kill what is left."""
        if self._child is not None:
            self._child.close()
            self._child = None


def _at(seconds: float) -> str:
    """Return an instant of the monotonic clock as the clock on the wall will show it."""
    return format_instant(datetime.fromtimestamp(time.time() + seconds - time.monotonic(), UTC))
