"""`dockersweep scan`: what is there and unused."""

from typing import TYPE_CHECKING

from dockersweep.commands.gather import gather_survey
from dockersweep.commands.options import ScanOptions
from dockersweep.commands.python_gc import without_collector
from dockersweep.commands.write import terminal_width, write_aside, write_result
from dockersweep.errors import UsageError
from dockersweep.report.headline import warning_lines

if TYPE_CHECKING:
    from dockersweep.policy.judging.survey import Survey
    from dockersweep.report.scan import Shown


def run(options: ScanOptions) -> int:
    """Write the inventory, or what is selected of it; return the exit status."""
    if options.output.format == "json" and options.selects:
        raise UsageError(
            "--format json writes the whole inventory, so that it can be read back with --inventory; "
            "leave out --kind, --filter, --all, --sort and --no-header"
        )
    if options.output.format == "markdown" and not options.header:
        raise UsageError("a table in Markdown has headings: leave out --no-header, or take the format table or csv")
    survey = gather_survey(options.engine)
    with without_collector():
        text = _text(survey, options)
    write_result(text, options.output.path)
    if options.output.format == "csv" or not options.header:
        write_aside(warning_lines(survey.inventory.warnings, None))
    return 0


def _text(survey: "Survey", options: ScanOptions) -> str:
    if options.output.format == "json":
        from dockersweep.words.documents import write_document

        return write_document(survey.inventory)
    from dockersweep.report.formats import formatted
    from dockersweep.report.scan import scan_layout

    # Rows for another program are whole, and one a line.
    width = terminal_width(options.output.path) if options.header else None
    return formatted(scan_layout(_shown(survey, options), options.header), options.output.format, width)


def _shown(survey: "Survey", options: ScanOptions) -> "Shown":
    from dockersweep.policy.judging.selection import Selection, selected
    from dockersweep.policy.judging.use import describe_use, reclaim_of_unused
    from dockersweep.report.scan import Shown, all_kinds

    selection = Selection(kinds=options.kinds, filters=options.filters)
    chosen = selected(survey, selection)
    uses = describe_use(survey, with_owners=options.verbose)
    shown = [use for use in uses if use.ref in chosen]
    return Shown(
        inventory=survey.inventory,
        uses=shown,
        freed=reclaim_of_unused(survey, [use.ref for use in shown if not use.in_use]).of_kinds,
        kinds=all_kinds(options.kinds),
        sort=options.sort or "size",
        with_used=options.all,
    )
