"""Whether a plan may be carried out: its limits, the first run on an engine, and a person's answer."""

import os
import select
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from dockersweep.commands.gather import unseen
from dockersweep.commands.options import RunOptions
from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.errors import DeclinedError, RefusedError
from dockersweep.model.inventory import Engine
from dockersweep.model.plan import Plan
from dockersweep.policy.planning.limits import UNRECOVERABLE, Gone, over_half
from dockersweep.words.lists import either

if TYPE_CHECKING:
    from dockersweep.report.detail import Detail
    from dockersweep.report.layout import Layout

PAUSE_SECONDS = 0.1
ANSWER_SECONDS = 3600.0
"""How long an answer counts: a job that starts and ends in between leaves no trace on what it used."""


class Circumstances(Struct, frozen=True):
    """What the permission depends on besides the plan."""

    is_known_engine: bool
    """Whether somebody has looked at the engine before this run."""
    has_ledger: bool
    """Whether the ledger could answer that."""
    before: Gone
    """What this run has removed already."""
    stop: StopRequest
    is_confirmed: bool = False
    """Whether a person has said yes to this very plan already."""


def can_ask() -> bool:
    """Whether there is a person on a terminal to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def asks(options: RunOptions) -> bool:
    """Whether a person is shown the plan and asked."""
    return not options.yes and can_ask()


def permit(plan: Plan, options: RunOptions, circumstances: Circumstances) -> None:
    """Return if the plan may be carried out.

    Raises RefusedError if it is over a limit, or unattended and removes much from an engine that nobody has looked at;
    DeclinedError if a person, asked on the terminal, says no; KeyboardInterrupt if a signal ends the question.
    """
    if plan.limits.exceeded:
        raise RefusedError(_over_limits(plan))
    is_asked = asks(options)
    if not (is_asked or circumstances.is_known_engine or options.yes_first_time):
        much = over_half(plan.decisions, circumstances.before)
        if much:
            raise RefusedError(_first_time(circumstances.has_ledger, plan.engine, much))
    if is_asked and plan.removals and not circumstances.is_confirmed:
        _ask(plan, options.detail, circumstances.stop)


def _over_limits(plan: Plan) -> str:
    """Return which limits a plan is over, and what to do about just these."""
    flags = plan.limits.flags
    raised = f"look at the plan, and raise the limit with {either(flags)} if it is right"
    spared = ""
    if UNRECOVERABLE in flags:
        archived = "archive it with --archive, or " if plan.policy.archive is None else ""
        spared = f"; {archived}keep what cannot be recovered with --only-recoverable"
    return f"over a limit of {plan.policy.source}: {'; '.join(plan.limits.exceeded)}; {raised}{spared}"


def _first_time(has_ledger: bool, engine: Engine, much: str) -> str:
    if not has_ledger:
        unknown = f"without the ledger nothing tells whether anybody has looked at the engine at {engine.endpoint} yet"
        return f"{unknown}, and {much}; give --yes-first-time if it is right"
    return unseen(engine, much)


def _ask(plan: Plan, detail: "Detail", stop: StopRequest) -> None:
    from dockersweep.report.plan import plan_layout
    from dockersweep.report.question import question

    ask(plan_layout(plan, detail), question(plan), stop.is_set)


def ask(above: "Layout", question: str, is_stopped: Callable[[], bool]) -> None:
    """Show a document on standard error and ask about it.

    Raises DeclinedError for anything but a yes, RefusedError for a late yes, and KeyboardInterrupt if `is_stopped`
    meanwhile.
    """
    from dockersweep.report.formats import formatted
    from dockersweep.report.text import fold

    width = max(40, os.get_terminal_size(sys.stderr.fileno()).columns)
    sys.stderr.write(formatted(above, "table", width))
    # Discard what was typed before it was shown: it is not an answer.
    with suppress(termios.error):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    sys.stderr.write("\n" + fold(f"{question} [y/N]", width).rstrip("\n") + " ")
    sys.stderr.flush()
    asked = time.monotonic()
    while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        if is_stopped():
            raise KeyboardInterrupt("interrupted")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise DeclinedError("not confirmed")
    refuse_late(asked)


def is_late(asked: float) -> bool:
    """Whether a yes would come too long after a plan was shown, at that time by `time.monotonic`."""
    return time.monotonic() - asked > ANSWER_SECONDS


def refuse_late(asked: float) -> None:
    """Raise RefusedError for a yes that comes too long after a plan was shown, at that time by `time.monotonic`."""
    if is_late(asked):
        raise RefusedError("the yes came over an hour after the question: run it again, and look at the plan of now")
