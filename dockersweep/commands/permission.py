"""Whether a plan may be carried out: limits, the first run on an engine, and the yes of a person."""

import argparse
import os
import sys

from dockersweep.errors import RefusedError
from dockersweep.model.plan import Plan
from dockersweep.policy.limits import over_half


def can_ask() -> bool:
    """Whether there is a person on a terminal to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def permit(plan: Plan, arguments: argparse.Namespace, is_known_engine: bool) -> None:
    """Raise RefusedError where a plan is over a limit, is the first on an engine and removes much with nobody looking
    on, or where a person, asked on the terminal, says no."""
    if plan.limits.exceeded:
        raise RefusedError(
            f"nothing was removed: over a limit of {plan.policy.source}: {'; '.join(plan.limits.exceeded)}; "
            "look with --dry-run, and raise the limit with --max-objects, --max-bytes or --max-share if it is right"
        )
    much = over_half(plan.decisions)
    is_asked = not arguments.yes and can_ask()
    if not is_asked and not is_known_engine and much and not arguments.yes_first_time:
        raise RefusedError(
            f"nothing was removed: no run of dockersweep has looked at this engine before, and {'; '.join(much)}; "
            "look with `dockersweep plan`, which makes it known, or give --yes-first-time"
        )
    if is_asked and plan.removals:
        _ask(plan, arguments.verbose)


def _ask(plan: Plan, verbose: bool) -> None:
    """Show the plan on standard error and ask; raises RefusedError for anything but a yes."""
    from dockersweep.report.plan_table import plan_table, what_goes

    sys.stderr.write(plan_table(plan, verbose, max(40, os.get_terminal_size(sys.stderr.fileno()).columns)))
    sys.stderr.write(f"\nRemove {what_goes(plan)}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RefusedError("nothing was removed: it was not confirmed")
