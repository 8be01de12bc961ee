"""`dockersweep fleet`: what a folder of documents says of many hosts, without reaching any."""

from collections.abc import Sequence

from dockersweep.commands.folded_documents import loaded, report_on_files, report_text
from dockersweep.commands.gather import gather_policy
from dockersweep.commands.options import FleetOptions, OutputOptions
from dockersweep.commands.write import Destination, terminal_width, write_problems
from dockersweep.errors import EngineError, UsageError
from dockersweep.model.fleet_report import SkippedFile
from dockersweep.warehouse.database import Answer, require_duckdb, tables_in
from dockersweep.warehouse.folder import files_in

METRICS_MODE = 0o644
"""Readable for the collector's user; metrics name no objects."""
QUERY_FORMATS = ("table", "json", "csv", "markdown")
NOT_READ_IN_FULL = EngineError.exit_status
"""The exit status if a file was skipped."""


def run(options: FleetOptions) -> int:
    """Write the report or the answer to a query; return the exit status."""
    if options.names_engine:
        raise UsageError("fleet reads documents and asks no engine: leave out --host, --context and --tlsverify")
    if options.sql is not None and options.output.format not in QUERY_FORMATS:
        raise UsageError(f"fleet query has no format {options.output.format}, only {', '.join(QUERY_FORMATS)}")
    if options.sql is not None and len(options.sql.split()) == 1:
        raise UsageError(f'"{options.sql}" is no query: write one like "SELECT * FROM hosts", then the directory')
    require_duckdb()
    destination = Destination(options.output.path)
    destination.check()
    return _report(options, destination) if options.sql is None else _query(options, options.sql, destination)


def _report(options: FleetOptions, destination: Destination) -> int:
    files = files_in(options.folder)
    report = report_on_files(files, options.folder, gather_policy(options.policy))
    mode = METRICS_MODE if options.output.format == "prometheus" else None
    destination.write(report_text(report, options.output), mode)
    return _told(report.skipped, options.output)


def _query(options: FleetOptions, sql: str, destination: Destination) -> int:
    files = files_in(options.folder)
    policy = gather_policy(options.policy)
    with loaded(files, policy, only_newest=False, tables=tables_in(sql)) as documents:
        answer = documents.warehouse.answer(sql)
    destination.write(_answer_text(answer, options.output))
    return _told(documents.skipped, options.output, is_in_result=False)


def _told(skipped: Sequence[SkippedFile], output: OutputOptions, is_in_result: bool = True) -> int:
    """Say what was skipped, and return the exit status."""
    write_problems([f"Skipped: {file.why}" for file in skipped], output, is_in_result=is_in_result)
    return NOT_READ_IN_FULL if skipped else 0


def _answer_text(answer: Answer, output: OutputOptions) -> str:
    from dockersweep.report.answer import answer_json, answer_layout
    from dockersweep.report.formats import formatted

    if output.format == "json":
        return answer_json(answer.columns, answer.rows)
    return formatted(answer_layout(answer.columns, answer.rows), output.format, terminal_width(output.path))
