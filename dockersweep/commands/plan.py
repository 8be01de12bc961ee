"""`dockersweep plan`: what would go, and why."""

import argparse
import sys

from dockersweep.commands.gather import gather_plan
from dockersweep.commands.verdict import verdict
from dockersweep.commands.write import terminal_width, write_result
from dockersweep.errors import RefusedError
from dockersweep.model.documents import write_document
from dockersweep.model.plan import Plan
from dockersweep.report.headline import amount_words, warning_lines
from dockersweep.report.text import plural

SOMETHING_TO_REMOVE = 10


def run(arguments: argparse.Namespace) -> int:
    """Write the plan; return the exit status."""
    plan = gather_plan(arguments)
    if _is_told(plan, arguments):
        write_result(format_plan(plan, arguments), arguments.output)
        if arguments.format == "csv":
            sys.stderr.write(warning_lines(plan.warnings, None))
    if not arguments.exit_code:
        return 0
    if plan.limits.exceeded:
        why = f"a sweep would be refused: over a limit of {plan.policy.source}: {'; '.join(plan.limits.exceeded)}"
        return verdict(RefusedError.exit_status, why, arguments)
    if not plan.removals:
        return 0
    why = f"{plural(len(plan.removals), 'removal')} planned, freeing {amount_words(plan.reclaim)}"
    return verdict(SOMETHING_TO_REMOVE, why, arguments)


def _is_told(plan: Plan, arguments: argparse.Namespace) -> bool:
    """Whether there is something to say, which `sweep --dry-run --quiet` asks for; a file is always written."""
    return not arguments.quiet or bool(plan.removals) or arguments.output not in (None, "-")


def format_plan(plan: Plan, arguments: argparse.Namespace) -> str:
    """Return a plan in the format that is asked for."""
    if arguments.format == "json":
        return write_document(plan)
    if arguments.format == "csv":
        from dockersweep.report.plan_csv import plan_csv

        return plan_csv(plan)
    from dockersweep.report.plan_table import plan_markdown, plan_table

    if arguments.format == "markdown":
        return plan_markdown(plan, arguments.verbose)
    return plan_table(plan, arguments.verbose, terminal_width(arguments.output))
