"""`dockersweep sweep`: plan, ask, and carry out."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from dockersweep.commands.gather import gather_policy, open_engine, picture_of
from dockersweep.commands.plan import show_plan
from dockersweep.commands.progress import show_progress
from dockersweep.commands.write import check_writable, terminal_width, write_result
from dockersweep.engine.disk.gauge import gauge_of
from dockersweep.engine.executor import INTERRUPTED, carry_out
from dockersweep.engine.side_by_side import Progress
from dockersweep.errors import EngineError, OutputError, RefusedError, UsageError
from dockersweep.model.documents import write_document
from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import OutcomeDocument
from dockersweep.model.plan import Plan
from dockersweep.policy.planner import make_plan
from dockersweep.policy.reckoning import exact_parts, prediction_of, reckon

if TYPE_CHECKING:
    from dockersweep.engine.client import Client

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
        if not arguments.yes and plan.removals:
            _ask(plan, arguments.verbose)
        with stop_on_signals() as stopped, show_progress("removing") as progress:
            document = _carry_out(plan, picture.inventory, client, stopped.event, progress)
            # Inside, so that a signal that comes late does not take away what is to be told.
            _tell(_format(document, plan, arguments), arguments.output)
    return stopped.exit_status if document.ended_early == INTERRUPTED else _exit_status(document)


def _carry_out(
    plan: Plan, inventory: Inventory, client: "Client", stop: threading.Event, progress: Progress
) -> OutcomeDocument:
    """Carry out the plan, and measure on the engine's disk, where that can be read, what came back."""
    storage = inventory.storage
    gauge = gauge_of(inventory.engine, storage, plan)
    carried = carry_out(plan, client, stop, progress, exact_parts(storage))
    prediction = prediction_of(inventory, carried.outcomes)
    measured = gauge.measure(prediction.parts) if gauge else None
    return OutcomeDocument(
        schema="dockersweep.outcome/1",
        engine=plan.engine,
        started_at=carried.started_at,
        finished_at=carried.finished_at,
        ended_early=carried.ended_early,
        outcomes=carried.outcomes,
        reclaimed=reckon(inventory, carried.outcomes, prediction, measured),
        warnings=plan.warnings,
        size_base=plan.size_base,
        predicted=plan.reclaim,
    )


def _ask(plan: Plan, verbose: bool) -> None:
    """Show the plan on standard error and ask; raises RefusedError for anything but a yes."""
    from dockersweep.report.plan_table import plan_table

    count = sum(removal.action == "remove" for removal in plan.removals)
    sys.stderr.write(plan_table(plan, verbose, max(40, os.get_terminal_size(sys.stderr.fileno()).columns)))
    sys.stderr.write(f"\nRemove {count} object{'s' if count != 1 else ''}? [y/N] ")
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
    return SOME_FAILED if any(outcome.status == "failed" for outcome in document.outcomes) else 0


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
