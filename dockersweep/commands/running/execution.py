"""Carries out a plan for `sweep` and `apply`: the guard rails, the records, and the exit status."""

import getpass
import os
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from dockersweep import __version__
from dockersweep.commands.event_log import EventLog
from dockersweep.commands.gather import note_look, policy_digest, survey_of
from dockersweep.commands.options import RunOptions
from dockersweep.commands.removal_entry import Entries
from dockersweep.commands.running.audit_log import AuditLog
from dockersweep.commands.running.ending import SOME_FAILED, exit_status, format_outcome
from dockersweep.commands.running.permission import Circumstances, asks, permit
from dockersweep.commands.running.records import FailedBefore, Records
from dockersweep.commands.running.rounds import PlannedRun, RunContext, carry_out_rounds
from dockersweep.commands.running.signals import Stopped, stop_on_signals
from dockersweep.commands.write import Destination, is_read_in_result, is_written, write_problems, write_result
from dockersweep.engine.api.lists import MADE_TO_READ
from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.errors import DeclinedError, DockersweepError, LedgerError, OutputError
from dockersweep.ledger import Ledger, RunRecord
from dockersweep.model.history import RunStart
from dockersweep.model.inventory import Engine, ScanWarning
from dockersweep.model.outcome import OutcomeDocument
from dockersweep.model.plan import Plan
from dockersweep.model.policy import Policy
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.limits import NOTHING_GONE, Gone
from dockersweep.policy.planning.unfinished_runs import settled, unfinished_warnings
from dockersweep.report.headline import problems_of, warning_sentences
from dockersweep.report.outcome_ending import failure_lines, missed_target

if TYPE_CHECKING:
    from dockersweep.engine.api.client import Client


class RunResult(Struct):
    """What is known of a run, for whom the policy tells of it; filled in as it goes on."""

    warnings: tuple[ScanWarning, ...] = ()
    """Why somebody cannot be told, as far as that is known at the beginning."""
    engine: Engine | None = None
    document: OutcomeDocument | None = None
    exit_status: int = 0
    run: int | None = None
    """Its number in the ledger."""


