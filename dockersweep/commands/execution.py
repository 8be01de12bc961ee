"""Carries out a plan for `sweep` and `apply`: the lock, the guard rails, the records, and the exit status."""

import argparse
import dataclasses
import getpass
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec.json import encode
from msgspec.structs import replace

from dockersweep import __version__
from dockersweep.commands.audit_log import JOURNAL, AuditLog
from dockersweep.commands.event_log import EventLog
from dockersweep.commands.gather import Picture, confirm_engine, open_engine, open_memory, picture_of, refuse_chosen_now
from dockersweep.commands.permission import Circumstances, permit
from dockersweep.commands.removal_entry import Entries
from dockersweep.commands.rounds import FailedBefore, Hands, Records, Task, carry_out_rounds
from dockersweep.commands.run_lock import LockFolders, run_lock
from dockersweep.commands.shared_lock import lock_folder
from dockersweep.commands.signals import Stopped, stop_on_signals
from dockersweep.commands.write import check_writable, terminal_width, write_result
from dockersweep.engine.stopping import StopRequest
from dockersweep.errors import DockersweepError, EngineError, LedgerError, OutputError, RefusedError, UsageError
from dockersweep.ledger import Memory, RunRecord, state_folder
from dockersweep.model.documents import write_document
from dockersweep.model.history import RunStart
from dockersweep.model.inventory import ScanWarning
from dockersweep.model.outcome import OutcomeDocument
from dockersweep.model.plan import Plan
from dockersweep.policy.limits import NOTHING_GONE, Gone
from dockersweep.policy.unfinished import settled, told

if TYPE_CHECKING:
    from dockersweep.engine.client import Client

SOME_FAILED = 3


@dataclass
class Execution:
    """One run on one engine, whose lock it holds."""

    client: "Client"
    arguments: argparse.Namespace
    memory: Memory
    audit_log: AuditLog
    events: EventLog
    warnings: list[ScanWarning]
    """What a run has to say of itself, besides what its scan could not read."""
    is_alone: bool
    """Whether no other run with the same ledger is at work on the engine; where that is not known a warning says so."""

    def scan(self) -> Picture:
        """Scan the engine; what an earlier run left open is settled by what is there now."""
        picture = picture_of(self.client, self.arguments, self.memory)
        # Without the lock one of them may be going on.
        unfinished = self.memory.unfinished(self.client.engine) if self.is_alone else ()
        runs = [(run, settled(run, picture.inventory)) for run in unfinished]
        for run, outcomes in runs:
            self.memory.settle(run.number, outcomes)
        self.warnings += told(runs)
        return picture

    def carry_out(self, task: Task) -> int:
        """Carry out what is permitted, and write what became of it; return the exit status."""
        stopped = Stopped(self.events)
        # From before the first word in the ledger, so that no signal leaves a run there without its end.
        with stop_on_signals(stopped):
            return self._carry_out(task, stopped)

    def _carry_out(self, task: Task, stopped: Stopped) -> int:
        record = self.memory.begin(self._start(task))
        # What ends this early is written down as well.
        status, document = 1, None
        note: str | None = "it ended with an error of its own"
        try:
            # Not before there is a record, which takes down that it was broken off.
            stopped.nothing_is_in_hand()
            task = self._with_warnings(task)
            self.events.begins(task.plan, self.arguments.verb, task.by, record.number)
            self.events.warnings(task.plan.warnings)
            permit_now = partial(self._permit, self.memory.is_known(self.client.engine), stopped.request)
            permit_now(task.plan, NOTHING_GONE)
            self.memory.looked_at(self.client.engine, task.picture.inventory.taken_at)
            hands = Hands(
                client=self.client,
                arguments=self.arguments,
                memory=self.memory,
                records=Records(record, self.audit_log, self.events, Entries(self.client.engine, record.number)),
                failed_before=FailedBefore(self.memory),
                stop=stopped.request,
                removing=stopped.only_ask,
                permit=permit_now,
            )
            document = self._told(carry_out_rounds(task, hands), record.number)
            status = stopped.exit_status if document.ended_by == "signal" else _exit_status(document)
            unrecorded = self._finish(record, status, document)
            status = status or (SOME_FAILED if unrecorded else 0)
            document = self._told(document, record.number)
            self.events.warnings([one for one in document.warnings if one not in task.plan.warnings])
            self.events.ends(document, status, (*unrecorded, *self._tell(document, task.plan, status)))
            return status
        except DockersweepError as error:
            stopped.only_ask()
            status, note = error.exit_status, str(error)
            if document is not None:
                # What was done could not be told.
                self._finish(record, status, document)
            raise
        except KeyboardInterrupt:
            status, note = stopped.exit_status, "interrupted before anything was removed"
            self.events.error(note, status)
            return status
        finally:
            stopped.only_ask()
            if document is None:
                with suppress(LedgerError):
                    record.finish(status, datetime.now(UTC), None, note)

    def _finish(self, record: RunRecord, status: int, document: OutcomeDocument) -> tuple[str, ...]:
        """Write down how the run ended, and forget what is old; return why that could not be written where it has to.

        What was removed is told whether or not that can be written; where it has to be, the run has not gone well.
        """
        try:
            record.finish(status, datetime.now(UTC), document, None)
            self.memory.forget_before(self.arguments.keep_history.before(datetime.now(UTC)))
        except LedgerError as error:
            return (str(error),)
        return ()

    def _permit(self, is_known: bool, stop: StopRequest, plan: Plan, before: Gone) -> None:
        permit(plan, self.arguments, Circumstances(is_known, self.memory.is_used, before, stop))

    def _tell(self, document: OutcomeDocument, plan: Plan, status: int) -> tuple[str, ...]:
        """Write what was done; where its file cannot be written after all, to standard output. Return why it could
        not; raises OutputError where nothing else is wrong."""
        if not self._is_told(document, status):
            return ()
        problems: tuple[str, ...] = ()
        text = _format(document, plan, self.arguments)
        try:
            write_result(text, self.arguments.output)
        except OutputError as error:
            if self.arguments.output is not None:
                write_result(text, None)
            if not status:
                raise
            problems = (str(error),)
        if self.arguments.format == "csv":
            self.events.warnings_beside_rows(document.warnings)
        return problems

    def _is_told(self, document: OutcomeDocument, status: int) -> bool:
        """Whether there is something to say, which --quiet asks for; a file is always written.

        What a scan could not read is the same every night, and so nothing that --quiet lets through.
        """
        if not self.arguments.quiet or self.arguments.output not in (None, "-"):
            return True
        removed = any(one.status == "removed" for one in document.outcomes)
        problems = self.warnings or self.memory.problem or self.audit_log.problem or document.reclaimed.surprises
        return bool(status or removed or problems)

    def _start(self, task: Task) -> RunStart:
        return RunStart(
            engine=self.client.engine,
            verb=self.arguments.verb,
            started_at=datetime.now(UTC),
            user=_user(),
            pid=os.getpid(),
            version=__version__,
            policy_source=task.by,
            policy_sha256=sha256(encode(replace(task.policy, source=""))).hexdigest(),
        )

    def _with_warnings(self, task: Task) -> Task:
        plan = replace(task.plan, warnings=(*task.plan.warnings, *self.warnings))
        return dataclasses.replace(task, plan=plan)

    def _told(self, document: OutcomeDocument, run: int | None) -> OutcomeDocument:
        """Return the document with its number, and with what could not be recorded."""
        problems = (("ledger", self.memory.problem), ("audit log", self.audit_log.problem))
        new = [ScanWarning(about=about, text=text) for about, text in problems if text is not None]
        known = {warning.about for warning in document.warnings}
        warnings = (*document.warnings, *(one for one in new if one.about not in known))
        return replace(document, warnings=warnings, run=run)


