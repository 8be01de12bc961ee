"""`dockersweep plan`: what would be removed, and why."""

import shlex
import sys
from typing import TYPE_CHECKING

from dockersweep.commands.gather import gather_plan
from dockersweep.commands.options import PlanOptions
from dockersweep.commands.python_gc import without_collector
from dockersweep.commands.write import Destination, is_written, terminal_width, write_aside, write_problems
from dockersweep.errors import RefusedError, UsageError
from dockersweep.model.plan import Plan
from dockersweep.report.headline import problems_of, warning_sentences
from dockersweep.words.amounts import amount_words, plural

if TYPE_CHECKING:
    from dockersweep.commands.event_log import EventLog
    from dockersweep.report.layout import Layout

SOMETHING_TO_REMOVE = 10


def run(options: PlanOptions) -> int:
    """Write the plan; return the exit status."""
    destination = Destination(options.output.path)
    if options.output.format == "parquet" and (options.at is not None or options.within is not None):
        raise UsageError("--format parquet is of the plan of now: leave out --at and --next")
    if options.interactive:
        from dockersweep.commands.review.terminal import require_screen

        require_screen()
        if options.at is not None or options.within is not None:
            raise UsageError("--interactive is about the plan of now: leave out --at and --next")
        # A person's work must not be lost for a folder that is missing.
        destination.check()
    plan = gather_plan(options)
    has_news = bool(plan.removals) or not options.quiet
    has_result = is_written(options.output, has_news=has_news, only_problems=options.only_problems)
    if has_result:
        with without_collector():
            text = format_plan(plan, options)
        destination.write(text)
        _tell_what_is_saved(plan, options)
    if has_news:
        _tell_problems(plan, options, has_result)
    if not options.exit_code:
        return 0
    if plan.limits.exceeded:
        return RefusedError.exit_status
    if not (plan.removals or plan.upcoming):
        return 0
    if options.output.goes_to_file and not options.only_problems:
        # Nobody sees the file: without a line on standard error cron would mail nothing.
        _events(options).error(_what_is_planned(plan), SOMETHING_TO_REMOVE)
    return SOMETHING_TO_REMOVE


def _tell_what_is_saved(plan: Plan, options: PlanOptions) -> None:
    """Tell a person at a terminal what a plan written to a file contains, and how to carry it out."""
    path = options.output.path
    if path in (None, "-") or options.quiet or not sys.stderr.isatty():
        return
    from dockersweep.report.headline import going_words

    saved = f"{going_words(plan)} to remove" if plan.removals else "nothing to remove"
    can_apply = options.output.format == "json" and plan.removals and not plan.foreseen_at and plan.upcoming is None
    then = f": carry it out with dockersweep apply {shlex.quote(path)}" if can_apply else ""
    write_aside(f"Saved in {path}, {saved}{then}", folds=False)


def _what_is_planned(plan: Plan) -> str:
    """Return "3 removals planned, freeing 1.20 GB"; with --next "3 removals planned: none now, 3 later, freeing
    ..."."""
    count, when, frees = len(plan.removals), "", plan.reclaim
    if plan.upcoming:
        later = sum(len(day.added) for day in plan.upcoming)
        when, frees = f": {count or 'none'} now, {later} later", plan.upcoming[-1].reclaim
        count += later
    return f"{plural(count, 'removal')} planned{when}, freeing {amount_words(frees)}"


def _tell_problems(plan: Plan, options: PlanOptions, is_in_result: bool) -> None:
    over = f"a sweep would be refused: over a limit of {plan.policy.source}: {'; '.join(plan.limits.exceeded)}"
    if options.output.log_format == "text":
        # --quiet drops the warnings of the scan, which are the same every night.
        shown = problems_of(plan.warnings) if options.only_problems else plan.warnings
        warnings = () if options.quiet else warning_sentences(shown)
        refused = [f"dockersweep: {over}"] if plan.limits.exceeded else []
        write_problems([*warnings, *refused], options.output, is_in_result=is_in_result)
        return
    _events(options).warnings(plan.warnings)
    if plan.limits.exceeded:
        _events(options).error(over, RefusedError.exit_status)


def _events(options: PlanOptions) -> "EventLog":
    # Imported late: most plans have no events.
    from dockersweep.commands.event_log import EventLog

    return EventLog(options.output.log_format)


def format_plan(plan: Plan, options: PlanOptions) -> str | bytes:
    """Return a plan in the requested format."""
    if options.output.format == "parquet":
        from dockersweep.commands.row_output import parquet

        return parquet(plan)
    if options.output.format == "json":
        from dockersweep.words.documents import write_document

        return write_document(plan)
    from dockersweep.report.formats import formatted

    return formatted(_layout(plan, options), options.output.format, terminal_width(options.output.path))


def _layout(plan: Plan, options: PlanOptions) -> "Layout":
    if plan.upcoming is not None:
        from dockersweep.report.plan_upcoming import upcoming_layout

        return upcoming_layout(plan, plan.upcoming, options.detail)
    from dockersweep.report.plan import plan_layout

    return plan_layout(plan, options.detail)
