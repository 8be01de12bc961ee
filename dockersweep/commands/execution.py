"""Carries out a plan for `sweep` and `apply`: the lock, the guard rails, the records, and the exit status."""

import argparse
import dataclasses
import getpass
import os
import sys
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
from dockersweep.commands.audit_log import AuditLog
from dockersweep.commands.gather import Picture, open_engine, open_memory, picture_of
from dockersweep.commands.permission import Circumstances, permit
from dockersweep.commands.rounds import FailedBefore, Hands, Records, Task, carry_out_rounds
from dockersweep.commands.run_lock import run_lock
from dockersweep.commands.signals import Stopped, stop_on_signals
from dockersweep.commands.write import check_writable, terminal_width, write_result
from dockersweep.engine.stopping import StopRequest
from dockersweep.errors import DockersweepError, EngineError, LedgerError, OutputError, RefusedError
from dockersweep.ledger import Memory, RunRecord, state_folder
from dockersweep.model.documents import write_document
from dockersweep.model.history import RunStart
from dockersweep.model.inventory import ScanWarning
from dockersweep.model.outcome import OutcomeDocument
from dockersweep.model.plan import Plan
from dockersweep.policy.limits import NOTHING_GONE, Gone
from dockersweep.policy.unfinished import settled, told
from dockersweep.report.text import printable

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
    warnings: list[ScanWarning]
    is_alone: bool
    """Whether it holds the lock; where that cannot be had a warning says so."""

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
        record = self.memory.begin(self._start(task))
        self.audit_log.run = record.number
        # What ends this early is written down as well.
        stopped, status, document = Stopped(), 1, None
        note: str | None = "it ended with an error of its own"
        try:
            task = self._with_warnings(task)
            is_known = self.memory.is_known(self.client.engine)
            with stop_on_signals(stopped):
                permit_now = partial(self._permit, is_known, stopped.request)
                permit_now(task.plan, NOTHING_GONE)
                self.memory.looked_at(self.client.engine, task.picture.inventory.taken_at)
                hands = Hands(
                    client=self.client,
                    arguments=self.arguments,
                    memory=self.memory,
                    records=Records(record, self.audit_log),
                    failed_before=FailedBefore(self.memory),
                    stop=stopped.request,
                    permit=permit_now,
                )
                document = self._told(carry_out_rounds(task, hands), record.number)
                status = stopped.exit_status if document.ended_by == "signal" else _exit_status(document)
                # Inside, so that a signal that comes late does not take away what is to be told.
                status = self._finish(record, status, document)
                return self._tell(self._told(document, record.number), task.plan, status)
        except DockersweepError as error:
            status, note = error.exit_status, str(error)
            raise
        except KeyboardInterrupt:
            status, note = stopped.exit_status, "interrupted before anything was removed"
            sys.stderr.write(f"dockersweep: {note}\n")
            return status
        finally:
            if document is None:
                with suppress(LedgerError):
                    record.finish(status, datetime.now(UTC), None, note)

    def _finish(self, record: RunRecord, status: int, document: OutcomeDocument) -> int:
        """Write down how the run ended, and forget what is old; return the exit status.

        What was removed is told whether or not that can be written; where it has to be, the run has not gone well.
        """
        try:
            record.finish(status, datetime.now(UTC), document, None)
            self.memory.forget_before(self.arguments.keep_history.before(datetime.now(UTC)))
        except LedgerError:
            return status or SOME_FAILED
        return status

    def _permit(self, is_known: bool, stop: StopRequest, plan: Plan, before: Gone) -> None:
        permit(plan, self.arguments, Circumstances(is_known, self.memory.is_used, before, stop))

    def _tell(self, document: OutcomeDocument, plan: Plan, status: int) -> int:
        """Write what was done; where its file cannot be written after all, to standard output. Return the status, of
        which that takes nothing away."""
        text = _format(document, plan, self.arguments)
        try:
            write_result(text, self.arguments.output)
        except OutputError as error:
            if self.arguments.output is not None:
                write_result(text, None)
            if not status:
                raise
            with suppress(OSError):
                sys.stderr.write(f"dockersweep: {printable(str(error))}\n")
        return status

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
    check_writable(arguments.output)
    with (
        _required_ledger(arguments),
        open_memory(arguments, arguments.require_ledger) as memory,
        open_engine(arguments, arguments.removal_timeout.seconds) as client,
    ):
        confirm_engine(client, arguments.confirm_engine)
        folder = state_folder(os.environ, os.geteuid())
        with (
            closing(AuditLog(arguments.audit_log, client.engine)) as audit_log,
            run_lock(client.engine, folder, arguments.lock_timeout.seconds) as no_lock,
        ):
            warnings = [] if no_lock is None else [ScanWarning(about="lock", text=no_lock)]
            yield Execution(client, arguments, memory, audit_log, warnings, is_alone=no_lock is None)


@contextmanager
def _required_ledger(arguments: argparse.Namespace) -> Iterator[None]:
    if arguments.require_ledger and not arguments.ledger:
        raise RefusedError("nothing was removed: --require-ledger and --no-ledger contradict each other")
    try:
        yield
    except LedgerError as error:
        raise RefusedError(f"nothing was removed: {error}, and --require-ledger asks for it") from None


def confirm_engine(client: "Client", wanted: str | None) -> None:
    """Raise RefusedError where the engine has neither the name nor the id that is wanted."""
    engine = client.engine
    if wanted is not None and wanted not in (engine.name, engine.id):
        raise RefusedError(
            f'nothing was removed: the engine at {engine.endpoint} is "{engine.name}" and not "{wanted}", '
            "which --confirm-engine asks for"
        )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A user id without a name, as in a container.
        return str(os.getuid())


def _format(document: OutcomeDocument, plan: Plan, arguments: argparse.Namespace) -> str:
    if arguments.format == "json":
        return write_document(document)
    from dockersweep.report.outcome_table import outcome_table

    width = terminal_width(arguments.output)
    outcome = outcome_table(document, width)
    if not arguments.verbose:
        return outcome
    from dockersweep.report.plan_table import plan_table

    return f"{plan_table(plan, True, width)}\n{outcome}"


def _exit_status(document: OutcomeDocument) -> int:
    if document.ended_by == "engine":
        return EngineError.exit_status
    missed = document.target is not None and not document.target.reached
    failed = any(outcome.status in ("failed", "not-attempted") for outcome in document.outcomes)
    return SOME_FAILED if missed or failed or document.ended_by is not None else 0
