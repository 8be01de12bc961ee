"""`dockersweep plan`: what would go, and why."""

import argparse

from dockersweep.commands.gather import gather_picture, gather_policy
from dockersweep.commands.write import terminal_width, write_result
from dockersweep.errors import RefusedError
from dockersweep.model.documents import write_document
from dockersweep.model.plan import Plan
from dockersweep.policy.planner import make_plan

SOMETHING_TO_REMOVE = 10


def run(arguments: argparse.Namespace) -> int:
    """Write the plan; return the exit status."""
    policy = gather_policy(arguments)
    picture = gather_picture(arguments)
    plan = make_plan(picture.inventory, policy, picture.now)
    return show_plan(plan, arguments)


def show_plan(plan: Plan, arguments: argparse.Namespace) -> int:
    """Write a plan in the format that is asked for; return the exit status."""
    write_result(format_plan(plan, arguments), arguments.output)
    if not arguments.exit_code:
        return 0
    if plan.limits.exceeded:
        return RefusedError.exit_status
    return SOMETHING_TO_REMOVE if plan.removals else 0


def format_plan(plan: Plan, arguments: argparse.Namespace) -> str:
    """Return a plan in the format that is asked for."""
    if arguments.format == "json":
        return write_document(plan)
    from dockersweep.report.plan_table import plan_table

    return plan_table(plan, arguments.verbose, terminal_width(arguments.output))
