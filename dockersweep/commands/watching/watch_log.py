"""What a watcher tells of itself, a line each on standard error, for somebody who did not write it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dockersweep.commands.event_log import ERROR, EventLog, Value
from dockersweep.commands.removal_entry import INFORMATION, NOTICE, WARNING
from dockersweep.commands.watching.timed_lines import now_words
from dockersweep.model.inventory import Engine, ScanWarning
from dockersweep.model.watching import ChildResult, EventGap, GapCause, SummedGaps, SweepCause
from dockersweep.report.local_time import in_local_time
from dockersweep.report.text import printable
from dockersweep.units import format_duration, format_instant, format_size
from dockersweep.words.amounts import plural

CAUSE_WORDS: dict[SweepCause, str] = {"schedule": "by the schedule", "space": "for space"}
_WHY_GAP: dict[GapCause, str] = {
    "not watched": "nobody watched",
    "engine restarted": "the engine was restarted, and keeps no events",
    "connection lost": "the connection was lost, and the engine no longer has what came meanwhile",
    "too many events": "more events came at once than the engine keeps",
    "clock changed": "the clock was changed",
}


class WatchLog(EventLog):
    """Writes the watcher's own events in every format, as text with the time in front."""

    def started(self, what: Sequence[str]) -> None:
        """Report what is watched, and when something is done."""
        for text in what:
            self._tell(INFORMATION, "watching", text)

    def engine_away(self, endpoint: str, problem: str | None) -> None:
        """Report that the engine cannot be reached."""
        text = f"{problem or f'the engine at {endpoint} does not answer'}; waiting for it"
        self._tell(WARNING, "engine-away", text, endpoint=endpoint)

    def engine_there(
        self, engine: Engine, away_seconds: float | None, rules_at: datetime | None, *, is_followed: bool = True
    ) -> None:
        """Report that the engine answers, how long it did not, and when its rules are carried out next."""
        endpoint, name = engine.endpoint, engine.name
        does = "following the events of" if is_followed else "without the events of"
        called = "" if name is None else f" ({name})"
        was = "" if away_seconds is None else f" again, after {format_duration(away_seconds)}"
        rules = "" if rules_at is None else f"; the next sweep by the schedule is due at {format_instant(rules_at)}"
        text = f"{does} the engine at {endpoint}{called}{was}{rules}"
        self._tell(
            INFORMATION if away_seconds is None else NOTICE, "engine-there", text, endpoint=endpoint, engine=name
        )

    def gap(self, gap: EventGap) -> None:
        """Report time of which not every event is known."""
        begins, ends = format_instant(gap.begins_at), format_instant(gap.ends_at)
        text = f"events were missed from {begins} to {ends}: {_WHY_GAP[gap.why]}; what was used then is not known"
        priority = INFORMATION if gap.why == "not watched" else WARNING
        self._tell(priority, "gap", text, begins_at=begins, ends_at=ends, why=gap.why)

    def uncompared(self, problem: str) -> None:
        """Report that nothing proves that all events came."""
        text = f"whether all events came is not known, and what is used meanwhile counts as unknown: {problem}"
        self._tell(WARNING, "uncompared", text, problem=problem)

    def unfollowed(self, problem: str | None) -> None:
        """Report that the engine lets nobody follow its events; None is that it does so now."""
        text = "the events of the engine are followed now"
        if problem is not None:
            text = f"events are not followed, so what is used between two scans may not be known: {problem}"
        self._tell(NOTICE if problem is None else WARNING, "unfollowed", text, problem=problem)

    def gaps(self, summed: SummedGaps) -> None:
        """Report many gaps as one."""
        begins, ends = format_instant(summed.begins_at), format_instant(summed.ends_at)
        times = plural(summed.gaps, "more time") + f", {format_duration(summed.seconds)} in all"
        text = f"events were missed {times}, from {begins} to {ends}, the last time because {_WHY_GAP[summed.why]}"
        self._tell(
            WARNING, "gaps", text,
            begins_at=begins, ends_at=ends, gaps=summed.gaps, seconds=round(summed.seconds), why=summed.why,
        )  # fmt: skip

    def sweep_begins(self, cause: SweepCause, why: str | None) -> None:
        """Report that a sweep begins, for space with the measurement."""
        measured = "" if why is None or cause != "space" else f": {why}"
        self._tell(NOTICE, "sweep-begins", f"sweep {CAUSE_WORDS[cause]} begins{measured}", cause=cause, why=why)

    def sweep_ends(self, cause: SweepCause, result: ChildResult, then: str) -> None:
        """Report how a sweep ended, and what comes `then`."""
        text = f"sweep {CAUSE_WORDS[cause]} ended: {ended_words(result)}{then}"
        self._tell(
            WARNING if result.exit_status else INFORMATION, "sweep-ends", text,
            cause=cause, exit_status=result.exit_status, removed=None if result.broke_off else result.removed,
            freed_bytes=result.freed_bytes,
            target_reached=None if result.target_reached is None else int(result.target_reached), run=result.run,
        )  # fmt: skip

    def settles(self, cause: SweepCause, settle: str, at_most: datetime) -> None:
        """Report that a sweep that is due waits until nothing has come for the time of `settle`."""
        by = format_instant(at_most)
        quiet = f"until nothing was pulled, loaded or built for {settle}, at most until {by}"
        text = f"a sweep {CAUSE_WORDS[cause]} waits {quiet}"
        self._tell(INFORMATION, "waits", text, cause=cause, until=by)

    def policy_changed(self, source: str, changes: Sequence[str], what: Sequence[str]) -> None:
        """Report that the policy was read again, what of it changed, and that it is in force."""
        changed = f"changed: {', '.join(changes)}" if changes else "nothing in it changed"
        text = f"{source} was read again and is in force; {changed}; {'; '.join(what)}"
        self._tell(NOTICE, "policy", text, policy=source)

    def policy_refused(self, problem: str) -> None:
        """Report that the policy as it is now does not hold."""
        text = f"the policy is refused: {problem}; the one from before stays in force"
        self._tell(ERROR, "policy-refused", text, problem=problem)

    def clock_jumped(self, by: timedelta) -> None:
        """Report that the clock was put forward or back."""
        seconds = by.total_seconds()
        direction = "forward" if seconds > 0 else "back"
        slept = " or the machine slept" if seconds > 0 else ""
        text = f"the clock was put {direction} by {format_duration(abs(seconds))}{slept}"
        self._tell(NOTICE, "clock", text, seconds=round(seconds))

    def ledger(self, problem: str | None) -> None:
        """Report that the ledger cannot be written, or can be again."""
        if problem is None:
            self._tell(NOTICE, "ledger", "the ledger can be written again")
        else:
            text = f"{problem}; watching goes on, and what is used meanwhile may not be remembered"
            self._tell(WARNING, "ledger", text, problem=problem)

    def warned(self, warning: ScanWarning) -> None:
        """Report what a sweep could not read or write, or found odd."""
        priority = WARNING if warning.is_problem else NOTICE
        self._tell(priority, "warning", f"{warning.about}: {warning.text}", about=warning.about)

    def notice(self, text: str, priority: int = WARNING) -> None:
        """Report something that somebody may have to look at."""
        self._tell(priority, "notice", text)

    def stops(self, signal_name: str, is_sweeping: bool) -> None:
        """Report that the watcher ends."""
        after = " after the removal that is under way" if is_sweeping else ""
        self._tell(NOTICE, "stops", f"{signal_name}: the watcher ends{after}", signal=signal_name)

    def _tell(self, priority: int, event: str, text: str, **fields: Value) -> None:
        if self._format == "text":
            self._write(f"{now_words()} {printable(in_local_time(text))}")
        else:
            shown = in_local_time(text) if self._format == "journal" else text
            self._event(priority, event, shown, text=text, **fields)


def ended_words(result: ChildResult) -> str:
    """Return how a sweep ended: what it removed, whether the target is reached, what went wrong."""
    if not result.has_outcome:
        return result.problem or f"exit status {result.exit_status}"
    failed = f", {result.failed} failed" if result.failed else ""
    freed = "" if not result.freed_bytes else f", freed {format_size(result.freed_bytes)}"
    removed = plural(result.removed, "object") if result.removed else "nothing"
    target = {
        True: "; the target is reached",
        False: f"; the target is missed: {result.target}{_advice(result)}",
        None: "",
    }
    is_explained = result.failed or result.target_reached is False
    stopped = f"; exit status {result.exit_status}" if result.exit_status and not is_explained else ""
    run = "" if result.run is None or not result.removed else f" (dockersweep history {result.run})"
    return f"removed {removed}{failed}{freed}{target[result.target_reached]}{stopped}{run}"


def _advice(result: ChildResult) -> str:
    return "" if result.removed else "; `dockersweep plan --only-target --verbose` says what keeps the rest"
