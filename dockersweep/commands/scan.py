"""`dockersweep scan`: what is there and unused."""

from typing import TYPE_CHECKING

from dockersweep.commands.gather import gather_survey
from dockersweep.commands.options import ScanOptions
from dockersweep.commands.python_gc import without_collector
from dockersweep.commands.write import terminal_width, write_problems, write_result
from dockersweep.errors import UsageError
from dockersweep.report.headline import warning_sentences

if TYPE_CHECKING:
    from dockersweep.policy.judging.survey import Survey
    from dockersweep.report.scan import Shown


MOST_ROWS = 10
"""The most rows of a kind on a terminal."""


def run(options: ScanOptions) -> int:
    """Write the inventory, or the selected objects; return the exit status."""
    if options.quiet and options.output.format != "table":
        raise UsageError(f"--quiet prints ids only: leave it out, or --format {options.output.format}")
    if options.output.format == "json" and options.selects:
        raise UsageError(
            "--format json writes the whole inventory, so that it can be read back with --inventory; "
            "leave out --kind, --filter, --all, --sort and --no-header"
        )
    if options.output.format == "parquet" and options.selects:
        raise UsageError(
            "--format parquet writes all objects: leave out --kind, --filter, --all, --sort and --no-header"
        )
    if options.output.format == "markdown" and not options.header:
        raise UsageError("a table in Markdown has headings: leave out --no-header, or take the format table or csv")
    survey = gather_survey(options.engine)
    with without_collector():
        text = _ids(survey, options) if options.quiet else _text(survey, options)
    write_result(text, options.output.path)
    has_sentences = options.header and not options.quiet
    write_problems(warning_sentences(survey.inventory.warnings), options.output, is_in_result=has_sentences)
    return 0


def _ids(survey: "Survey", options: ScanOptions) -> str:
    from dockersweep.report.text import printable

    shown = _shown(survey, options)
    return "".join(f"{printable(use.id)}\n" for kind in shown.kinds for use in shown.of(kind))


def _text(survey: "Survey", options: ScanOptions) -> str | bytes:
    if options.output.format == "parquet":
        from dockersweep.commands.row_output import parquet_of_scan

        return parquet_of_scan(survey)
    if options.output.format == "json":
        from dockersweep.words.documents import write_document

        return write_document(survey.inventory)
    from dockersweep.report.formats import formatted
    from dockersweep.report.scan import scan_layout

    # Rows without headings are for programs: whole, and one a line.
    width = terminal_width(options.output.path) if options.header else None
    return formatted(scan_layout(_shown(survey, options), options.header), options.output.format, width)


def _most_rows(options: ScanOptions) -> int | None:
    """Return the most rows of a kind; None (all) for a pipe or a file, as programs search in it."""
    if options.detail == "totals":
        return 0
    is_seen = options.output.format == "table" and terminal_width(options.output.path) is not None
    return MOST_ROWS if is_seen and options.detail == "grouped" and options.header else None


def _shown(survey: "Survey", options: ScanOptions) -> "Shown":
    from dockersweep.commands.unused import shown_of
    from dockersweep.policy.judging.selection import Selection

    return shown_of(
        survey,
        Selection(kinds=options.kinds, filters=options.filters),
        sort=options.sort or "size",
        with_used=options.all,
        with_owners=options.detail == "all",
        most=_most_rows(options),
    )
