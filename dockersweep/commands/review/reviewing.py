"""Lets the user review a plan on a screen; has the actions of the screen that read or write files."""

import os
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from dockersweep.commands.options import PlanOptions
from dockersweep.commands.policy_source import find_policy
from dockersweep.commands.write import is_file_of_its_own, write_result
from dockersweep.errors import NoPlanError, OutputError, PolicyError
from dockersweep.files import is_folder
from dockersweep.model.inventory import ObjectRef
from dockersweep.model.plan import Plan
from dockersweep.policy.explaining.explain import explain
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.choice import Choice
from dockersweep.report.headline import going_words
from dockersweep.words.amounts import amount_words

if TYPE_CHECKING:
    from dockersweep.commands.review.app import Chosen

_SAVE_AS = "plan.json"


def review_to_save(plan: Plan, survey: Survey, options: PlanOptions) -> Plan:
    """Return the reviewed plan, which is only shown or saved; raises NoPlanError if the user does not confirm it."""
    path = options.output.path or "-"
    to = "standard output" if path == "-" else path
    with _leaving_on_signals():
        chosen = review(
            plan, survey, options.policy.path, "write", lambda made: f"{_what(made)} Write it to {to}?", path
        )
    if chosen is None:
        raise NoPlanError("no plan written: the review was ended")
    return chosen.plan


@contextmanager
def _leaving_on_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit: without it the terminal would stay as the screen has set it.

    A signal that the caller ignores stays ignored.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Give back what textual takes over for good: Ctrl-Z while the plan is carried out would bring its screen again."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def review(
    plan: Plan, survey: Survey, policy: str | None, verb: str, ask: Callable[[Plan], str], path: str | None = None
) -> "Chosen | None":
    """Return the confirmed plan, None for no; raises KeyboardInterrupt for Ctrl-C, and SystemExit after a bug.

    The plan was made from `survey`; `policy` is the value of --policy, `path` the plan's destination.
    """
    # Imported late: few plans are reviewed.
    from dockersweep.commands.review.app import Actions, ReviewApp
    from dockersweep.commands.review.protection import protect_by_name

    actions = Actions(
        verb=verb,
        ask=ask,
        explain=lambda ref, width: _explained(survey, plan, ref, width),
        save=save_plan,
        save_as=path if path not in (None, "-") else _SAVE_AS,
        protect=protect_by_name,
        policy_path=_policy_path(policy),
    )
    app = ReviewApp(Choice(plan, survey), actions)
    # Keys typed before the plan was shown are no answer to it.
    with suppress(termios.error):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    with _handlers_kept():
        chosen = app.run()
    if app.is_interrupted:
        raise KeyboardInterrupt("interrupted")
    if app.return_code:
        # textual prints the traceback of a bug and returns None, which is no answer.
        raise SystemExit(app.return_code)
    return chosen


def _policy_path(named: str | None) -> str:
    """Return the path of the policy file in force; empty if there is none that could be changed."""
    try:
        path = find_policy(named, os.environ)
    except PolicyError:
        return ""
    return "" if path in (None, "-") else path


def _what(plan: Plan) -> str:
    return f"{going_words(plan)} to remove, freeing {amount_words(plan.reclaim)}."


def save_plan(plan: Plan, path: str) -> str:
    """Write a plan to a file; return what was done. Raises OutputError if it cannot be written."""
    from dockersweep.words.documents import write_document

    if path == "-":
        raise OutputError("the plan cannot be saved to standard output, where the screen is: name a file")
    # Where that cannot be known, writing says why.
    with suppress(OSError):
        if not (is_folder(path) or is_file_of_its_own(path)):
            raise OutputError(f"{path} is not a file: type the path of one")
    write_result(write_document(plan), path)
    return f"Saved in {path}, {going_words(plan)} to remove; `dockersweep apply` carries it out."


def _explained(survey: Survey, plan: Plan, ref: ObjectRef, width: int) -> str:
    from dockersweep.report.explanation import explanation_layout
    from dockersweep.report.formats import formatted

    return formatted(explanation_layout(explain(survey, plan.policy, ref)), "table", width)
