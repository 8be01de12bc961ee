"""Opens what a run needs before it scans: the ledger, the right engine, the audit log and the lock."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime

from dockersweep.commands.event_log import EventLog
from dockersweep.commands.gather import confirm_engine, open_engine, open_ledger, refuse_chosen_now
from dockersweep.commands.options import RunOptions
from dockersweep.commands.running.audit_log import JOURNAL, AuditLog
from dockersweep.commands.running.execution import Execution, RunResult, run_start
from dockersweep.commands.running.run_lock import LockFolders, run_lock
from dockersweep.commands.running.shared_lock import lock_folder
from dockersweep.commands.write import Destination
from dockersweep.errors import DockersweepError, LedgerError, RefusedError, UsageError
from dockersweep.ledger import Ledger, state_folder
from dockersweep.model.inventory import Engine, ScanWarning
from dockersweep.model.policy import Policy


@contextmanager
def notified(policy: Policy, options: RunOptions) -> Iterator[RunResult]:
    """Return what a run within this has to fill in: whom the policy names is told of it at its end."""
    result = RunResult()
    if policy.notify is None or not options.notifies:
        yield result
        return
    # Imported late: few policies tell anybody.
    from dockersweep.commands.running.notifying import notifying

    with notifying(policy, policy.notify, options, result):
        yield result


@contextmanager
def open_execution(options: RunOptions, result: RunResult) -> Iterator[Execution]:
    """Connect, and take the lock of the engine; `result` learns what is known of the run.

    Raises UsageError where a review is asked for and no person can make it, RefusedError where --confirm-engine names
    another engine, or another run holds the lock.
    """
    _refuse_one_file_for_two(options)
    if options.interactive:
        from dockersweep.commands.review.terminal import require_screen

        require_screen(says_yes=options.yes)
    destination = Destination(options.output.path)
    destination.check()
    with (
        _required_ledger(options),
        open_ledger(options.engine, options.require_ledger) as ledger,
        open_engine(options.engine, options.removal_timeout_seconds) as client,
    ):
        result.engine = client.engine
        confirm_engine(client, options.confirm_engine)
        refuse_chosen_now(client)
        folders = LockFolders(state_folder(os.environ, os.geteuid()), lock_folder(os.environ))
        with (
            _recorded_failure(client.engine, options, ledger, result),
            closing(AuditLog(options.audit_log)) as audit_log,
            run_lock(client.engine, folders, options.lock_timeout_seconds) as lock,
        ):
            warnings = [*result.warnings]
            if lock.problem is not None:
                warnings.append(ScanWarning(about="lock", text=lock.problem))
            events = EventLog(options.output.log_format, caller_tells=options.caller_tells)
            yield Execution(
                client=client,
                options=options,
                ledger=ledger,
                audit_log=audit_log,
                events=events,
                destination=destination,
                warnings=warnings,
                is_alone=lock.is_alone,
                result=result,
            )


@contextmanager
def _recorded_failure(engine: Engine, options: RunOptions, ledger: Ledger, result: RunResult) -> Iterator[None]:
    """Record a run that ends before it has a plan, for example because another one holds the lock: otherwise the
    history and the metrics would miss that night."""
    try:
        yield
    except DockersweepError as error:
        if not ledger.has_begun:
            with suppress(LedgerError):
                record = ledger.begin(run_start(engine, options, None))
                record.finish(error.exit_status, datetime.now(UTC), None, str(error))
                result.run = record.number
        raise


def _refuse_one_file_for_two(options: RunOptions) -> None:
    log, output = options.audit_log, options.output.path
    if log not in (None, JOURNAL) and output not in (None, "-") and os.path.realpath(log) == os.path.realpath(output):
        raise UsageError(f"--audit-log and --output both name {log}: the result would replace the log")


@contextmanager
def _required_ledger(options: RunOptions) -> Iterator[None]:
    if options.require_ledger and not options.engine.uses_ledger:
        raise RefusedError("--require-ledger and --no-ledger contradict each other")
    try:
        yield
    except LedgerError as error:
        raise RefusedError(f"{error}, and --require-ledger asks for it") from None
