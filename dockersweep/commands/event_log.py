"""The events of a run, a line each on standard error: for programs, and for the systemd journal."""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import get_args

import msgspec
from msgspec.structs import replace

from dockersweep.commands.options import LogFormat
from dockersweep.commands.removal_entry import INFORMATION, NOTICE, WARNING, LoggedRemoval
from dockersweep.model.inventory import ScanWarning
from dockersweep.model.outcome import OutcomeDocument, Status
from dockersweep.model.plan import Plan
from dockersweep.report.headline import engine_words
from dockersweep.report.text import printable
from dockersweep.units import format_size
from dockersweep.words.amounts import format_interval, plural

ERROR = 3
LONGEST_LINE = 8000
"""The most characters of a line in the journal format; the journal would split longer ones."""

Value = str | int | None | Sequence[str]


class EventLog:
    """Writes each event in the requested format. Safe for several threads, and for signal handlers.

    As text, it writes only what a person has to know, in plain sentences.
    """

    def __init__(self, log_format: LogFormat, *, caller_tells: bool = False) -> None:
        """`caller_tells`: what started the run says itself what warnings there are, that it stops, and how it ended."""
        self._format = log_format
        self._caller_tells = caller_tells
        self._lock = threading.Lock()

    @property
    def is_on(self) -> bool:
        """Whether every event is written, not only what a person has to know."""
        return self._format != "text"

    def begins(self, plan: Plan, verb: str, by: str, run: int | None) -> None:
        """Report that a run has a plan, and has removed nothing yet."""
        reclaim = plan.reclaim
        planned = f"{plural(len(plan.removals), 'removal')} planned, freeing {format_interval(reclaim)}"
        self._event(
            INFORMATION, "begin", f"{_what(verb)} of {engine_words(plan.engine)}: {planned}, by {by}",
            run=run, pid=os.getpid(), verb=verb, engine=plan.engine.name, engine_id=plan.engine.id,
            endpoint=plan.engine.endpoint, policy=by, removals=len(plan.removals), low_bytes=reclaim.low_bytes,
            high_bytes=reclaim.high_bytes,
        )  # fmt: skip

    def warnings(self, warnings: Sequence[ScanWarning]) -> None:
        """Report what could not be read or written while the run goes on."""
        for warning in () if self._caller_tells else warnings:
            text = f"{warning.about}: {warning.text}"
            priority = WARNING if warning.is_problem else NOTICE
            self._event(priority, "warning", text, about=warning.about, text=warning.text)

    def problem(self, about: str, text: str) -> None:
        """Report what went wrong after the result was written, without effect on the exit status."""
        if self.is_on:
            self._event(WARNING, "warning", f"{about}: {text}", about=about, text=text)
            return
        from dockersweep.commands.write import write_aside

        write_aside(f"Warning: {about}: {text}")

    def output(self, program: str, line: str) -> None:
        """Report a line that the program of [notify] has written."""
        if self.is_on:
            self._event(NOTICE, "output", f"{program}: {line}", program=program, text=line)
            return
        from dockersweep.commands.write import write_aside

        write_aside(f"{program}: {line}", folds=False)

    def removal(self, removal: LoggedRemoval) -> None:
        """Report the outcome of a removal."""
        if self.is_on:
            fields = {
                name: value for name, value in msgspec.to_builtins(removal.entry).items() if name not in _OF_THE_RUN
            }
            with self._lock:
                self._event(removal.priority, "removal", removal.message, **fields)

    def ends(
        self, document: OutcomeDocument, status: int, problems: tuple[str, ...] = (), *, is_target_stated: bool = False
    ) -> None:
        """Report the end of a run. `problems` are errors of writing; `is_target_stated`: whether the result just above
        says if the space target was reached.

        As text, one sentence says why the status is not 0, wherever the result goes: cron mails standard error.
        """
        if self._caller_tells and self._format != "json":
            for problem in problems:
                self.error(problem, status)
            return
        if not self.is_on:
            if status:
                from dockersweep.report.outcome_ending import ending_sentence

                shown = replace(document, target=None) if is_target_stated else document
                if sentence := ending_sentence(shown, problems):
                    self.error(sentence, status)
            return
        for problem in problems:
            self.error(problem, status)
        counts = Counter(outcome.status for outcome in document.outcomes)
        counted = ", ".join(f"{counts[status]} {status.replace('-', ' ')}" for status in _STATUSES if counts[status])
        reclaimed = document.reclaimed
        freed = "" if reclaimed.measured_bytes is None else f"; freed {format_size(reclaimed.measured_bytes)}"
        early = f"; ended early: {document.ended_early}" if document.ended_early else ""
        self._event(
            WARNING if status else INFORMATION, "end",
            f"{counted or 'nothing to remove'}{freed}{early}; exit status {status}",
            run=document.run, **{status.replace("-", "_"): counts[status] for status in _STATUSES},
            low_bytes=reclaimed.low_bytes, high_bytes=reclaimed.high_bytes, measured_bytes=reclaimed.measured_bytes,
            ended_early=document.ended_early, exit_status=status,
        )  # fmt: skip

    def stopping(self, number: int) -> None:
        """Report that a signal asks to stop. Called from the signal handler, so it must not wait for a lock."""
        if self._caller_tells:
            return
        text = "finishing what is under way; once more to stop at once"
        if self.is_on:
            name = signal.Signals(number).name
            self._event(NOTICE, "signal", f"{name}: {text}", signal=name, text=text)
            return
        # The reader may be gone, or the signal may have interrupted a write to this stream.
        with suppress(OSError, RuntimeError, ValueError):
            sys.stderr.write(f"\n{text}\n")

    def error(self, text: str, status: int) -> None:
        """Report an error that ends the run or loses its result."""
        if self.is_on:
            self._event(ERROR, "error", text, text=text, exit_status=status)
            return
        from dockersweep.commands.write import write_aside

        # A terminal that hung up takes no message; the exit status still tells.
        write_aside(f"dockersweep: {text}")

    def bug(self, error: Exception) -> None:
        """Report an unexpected error in a worker with its traceback, which a bug report needs."""
        import traceback

        lines = [printable(line) for line in "".join(traceback.format_exception(error)).splitlines()]
        if self._format == "json":
            text = f"{type(error).__name__}: {error}"
            self._event(ERROR, "traceback", text, text=text, lines=lines)
            return
        for line in lines:
            self._write(f"<{ERROR}>{line}" if self.is_on else line)

    def _event(self, priority: int, event: str, message: str, **fields: Value) -> None:
        if self._format == "json":
            # json, because msgspec does not escape non-ASCII characters, and people look at logs on terminals.
            import json

            at = msgspec.to_builtins(datetime.now(UTC))
            self._write(json.dumps({"event": event, "at": at, **fields}))
        elif self._format == "journal":
            self._write(f"<{priority}>{printable(message)[:LONGEST_LINE]}")

    def _write(self, line: str) -> None:
        """Write a line past Python's buffers: the calling signal handler may have interrupted a write to them."""
        data = f"{line}\n".encode("utf-8", "backslashreplace")
        with suppress(OSError, ValueError):
            descriptor = sys.stderr.fileno()
            while data:
                data = data[os.write(descriptor, data) :]


def _what(verb: str) -> str:
    """Return what a run does: those of a watcher are sweeps."""
    return "sweep" if verb == "watch" else verb


_STATUSES: tuple[Status, ...] = get_args(Status)
_OF_THE_RUN = ("engine", "engine_id", "endpoint", "pid")
