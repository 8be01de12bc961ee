"""How a run ends: its exit status, and what is written of its outcome."""

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
"""So many of what went are named to who reads nothing else of a run: the mail of cron."""


def format_outcome(document: OutcomeDocument, plan: Plan, options: RunOptions) -> str:
    """Return what became of a run in the format that is asked for; with --verbose its plan before it."""
    if options.output.format == "json":
        return write_document(document)
    from dockersweep.report.formats import formatted
    from dockersweep.report.headline import problems_of
    from dockersweep.report.outcome import outcome_layout

    if plan.removals and asks(options) and streams_are_one():
        # They stand in the plan above the question.
        document = replace(document, warnings=tuple(one for one in document.warnings if one not in plan.warnings))
    if options.quiet and not options.output.goes_to_file:
        document = replace(document, warnings=problems_of(document.warnings))
    width = terminal_width(options.output.path)
    outcome = formatted(outcome_layout(document, MOST_NAMES if options.quiet else 0), options.output.format, width)
    # Rows for spreadsheets are of one kind.
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