class Execution(Struct):
    """One run on one engine, whose lock it holds."""

    client: "Client"
    options: RunOptions
    ledger: Ledger
    audit_log: AuditLog
    events: EventLog
    destination: Destination
    warnings: list[ScanWarning]
    """Warnings of the run itself, besides those of its scan."""
    result: RunResult
    is_alone: bool
    """Whether no other run with the same ledger is in progress on the engine; if that is not known, a warning says
    so."""

    def scan(self, policy: Policy) -> Survey:
        """Scan the engine, with a policy as in `survey_of`; removals that earlier runs left open get their outcome from
        what is there now."""
        survey = survey_of(self.client, self.options.engine, self.ledger, policy)
        if self.is_alone and any(warning.about == MADE_TO_READ for warning in survey.inventory.warnings):
            from dockersweep.commands.running.archiving_place import remove_made_to_read

            if remove_made_to_read(self.client, self.warnings):
                survey = survey_of(self.client, self.options.engine, self.ledger, policy)
        # Without the lock one of these runs may still be in progress.
        unfinished = self.ledger.unfinished(self.client.engine) if self.is_alone else ()
        runs = [(run, settled(run, survey.inventory)) for run in unfinished]
        for run, outcomes in runs:
            self.ledger.settle(run.number, outcomes)
        self.warnings += unfinished_warnings(runs)
        return survey

    def carry_out(self, planned: PlannedRun) -> int:
        """Carry out the plan if it is permitted, and write the outcome; return the exit status."""
        stopped = Stopped(self.events)
        # Before the run is in the ledger, so that no signal leaves it there without an end.
        with stop_on_signals(stopped):
            return self._carry_out(planned, stopped)

    def _carry_out(self, planned: PlannedRun, stopped: Stopped) -> int:
        record = self.ledger.begin(run_start(self.client.engine, self.options, planned))
        self.result.run = record.number
        # Recorded if the run ends before its first removal.
        status, document = 1, None
        note: str | None = "it ended with an error of its own"
        try:
            # Only now is there a record that can hold an interruption.
            stopped.nothing_is_sent()
            planned = self._reviewed(self._with_warnings(planned))
            context = self._begin(planned, record, stopped)
            document = self._with_problems(self._carried_out(planned, context), record.number)
            status = stopped.exit_status if document.ended_by == "signal" else exit_status(document)
            return self._end(record, status, document, planned.plan)
        except DockersweepError as error:
            stopped.only_ask()
            status, note = error.exit_status, str(error)
            if isinstance(error, DeclinedError):
                # Whoever says no has seen the plan.
                with suppress(LedgerError):
                    note_look(self.ledger, planned.survey.inventory)
            if document is not None:
                # The removals are done; only the result could not be written.
                self._finish(record, status, document)
            raise
        except KeyboardInterrupt:
            status, note = stopped.exit_status, "interrupted before anything was removed"
            if not self.options.caller_tells:
                self.events.error(note, status)
            return status
        finally:
            stopped.only_ask()
            if document is None:
                with suppress(LedgerError):
                    record.finish(status, datetime.now(UTC), None, note)

    def _carried_out(self, planned: PlannedRun, context: RunContext) -> OutcomeDocument:
        """Carry out the plan; what has to is archived before it is removed."""
        settings = planned.policy.archive
        if settings is None:
            return carry_out_rounds(planned, context)
        # Imported late, here and below: most runs have no archive.
        from dockersweep.commands.running.archiving import RunArchive
        from dockersweep.commands.running.archiving_place import archiving_place

        place, goes_without = archiving_place(), planned.goes_without
        run_archive = RunArchive(self.client, settings, context.records, place, context.stop, goes_without)
        with closing(run_archive) as archive:
            return archive.ended(carry_out_rounds(planned, replace(context, archive=archive)))

    def _reviewed(self, planned: PlannedRun) -> PlannedRun:
        """Return what a person leaves of the plan on a screen, where that is asked for; raises DeclinedError for no."""
        if not (self.options.interactive and planned.plan.removals):
            return planned
        from dockersweep.commands.running.reviewed_run import reviewed_run

        return reviewed_run(planned, self.options)

    def _begin(self, planned: PlannedRun, record: RunRecord, stopped: Stopped) -> RunContext:
        """Report the beginning and ask for permission; raises RefusedError where it is denied."""
        self.events.begins(planned.plan, self.options.verb, planned.by, record.number)
        self.events.warnings(planned.plan.warnings)
        permit_now = partial(self._permit, self.ledger.is_known(self.client.engine), stopped.request)
        permit_now(planned.plan, NOTHING_GONE, planned.is_confirmed)
        inventory = planned.survey.inventory
        if self.options.yes_first_time:
            self.ledger.looked_at(inventory.engine, inventory.taken_at)
        else:
            note_look(self.ledger, inventory)
        return RunContext(
            client=self.client,
            options=self.options,
            ledger=self.ledger,
            records=Records(record, self.audit_log, self.events, Entries(self.client.engine, record.number)),
            failed_before=FailedBefore(self.ledger),
            stop=stopped.request,
            before_removing=stopped.only_ask,
            permit=permit_now,
        )

    def _end(self, record: RunRecord, status: int, document: OutcomeDocument, plan: Plan) -> int:
        """Record how the run ended, and write its outcome; return the exit status."""
        unrecorded = self._finish(record, status, document)
        status = status or (SOME_FAILED if unrecorded else 0)
        document = self._with_problems(document, record.number)
        self.result.document, self.result.exit_status = document, status
        self.events.warnings([warning for warning in document.warnings if warning not in plan.warnings])
        has_news = self._has_news(document, status)
        has_result = is_written(self.options.output, has_news=has_news, only_problems=self.options.only_problems)
        problems = self._write(document, plan, status) if has_result else ()
        if has_news:
            self._tell_problems(document, plan, has_result)
        is_target_stated = has_news and has_result and is_read_in_result(self.options.output)
        self.events.ends(document, status, (*unrecorded, *problems), is_target_stated=is_target_stated)
        return status

    def _finish(self, record: RunRecord, status: int, document: OutcomeDocument) -> tuple[str, ...]:
        """Record how the run ended, and delete old records; return why a required ledger could not be written.

        That makes the run a failure, but the result is written all the same.
        """
        try:
            record.finish(status, datetime.now(UTC), document, missed_target(document))
            self.ledger.forget_before(self.options.keep_history.before(datetime.now(UTC)))
        except LedgerError as error:
            return (str(error),)
        return ()

    def _permit(self, is_known: bool, stop: StopRequest, plan: Plan, before: Gone, is_confirmed: bool = False) -> None:
        permit(plan, self.options, Circumstances(is_known, self.ledger.is_used, before, stop, is_confirmed))

    def _write(self, document: OutcomeDocument, plan: Plan, status: int) -> tuple[str, ...]:
        """Write the outcome; if its file cannot be written after all, write it to standard output. Return the error;
        raise it as OutputError if the run has no other problem."""
        text: str | bytes = b""
        try:
            text = format_outcome(document, plan, self.options)
            self.destination.write(text)
        except OutputError as error:
            if self.options.output.path is not None:
                from dockersweep.words.documents import write_document

                write_result(write_document(document) if isinstance(text, bytes) else text, None)
            if not status:
                raise
            return (str(error),)
        return ()

    def _tell_problems(self, document: OutcomeDocument, plan: Plan, is_in_result: bool) -> None:
        """Write what needs a person to standard error, unless an event or the question has shown it. --quiet drops the
        warnings of the scan, which are the same every night."""
        if self.events.is_on:
            return
        shown = plan.warnings if plan.removals and asks(self.options) else ()
        if self.options.quiet:
            shown = tuple(warning for warning in plan.warnings if warning not in self.warnings)
        warnings: Sequence[ScanWarning] = [warning for warning in document.warnings if warning not in shown]
        if self.options.only_problems:
            warnings = problems_of(warnings)
        told = () if self.options.caller_tells else warning_sentences(warnings)
        lines = [*told, *failure_lines(document)]
        write_problems(lines, self.options.output, is_in_result=is_in_result)

    def _has_news(self, document: OutcomeDocument, status: int) -> bool:
        """Whether there is something that even --quiet prints."""
        if not self.options.quiet:
            return True
        removed = any(outcome.status == "removed" for outcome in document.outcomes)
        problems = self.warnings or self.ledger.problem or self.audit_log.problem or document.reclaimed.surprises
        unarchived = any(outcome.is_not_archived for outcome in document.outcomes)
        return bool(status or removed or problems or unarchived)

    def _with_warnings(self, planned: PlannedRun) -> PlannedRun:
        plan = replace(planned.plan, warnings=(*planned.plan.warnings, *self.warnings))
        return replace(planned, plan=plan)

    def _with_problems(self, document: OutcomeDocument, run: int | None) -> OutcomeDocument:
        """Return the document with the number of its run, and warnings for what could not be recorded."""
        problems = (("ledger", self.ledger.problem), ("audit log", self.audit_log.problem))
        new = [ScanWarning(about=about, text=text) for about, text in problems if text is not None]
        known = {warning.about for warning in document.warnings}
        warnings = (*document.warnings, *(warning for warning in new if warning.about not in known))
        return replace(document, warnings=warnings, run=run)


def run_start(engine: Engine, options: RunOptions, planned: PlannedRun | None) -> RunStart:
    """Return the record for the start of a run; `planned` is None if it ended before it had a plan."""
    return RunStart(
        engine=engine,
        verb=options.verb,
        started_at=datetime.now(UTC),
        user=user_name(),
        pid=os.getpid(),
        version=__version__,
        policy_source=None if planned is None else f"{planned.by} ({planned.flags})" if planned.flags else planned.by,
        policy_sha256=None if planned is None else policy_digest(planned.policy),
    )


def user_name() -> str:
    """Return the name of the user who runs this, or the number of one without a name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # As in a container.
        return str(os.getuid())
