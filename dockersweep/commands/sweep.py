"""`dockersweep sweep`: plan, ask, and carry out."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dockersweep.commands.gather import gather_policy, open_engine, picture_of
from dockersweep.commands.plan import show_plan
from dockersweep.commands.progress import show_progress
from dockersweep.commands.rounds import Hands, carry_out_rounds
from dockersweep.commands.write import check_writable, terminal_width, write_result
from dockersweep.engine.executor import INTERRUPTED
from dockersweep.errors import EngineError, OutputError, RefusedError, UsageError
from dockersweep.model.documents import write_document
from dockersweep.model.outcome import OutcomeDocument
from dockersweep.model.plan import Plan
from dockersweep.policy.planner import make_plan

SOME_FAILED = 3
KILLED_BY = 128
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(arguments: argparse.Namespace) -> int:
    """Plan; then show the plan only, or carry it out and write what became of it. Return the exit status."""
    can_ask = sys.stdin.isatty() and sys.stderr.isatty()
    if not (arguments.dry_run or arguments.yes or can_ask):
        raise RefusedError(
            "nothing was removed: there is no terminal to ask on; give --yes to remove, or --dry-run to look"
        )
    if arguments.exit_code and not arguments.dry_run:
        raise UsageError("--exit-code tells what a plan holds: it goes with --dry-run")
    policy = gather_policy(arguments)
    check_writable(arguments.output)
    with open_engine(arguments) as client:
        picture = picture_of(client, arguments)
        plan = make_plan(picture.inventory, policy, picture.now)
        if arguments.dry_run:
            return show_plan(plan, arguments)
        _permit(plan, arguments)
        with stop_on_signals() as stopped, show_progress("removing") as progress:
            hands = Hands(client, arguments, stopped.event, progress, _permit)
            document = carry_out_rounds(plan, picture.inventory, policy, hands)
            # Inside, so that a signal that comes late does not take away what is to be told.
            _tell(_format(document, plan, arguments), arguments.output)
    return stopped.exit_status if document.ended_early == INTERRUPTED else _exit_status(document)


def _permit(plan: Plan, arguments: argparse.Namespace) -> None:
    """Raise RefusedError where a plan is over a limit, or where a person, asked on the terminal, says no."""
    if plan.limits.exceeded:
        raise RefusedError(
            f"nothing was removed: over a limit of {plan.policy.source}: {'; '.join(plan.limits.exceeded)}; "
            "look with --dry-run, and raise the limit with --max-objects, --max-bytes or --max-share if it is right"
        )
    if not arguments.yes and plan.removals:
        _ask(plan, arguments.verbose)


def _ask(plan: Plan, verbose: bool) -> None:
    """Show the plan on standard error and ask; raises RefusedError for anything but a yes."""
    from dockersweep.report.plan_table import plan_table, what_goes

    sys.stderr.write(plan_table(plan, verbose, max(40, os.get_terminal_size(sys.stderr.fileno()).columns)))
    sys.stderr.write(f"\nRemove {what_goes(plan)}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RefusedError("nothing was removed: it was not confirmed")


def _tell(text: str, path: str | None) -> None:
    """Write what was done; where its file cannot be written after all, to standard output."""
    try:
        write_result(text, path)
    except OutputError:
        if path is not None:
            write_result(text, None)
        raise


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
    if document.ended_early:
        return EngineError.exit_status
    missed = document.target is not None and not document.target.reached
    return SOME_FAILED if missed or any(outcome.status == "failed" for outcome in document.outcomes) else 0


class _Stopped:
    """Set by the first signal; a second one of the kind ends the process at once."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.exit_status = KILLED_BY + signal.SIGINT

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.event.set()
        self.exit_status = KILLED_BY + number
        signal.signal(number, signal.SIG_DFL)
        sys.stderr.write("\nfinishing what is under way; once more to stop at once\n")


@contextmanager
def stop_on_signals() -> Iterator[_Stopped]:
    """Let SIGINT, SIGTERM and SIGHUP finish the objects in hand instead of breaking off in the middle of them."""
    stopped = _Stopped()
    before = {number: signal.signal(number, stopped) for number in SIGNALS}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
