"""What a process of its own does for a watcher: it scans, sweeps, writes the metrics of a report, or tells others of a
sweep that broke off.

`dockersweep/watch_child.py` is its entry; the watcher stays small, and goes round meanwhile.
"""

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from dockersweep.commands.event_log import EventLog
from dockersweep.commands.options import OutputOptions, ReportOptions, RunOptions, WatchOptions
from dockersweep.commands.watching.timed_lines import TimedLines
from dockersweep.errors import BusyError, DockersweepError
from dockersweep.model.policy import NotifyOn, Policy
from dockersweep.model.watching import ChildResult, ChildTask, Look
from dockersweep.policy.language.flags import flags_typed

if TYPE_CHECKING:
    from dockersweep.commands.running.execution import RunResult
    from dockersweep.policy.judging.survey import Survey

LARGEST_TASK_BYTES = 64_000_000
MOST_WARNINGS = 100
LONGEST_WARNING = 1000
"""In characters."""
INTERRUPTED = 130
INTERRUPTED_WORDS = "interrupted before it removed anything"


def run_child(what: str, descriptor: int, options: WatchOptions) -> int:
    """Do the task on standard input; what came of it goes to a descriptor, but for a report. Return the exit status."""
    if what != "report" and options.run.output.log_format == "text":
        sys.stderr = TimedLines(sys.stderr)
    task = msgspec.json.decode(sys.stdin.buffer.read(LARGEST_TASK_BYTES), type=ChildTask)
    if what == "report":
        return _report(options, task.policy)
    try:
        result = _result(what, options, task)
    except KeyboardInterrupt:
        # A signal before the first removal.
        result = ChildResult(exit_status=INTERRUPTED, problem=INTERRUPTED_WORDS)
    # A watcher that is gone needs no result.
    with suppress(OSError), os.fdopen(descriptor, "wb") as pipe:
        pipe.write(msgspec.json.encode(result))
    return result.exit_status


def _result(what: str, options: WatchOptions, task: ChildTask) -> ChildResult:
    if what == "sweep":
        return _Sweep(options, task.policy).result()
    return _look(options.run, task.policy) if task.broken is None else _tell(options.run, task.policy, task.broken)


def _tell(options: RunOptions, policy: Policy, broken: ChildResult) -> ChildResult:
    """Tell whom the policy names of a sweep that broke off."""
    from dockersweep.commands.running.execution import RunResult
    from dockersweep.commands.running.notifying import Notifier

    assert policy.notify is not None
    notifier = Notifier(policy.notify, policy.source, options)
    notifier.try_to_tell(RunResult(exit_status=broken.exit_status), broken.problem)
    return ChildResult(exit_status=0)


def _report(options: WatchOptions, policy: Policy) -> int:
    """Write the metrics of a report to standard output, an error to standard error."""
    from dockersweep.commands.report import write_report

    metrics = ReportOptions(
        engine=replace(options.run.engine, shows_progress=False),
        policy=options.policy,
        output=OutputOptions(format="prometheus", path=None, log_format="text"),
        fail_on=None,
        quiet=False,
        only_problems=False,
    )
    try:
        return write_report(metrics, policy)
    except DockersweepError as error:
        EventLog("text").error(str(error), error.exit_status)
        return error.exit_status


def _look(options: RunOptions, policy: Policy) -> ChildResult:
    """Scan, and remove nothing; sizes are measured only where the target is about what the engine holds."""
    from dockersweep.commands.gather import open_to_read, survey_of
    from dockersweep.policy.watching.disk_target import asks_for_held, look_of

    engine = replace(options.engine, shows_progress=False)
    if policy.target is None or not asks_for_held(policy.target):
        engine = replace(engine, reads_sizes=False)
    try:
        with open_to_read(engine) as (client, ledger):
            return ChildResult(exit_status=0, look=look_of(survey_of(client, engine, ledger), policy.target))
    except DockersweepError as error:
        return ChildResult(exit_status=error.exit_status, problem=str(error))


class _Sweep:
    """One sweep, and what is known of it."""

    def __init__(self, options: WatchOptions, policy: Policy) -> None:
        self._options = options.run
        self._flags = replace(options.policy.flags, only_target=policy.only_target)
        self._policy = policy
        self._look: Look | None = None
        self._run: RunResult | None = None

    def result(self) -> ChildResult:
        """Carry it out; the watcher tells of an error, once for all that end alike."""
        from dockersweep.commands.sweep import sweep

        # On a terminal what was done is shown, and nothing else; a file always has the last outcome.
        shown = replace(self._options, quiet=not self._options.output.goes_to_file, caller_tells=True)
        try:
            status = sweep(shown, self._policy, flags_typed(self._flags), self._on_scan)
        except DockersweepError as error:
            return replace(self._told(error.exit_status, str(error)), is_busy=isinstance(error, BusyError))
        return self._told(status, None)

    def _on_scan(self, survey: "Survey", run: "RunResult") -> None:
        from dockersweep.policy.watching.disk_target import look_of

        self._look, self._run = look_of(survey, self._policy.target), run

    def _told(self, status: int, problem: str | None) -> ChildResult:
        document = None if self._run is None else self._run.document
        base = ChildResult(
            exit_status=status,
            problem=problem,
            look=self._look,
            run=None if self._run is None else self._run.run,
            events=self._events(problem),
        )
        if document is None:
            return replace(base, problem=INTERRUPTED_WORDS) if problem is None and status else base
        target = document.target
        return replace(
            base,
            has_outcome=True,
            removed=sum(outcome.status == "removed" for outcome in document.outcomes),
            failed=sum(outcome.status in ("failed", "not-attempted") for outcome in document.outcomes),
            freed_bytes=document.reclaimed.measured_bytes,
            target_began=target is not None,
            target_reached=None if target is None else target.reached,
            target=None if target is None else target.text,
            warnings=tuple(replace(one, text=one.text[:LONGEST_WARNING]) for one in document.warnings[:MOST_WARNINGS]),
        )

    def _events(self, problem: str | None) -> tuple[NotifyOn, ...]:
        if self._policy.notify is None or not self._options.notifies:
            return ()
        from dockersweep.commands.running.execution import RunResult
        from dockersweep.commands.running.notifying import events_of

        return events_of(self._run or RunResult(), problem)
