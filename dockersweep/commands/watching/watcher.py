"""The loop of a watcher: it records events, looks at the disks, decides, and starts sweeps."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from dockersweep.commands.options import WatchOptions
from dockersweep.commands.removal_entry import NOTICE
from dockersweep.commands.watching.disk_watch import DiskWatch
from dockersweep.commands.watching.policy_file import WatchedPolicy
from dockersweep.commands.watching.recording import Recorder
from dockersweep.commands.watching.rules_schedule import RulesSchedule
from dockersweep.commands.watching.sweeps import Sweeps
from dockersweep.commands.watching.systemd import Systemd, sweeps_beside
from dockersweep.commands.watching.wakeup import Wakeup
from dockersweep.commands.watching.watch_lock import WatchLock
from dockersweep.commands.watching.watch_log import CAUSE_WORDS, WatchLog
from dockersweep.model.inventory import Engine
from dockersweep.model.naming import engine_identity
from dockersweep.model.watching import ChildResult, EventGap, SummedGaps, SweepCause, WatchState
from dockersweep.policy.watching.deciding import Choice, Situation, choose
from dockersweep.policy.watching.policy_changes import policy_changes
from dockersweep.policy.watching.repeated_gaps import Absences, GapNotices
from dockersweep.report.policy import target_words
from dockersweep.units import format_instant

ROUND_SECONDS = 1.0
"""How often what came is recorded."""
CLOCK_JUMPS = timedelta(seconds=30)
"""How far the clock has to move against the monotonic one to be told of."""
_WAIT_WORDS = {
    "settling": "something was pulled, loaded or built a moment ago",
    "backing-off": "the last sweep did not help",
    "no-engine": "the engine is away",
}


class Watcher:
    """One watcher on one engine."""

    def __init__(self, options: WatchOptions, endpoint: str) -> None:
        """Read the policy. Raises UsageError where it does not hold or cannot be watched."""
        self.wakeup = Wakeup()
        self.log = WatchLog(options.run.output.log_format)
        self.on_sweep: Callable[[], None] = lambda: None
        """Called when a sweep has ended, and `state` tells of it."""
        self._options = options
        self._endpoint = endpoint
        self._policy = WatchedPolicy(options.policy)
        self._started_at = datetime.now(UTC)
        self._recorder = Recorder(options.run.engine, self.wakeup.wake)
        self._systemd = Systemd(os.environ)
        self._disks = DiskWatch()
        self._schedule = RulesSchedule(options.run.engine, self._started_at)
        self._sweeps = Sweeps(options, self.log)
        self._engine: Engine | None = None
        self._lock = WatchLock()
        self._signals: list[int] = []
        self._ended_by: int | None = None
        """The signal that ends the watcher; None for none so far."""
        self._checked_at = float("-inf")
        self._due_since: float | None = None
        self._told_wait: tuple[SweepCause, str] | None = None
        self._notify_faults: tuple[str, ...] = ()
        """Those that were told of."""
        self._told_refusal: str | None = None
        self._told_away = False
        self._told_comparison = False
        self._absences = Absences()
        self._gaps = GapNotices()
        self._away_since: float | None = time.monotonic()
        self._told_ledger: str | None = None
        self._clock = datetime.now(UTC) - timedelta(seconds=time.monotonic())
        self._next_at: datetime | None = None
        self._waits: str | None = None
        self._ticked_at = time.monotonic()
        self._state = self._state_now()

    @property
    def policy(self) -> WatchedPolicy:
        """The policy in force, for what reports on the side."""
        return self._policy

    def state(self) -> WatchState:
        """Return what the watcher knows of itself; for any thread."""
        return self._state

    def on_signal(self, number: int) -> None:
        """Note a signal, for the next round. Called from signal handlers."""
        self._signals.append(number)
        self.wakeup.wake()

    def run(self) -> int:
        """Go round until a signal ends it; return its number."""
        self.log.started(tuple(self._beginning()))
        self._tell_of_policy()
        if chosen_now := os.environ.get("DOCKERSWEEP_NOW"):
            self.log.notice(f"DOCKERSWEEP_NOW is set: ages are as of {chosen_now}, while all else goes by the clock")
        self._recorder.start()
        self._systemd.ready()
        try:
            while (number := self._round()) is None:
                self.wakeup.wait(ROUND_SECONDS, self._sweeps.result_ends)
            return number
        finally:
            self._systemd.stopping()
            self._sweeps.close()
            self._recorder.close()
            self._lock.close()
            self._tell_of_recorder()
            for summed in self._gaps.left():
                self.log.gaps(summed)

    def _beginning(self) -> Iterator[str]:
        yield f"watching {self._endpoint} by {self._policy.policy.source}: {'; '.join(self._what_it_does())}"
        beside = sweeps_beside()
        if beside is not None:
            yield f'{beside}: this machine is swept by both; disable it, or give sweep = "never" in [watch]'

    def _what_it_does(self) -> Iterator[str]:
        policy, settings = self._policy.policy, self._policy.settings
        yield "no target" if policy.target is None else f"target: {target_words(policy.target)}"
        is_never = policy.only_target or settings.sweep.text == "never"
        later = "" if is_never or settings.splay.is_zero else f", up to {settings.splay.words()} later"
        rules = "never" if is_never else f"{settings.sweep.text}{later}"
        yield f"rules: {rules}" if policy.rules else "rules: none"

    def _tell_of_policy(self) -> None:
        """Tell what somebody may not expect of the policy in force."""
        self._notify_faults = ()
        self._tell_of_notify()
        if self._policy.policy.target is None:
            self.log.notice(
                "there is no [target] in the policy, so space is not watched, and only the schedule sweeps; with one, "
                "`dockersweep plan --only-target` shows what it would take",
                NOTICE,
            )

    def _tell_of_notify(self) -> None:
        """Tell why those cannot be told whom the policy names, where that is not known yet."""
        settings = self._policy.policy.notify
        if settings is None or not self._options.run.notifies:
            return
        # Imported late: few policies tell anybody.
        from dockersweep.commands.notifying.checks import notify_faults

        before, self._notify_faults = self._notify_faults, tuple(notify_faults(settings))
        for fault in self._notify_faults:
            if fault not in before:
                self.log.notice(f"notify: {fault}")

    def _round(self) -> int | None:
        """Go round once; return the signal that ends the watcher once everything has come to its end."""
        self._ticked_at = time.monotonic()
        ending = self._take_signals()
        self._recorder.record()
        self._tell_of_recorder()
        self._tell_of_clock()
        has_swept = self._take_result()
        is_over = ending is not None and not self._sweeps.is_busy
        if ending is None:
            self._check()
            self._decide()
        self._state = self._state_now()
        if has_swept:
            self.on_sweep()
        self._systemd.alive(self._status())
        return ending if is_over else None

    def _take_signals(self) -> int | None:
        """Return the signal that ends the watcher, if one came. The first is handed to a sweep, which ends after the
        removal that is under way; a second one ends that at once."""
        taken, self._signals = self._signals, []
        for number in taken:
            if number == signal.SIGHUP:
                self._read_policy(always=True)
                continue
            if self._ended_by is None:
                self.log.stops(signal.Signals(number).name, self._sweeps.sweeping is not None)
            self._ended_by = number
            self._sweeps.stop(number)
        return self._ended_by

    def _tell_of_recorder(self) -> None:
        for gap in self._gaps.to_tell(self._recorder.take_gaps(), time.monotonic()):
            self._tell_of_gap(gap)
        events = self._recorder.state
        if events.ledger_problem != self._told_ledger:
            self._told_ledger = events.ledger_problem
            self.log.ledger(events.ledger_problem)
        if (problem := self._recorder.comparison_problem) is None:
            self._told_comparison = False
        elif not self._told_comparison:
            self._told_comparison = True
            self.log.uncompared(problem)
        if events.refusal != self._told_refusal and (events.refusal is not None or events.is_connected):
            self._told_refusal = events.refusal
            self.log.unfollowed(events.refusal)
        now, engine = time.monotonic(), self._recorder.engine_there
        if engine is None:
            self._away_since = self._away_since or now
            if not self._told_away and now - self._away_since > self._absences.patience(now):
                self._told_away = True
                self._absences.told(now)
                self.log.engine_away(self._endpoint, self._recorder.engine_problem)
            return
        is_new = self._engine is None or engine_identity(self._engine) != engine_identity(engine)
        if is_new or self._away_since is not None:
            away_since = self._away_since if self._told_away else None
            self._meet(engine, is_new, None if away_since is None else now - away_since)
            self._away_since, self._told_away = None, False

    def _tell_of_gap(self, gap: EventGap | SummedGaps) -> None:
        if isinstance(gap, SummedGaps):
            self.log.gaps(gap)
        else:
            self.log.gap(gap)

    def _meet(self, engine: Engine, is_new: bool, away_seconds: float | None) -> None:
        """Take note of the engine, which may be another one than before."""
        if is_new:
            self._schedule.begin(engine, self._policy.settings)
            self._tell_of_other(engine)
            self._disks.look = None
        if is_new or away_seconds is not None:
            self.log.engine_there(
                engine, away_seconds, self._rules_at(), is_followed=self._recorder.state.refusal is None
            )
        self._engine = engine
        self._sweeps.look_again(at_once=is_new)

    def _tell_of_other(self, engine: Engine) -> None:
        """Tell of another watcher on the same engine."""
        other = self._lock.take(engine)
        if other is not None:
            self.log.notice(
                f"{other} watches the engine at {engine.endpoint} too: both sweep it, and tell of that; end one of them"
            )

    def _tell_of_clock(self) -> None:
        clock = datetime.now(UTC) - timedelta(seconds=time.monotonic())
        if abs(clock - self._clock) > CLOCK_JUMPS:
            self.log.clock_jumped(clock - self._clock)
            self._clock = clock

    def _take_result(self) -> bool:
        """Take what a child came to that has ended; return whether that was a sweep."""
        ended = self._sweeps.ended(self._policy.settings)
        if ended is None:
            return False
        cause, result = ended
        if result.look is not None:
            self._take_look(result)
        if cause is not None:
            self._tell_of_notify()
        if cause == "schedule" and self._sweeps.no_rules_before is None and self._sweeps.last is not None:
            self._schedule.done(self._sweeps.last.started_at)
        self._checked_at = float("-inf")
        return cause is not None

    def _take_look(self, result: ChildResult) -> None:
        before = self._disks.look
        self._disks.look = result.look
        unseen = None if result.look is None else result.look.why_unseen
        was_unseen = None if before is None else before.why_unseen
        if unseen is not None and unseen != was_unseen and self._policy.policy.target is not None:
            self.log.notice(f"{unseen}: the target is looked at only by the sweeps of the schedule")

    def _check(self) -> None:
        """Look at the disks and at the policy's file, if it is time."""
        now = time.monotonic()
        arrived = self._recorder.last_arrival
        is_new = arrived is not None and arrived > self._checked_at
        if now - self._checked_at < self._options.interval_seconds and not is_new:
            return
        self._checked_at = now
        self._read_policy()
        self._disks.check(self._policy.policy.target, is_new)
        if self._disks.has_news:
            self._sweeps.look_soon()

    def _read_policy(self, always: bool = False) -> None:
        before, was_refused = self._policy.policy, self._policy.problem
        if always:
            self._systemd.reloading()
        if self._policy.look(always):
            problem = self._policy.problem
            if problem is not None and (problem != was_refused or always):
                self.log.policy_refused(problem)
            elif problem is None and (self._policy.policy != before or was_refused is not None or always):
                changes = tuple(policy_changes(before, self._policy.policy))
                self.log.policy_changed(self._policy.policy.source, changes, tuple(self._what_it_does()))
                self._tell_of_policy()
            if self._policy.policy != before:
                # What kept a sweep from helping may be mended.
                self._sweeps.begin_anew()
            if self._policy.policy.target != before.target:
                self._sweeps.look_due_at = 0.0
        if always:
            self._systemd.ready()

    def _decide(self) -> None:
        if self._sweeps.is_busy:
            return
        now, policy = time.monotonic(), self._policy.policy
        choice, cause = self._choice(now)
        if choice.sweeps is not None:
            # What came up to now counts as a use, and what may have been missed as a gap.
            self._recorder.flush()
            self._sweeps.sweep(choice.sweeps, self._disks.why, policy)
            return
        self._tell_wait(cause, choice)
        wants_fold = self._recorder.wants_folding and now >= self._sweeps.fold_from
        if self._recorder.state.is_answering and (now >= self._sweeps.look_due_at or wants_fold):
            # A scan makes uses of the events that wait in the ledger.
            self._sweeps.look(policy)

    def _choice(self, now: float) -> tuple[Choice, SweepCause]:
        """Return what to do, and for what of it is due."""
        settings = self._policy.settings
        clock = datetime.now(UTC)
        self._next_at = self._rules_at()
        rules_are_due = self._next_at is not None and self._next_at <= clock
        begins = self._disks.begins
        self._due_since = (self._due_since or now) if rules_are_due or begins else None
        situation = Situation(
            now=now,
            is_connected=self._recorder.state.is_answering,
            rules_are_due=rules_are_due,
            target_begins=begins,
            due_since=self._due_since,
            last_arrival=self._recorder.last_arrival,
            no_rules_before=self._sweeps.no_rules_before,
            no_space_before=self._sweeps.pause_for_space(self._recorder.last_arrival),
        )
        return choose(situation, settings), "schedule" if rules_are_due else "space"

    def _rules_at(self) -> datetime | None:
        """Return when the rules are due; None for never, and where that is not known yet."""
        if self._policy.policy.only_target:
            return None
        return self._schedule.due_at(self._policy.settings, datetime.now(UTC))

    def _tell_wait(self, cause: SweepCause, choice: Choice) -> None:
        """Tell why a sweep waits, once."""
        if choice.waits is None:
            self._told_wait = self._waits = None
            return
        self._waits = _WAIT_WORDS[choice.waits]
        if self._told_wait == (cause, choice.waits):
            return
        self._told_wait = (cause, choice.waits)
        # The end of the last sweep has told of a pause, and the engine's absence is told by itself.
        if choice.waits == "settling" and self._due_since is not None:
            settings = self._policy.settings
            left = self._due_since + settings.settle_at_most.seconds - time.monotonic()
            self.log.settles(cause, settings.settle.words(), datetime.now(UTC) + timedelta(seconds=left))

    def _status(self) -> str:
        """Return the line of `systemctl status`."""
        if self._sweeps.sweeping is not None:
            return f"sweeping {CAUSE_WORDS[self._sweeps.sweeping]}"
        if not self._recorder.state.is_answering:
            return "waiting for the engine"
        if self._waits is not None:
            return f"a sweep waits: {self._waits}"
        return (
            "watching"
            if self._next_at is None
            else f"watching; next sweep by the schedule at {format_instant(self._next_at)}"
        )

    def _state_now(self) -> WatchState:
        return WatchState(
            started_at=self._started_at,
            endpoint=self._endpoint,
            events=self._recorder.state,
            policy_problem=self._policy.problem,
            disks=self._disks.disks,
            sweeping=self._sweeps.sweeping,
            waits=self._waits,
            next_sweep_at=self._next_at,
            last_sweep=self._sweeps.last,
            sweeps=self._sweeps.counts,
            ticked_at=self._ticked_at,
        )
