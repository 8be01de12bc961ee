"""The end of a run: its exit status and the text of its outcome."""

from msgspec.structs import replace

from dockersweep.commands.options import RunOptions
from dockersweep.commands.running.permission import asks
from dockersweep.commands.write import streams_are_one, terminal_width
from dockersweep.errors import EngineError
from dockersweep.model.outcome import OutcomeDocument
from dockersweep.model.plan import Plan
from dockersweep.words.documents import write_document

SOME_FAILED = 3
MOST_NAMES = 20
"""The most removed objects that are named with --quiet, for readers of cron's mail."""


def format_outcome(document: OutcomeDocument, plan: Plan, options: RunOptions) -> str | bytes:
    """Return the outcome of a run in the requested format; with --verbose its plan comes first. Raises OutputError
    where that takes a file that cannot be written."""
    if options.output.format == "parquet":
        from dockersweep.commands.row_output import parquet

        return parquet(document)
    if options.output.format == "json":
        return write_document(document)
    from dockersweep.report.formats import formatted
    from dockersweep.report.headline import problems_of
    from dockersweep.report.outcome import outcome_layout

    if plan.removals and asks(options) and streams_are_one():
        # The plan above the question has shown its warnings already.
        new = tuple(warning for warning in document.warnings if warning not in plan.warnings)
        document = replace(document, warnings=new)
    if options.quiet and not options.output.goes_to_file:
        document = replace(document, warnings=problems_of(document.warnings))
    width = terminal_width(options.output.path)
    outcome = formatted(outcome_layout(document, MOST_NAMES if options.quiet else 0), options.output.format, width)
    # A spreadsheet has rows of one sort only.
    if options.detail != "all" or options.output.format == "csv":
        return outcome
    from dockersweep.report.plan import plan_layout

    return f"{formatted(plan_layout(plan, 'all'), options.output.format, width)}\n{outcome}"


def exit_status(document: OutcomeDocument) -> int:
    """Return the exit status of a run that no signal ended."""
    if document.ended_by == "engine":
        return EngineError.exit_status
    missed = document.target is not None and not document.target.reached
    failed = any(outcome.status in ("failed", "not-attempted") for outcome in document.outcomes)
    return SOME_FAILED if missed or failed or document.ended_by is not None else 0
