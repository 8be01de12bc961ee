"""Tells whom the policy names how a run ended, after its lock is released: a slow service holds up no other run."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dockersweep.commands.event_log import EventLog
from dockersweep.commands.options import RunOptions
from dockersweep.commands.running.ending import exit_status
from dockersweep.commands.running.execution import RunResult
from dockersweep.commands.running.signals import stop_on_signals
from dockersweep.errors import BusyError, DockersweepError
from dockersweep.model.inventory import ScanWarning
from dockersweep.model.outcome import FailureDocument
from dockersweep.model.policy import NotifyOn, NotifySettings, Policy

if TYPE_CHECKING:
    from dockersweep.report.notice import NoticeText

ABOUT = "notify"
WATCH = "watch"
OWN_ERROR = 1
"""The exit status of a run that an error of our own ends."""


@contextmanager
def notifying(policy: Policy, settings: NotifySettings, options: RunOptions, result: RunResult) -> Iterator[None]:
    """Carry out a run within this, which fills in the result; at its end tell whom the settings name, where they ask
    for such an end. Telling raises nothing.

    A run that raises is told as failed, but for a person's no, for an interruption before the first removal, and for a
    watcher that another run holds up, which tries again.
    """
    # A watcher tells of them itself, once.
    result.warnings = () if options.verb == WATCH else _faults(settings)
    problem: str | None = None
    try:
        yield
    except DockersweepError as error:
        # Without a status it is no failure: a person's no, or a host that is another one of the same run.
        if error.exit_status and not (isinstance(error, BusyError) and options.verb == WATCH):
            result.exit_status, problem = error.exit_status, str(error)
        raise
    except Exception as error:
        result.exit_status, problem = OWN_ERROR, f"an error of dockersweep's own ({type(error).__name__})"
        raise
    finally:
        if result.document is not None or problem is not None:
            Notifier(settings, policy.source, options).try_to_tell(result, problem)


def _faults(settings: NotifySettings) -> tuple[ScanWarning, ...]:
    # Imported late, here and below: few policies tell anybody.
    from dockersweep.commands.notifying.checks import notify_faults

    return tuple(ScanWarning(about=ABOUT, text=text) for text in notify_faults(settings))


def events_of(result: RunResult, problem: str | None) -> tuple[NotifyOn, ...]:
    """Return how a run ended, in the words of `[notify] on`."""
    document = result.document
    if document is None:
        return ("failed",)
    events: list[NotifyOn] = []
    if any(outcome.status == "removed" for outcome in document.outcomes):
        events.append("removed")
    beside_target = exit_status(replace(document, target=None))
    if problem is not None or beside_target or result.exit_status != exit_status(document):
        events.append("failed")
    if document.target is not None and not document.target.reached:
        events.append("target-missed")
    return tuple(events) or ("silent",)


class Notifier:
    """Tells how one run ended."""

    def __init__(self, settings: NotifySettings, policy_source: str, options: RunOptions) -> None:
        self._settings = settings
        self._policy_source = policy_source
        self._verb = options.verb
        self._on_untold = options.on_untold
        self._log = EventLog(options.output.log_format)
        self._signal: str | None = None

    def try_to_tell(self, result: RunResult, problem: str | None) -> None:
        """Run the program, then send to the services; what fails is said, and changes nothing."""
        try:
            self._tell(result, problem)
        except Exception as error:
            # Its text may hold an address, and the run has ended as it has, whatever went wrong here.
            self._fail(f"an error of dockersweep's own ({type(error).__name__})")

    def _tell(self, result: RunResult, problem: str | None) -> None:
        events = events_of(result, problem)
        if not set(events) & set(self._settings.on):
            return
        from dockersweep.report.notice import failure_notice, outcome_notice
        from dockersweep.words.documents import write_document

        document = result.document or self._failure(result, problem or "")
        if isinstance(document, FailureDocument):
            notice = failure_notice(document)
        else:
            notice = outcome_notice(document, result.exit_status, problem)
        with stop_on_signals(self._stop):
            if self._settings.command:
                self._run(write_document(document).encode(), self._environment(events, result, notice))
            if self._settings.urls:
                self._send(notice, events)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._signal = signal.Signals(number).name

    def _stopped_by(self) -> str | None:
        return self._signal

    def _failure(self, result: RunResult, problem: str) -> FailureDocument:
        return FailureDocument(
            schema="dockersweep.failure/1",
            verb=self._verb,
            machine=socket.gethostname(),
            engine=result.engine,
            ended_at=datetime.now(UTC),
            exit_status=result.exit_status,
            error=problem,
            policy_source=self._policy_source,
            run=result.run,
        )

    def _environment(self, events: tuple[NotifyOn, ...], result: RunResult, notice: "NoticeText") -> dict[str, str]:
        return {
            **os.environ,
            "DOCKERSWEEP_EVENTS": " ".join(events),
            "DOCKERSWEEP_EXIT_STATUS": str(result.exit_status),
            "DOCKERSWEEP_TITLE": notice.title,
        }

    def _run(self, data: bytes, environment: dict[str, str]) -> None:
        from dockersweep.commands.notifying.checks import program_fault
        from dockersweep.commands.notifying.output_lines import OutputLines
        from dockersweep.commands.notifying.program import run_program

        words, seconds = self._settings.command, self._settings.timeout_seconds
        fault = program_fault(self._settings)
        if fault is not None:
            self._tell_fault(fault)
            return
        name = os.path.basename(words[0])
        lines = OutputLines(lambda line: self._log.output(name, line))
        # Not by its links: those are not looked at.
        file = os.path.realpath(words[0])
        why = run_program(words, data, seconds, lines.take, self._stopped_by, environment, file)
        lines.end()
        if why is not None:
            self._fail(f"{words[0]} {why}")

    def _send(self, notice: "NoticeText", events: tuple[NotifyOn, ...]) -> None:
        from dockersweep.commands.notifying.services import HOW_TO_INSTALL, is_apprise_there, tell_services

        if not is_apprise_there():
            self._tell_fault(HOW_TO_INSTALL)
            return
        kind = "failure" if "failed" in events else "warning" if "target-missed" in events else "success"
        for problem in tell_services(self._settings, notice.title, notice.text, kind, self._stopped_by):
            self._fail(problem)

    def _tell_fault(self, text: str) -> None:
        """Tell of what was known before; a watcher has done so."""
        if self._verb != WATCH:
            self._fail(text)

    def _fail(self, text: str) -> None:
        if self._on_untold is None or self._log.is_on:
            self._log.problem(ABOUT, text)
        else:
            self._on_untold(f"{ABOUT}: {text}")
