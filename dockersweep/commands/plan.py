"""`dockersweep plan`: what would go, and why."""

import argparse

from dockersweep.commands.gather import gather_plan
from dockersweep.commands.write import terminal_width, write_result
from dockersweep.errors import RefusedError
from dockersweep.model.documents import write_document
from dockersweep.model.plan import Plan

SOMETHING_TO_REMOVE = 10


def run(arguments: argparse.Namespace) -> int:
    """Write the plan; return the exit status."""
    plan = gather_plan(arguments)
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
