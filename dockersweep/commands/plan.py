"""`dockersweep plan`: what would go, and why."""

from dockersweep.commands.exit_status import status_with_reason
from dockersweep.commands.gather import gather_plan
from dockersweep.commands.options import PlanOptions
from dockersweep.commands.python_gc import without_collector
from dockersweep.commands.write import terminal_width, write_aside, write_result
from dockersweep.errors import RefusedError
from dockersweep.model.plan import Plan
from dockersweep.report.headline import warning_lines
from dockersweep.words.amounts import amount_words, plural

SOMETHING_TO_REMOVE = 10


def run(options: PlanOptions) -> int:
    """Write the plan; return the exit status."""
    plan = gather_plan(options)
    if _is_told(plan, options):
        with without_collector():
            text = format_plan(plan, options)
        write_result(text, options.output.path)
        if options.output.format == "csv":
            write_aside(warning_lines(plan.warnings, None))
    if not options.exit_code:
        return 0
    if plan.limits.exceeded:
        why = f"a sweep would be refused: over a limit of {plan.policy.source}: {'; '.join(plan.limits.exceeded)}"
        return status_with_reason(RefusedError.exit_status, why, options.output)
    if not plan.removals:
        return 0
    why = f"{plural(len(plan.removals), 'removal')} planned, freeing {amount_words(plan.reclaim)}"
    return status_with_reason(SOMETHING_TO_REMOVE, why, options.output)


def _is_told(plan: Plan, options: PlanOptions) -> bool:
    """Whether there is something to say, which `sweep --dry-run --quiet` asks for; a file is always written."""
    return not options.quiet or bool(plan.removals) or options.output.goes_to_file


def format_plan(plan: Plan, options: PlanOptions) -> str:
    """Return a plan in the format that is asked for."""
    if options.output.format == "json":
        from dockersweep.words.documents import write_document

        return write_document(plan)
    from dockersweep.report.formats import formatted
    from dockersweep.report.plan import plan_layout

    return formatted(plan_layout(plan, options.detail), options.output.format, terminal_width(options.output.path))