@contextmanager
def open_execution(arguments: argparse.Namespace) -> Iterator[Execution]:
    """Connect, and take the lock of the engine; raises RefusedError where it is not the one that is meant, or another
    run holds the lock."""
    _refuse_one_file_for_two(arguments)
    check_writable(arguments.output)
    with (
        _required_ledger(arguments),
        open_memory(arguments, arguments.require_ledger) as memory,
        open_engine(arguments, arguments.removal_timeout.seconds) as client,
    ):
        confirm_engine(client, arguments.confirm_engine)
        refuse_chosen_now(client)
        folders = LockFolders(state_folder(os.environ, os.geteuid()), lock_folder(os.environ))
        with (
            closing(AuditLog(arguments.audit_log)) as audit_log,
            run_lock(client.engine, folders, arguments.lock_timeout.seconds) as lock,
        ):
            warnings = [] if lock.problem is None else [ScanWarning(about="lock", text=lock.problem)]
            events = EventLog(arguments.log_format)
            yield Execution(client, arguments, memory, audit_log, events, warnings, is_alone=lock.is_alone)


def _refuse_one_file_for_two(arguments: argparse.Namespace) -> None:
    log, output = arguments.audit_log, arguments.output
    if log not in (None, JOURNAL) and output not in (None, "-") and os.path.realpath(log) == os.path.realpath(output):
        raise UsageError(f"--audit-log and --output both name {log}: the result would replace the log")


@contextmanager
def _required_ledger(arguments: argparse.Namespace) -> Iterator[None]:
    if arguments.require_ledger and not arguments.ledger:
        raise RefusedError("nothing was removed: --require-ledger and --no-ledger contradict each other")
    try:
        yield
    except LedgerError as error:
        raise RefusedError(f"nothing was removed: {error}, and --require-ledger asks for it") from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A user id without a name, as in a container.
        return str(os.getuid())


def _format(document: OutcomeDocument, plan: Plan, arguments: argparse.Namespace) -> str:
    if arguments.format == "json":
        return write_document(document)
    from dockersweep.report.outcome_table import outcome_csv, outcome_markdown, outcome_table
    from dockersweep.report.plan_table import plan_markdown, plan_table

    if arguments.format == "csv":
        return outcome_csv(document)
    width = terminal_width(arguments.output)
    if arguments.format == "markdown":
        outcome, before = outcome_markdown(document), plan_markdown(plan, True) if arguments.verbose else ""
    else:
        outcome, before = outcome_table(document, width), plan_table(plan, True, width) if arguments.verbose else ""
    return f"{before}\n{outcome}" if before else outcome


def _exit_status(document: OutcomeDocument) -> int:
    if document.ended_by == "engine":
        return EngineError.exit_status
    missed = document.target is not None and not document.target.reached
    failed = any(outcome.status in ("failed", "not-attempted") for outcome in document.outcomes)
    return SOME_FAILED if missed or failed or document.ended_by is not None else 0
