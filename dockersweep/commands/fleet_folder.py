"""`dockersweep fleet`: what a folder of documents says of many hosts, without reaching any."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from dockersweep.commands.gather import gather_policy
from dockersweep.commands.options import FleetOptions, OutputOptions
from dockersweep.commands.write import terminal_width, write_problems, write_result
from dockersweep.errors import EngineError, UsageError
from dockersweep.fleet.usage import fleet_report
from dockersweep.model.fleet_report import FleetReport, SkippedFile
from dockersweep.model.inventory import Inventory
from dockersweep.model.policy import Policy
from dockersweep.model.report import Report
from dockersweep.policy.disk_report import make_report
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.planner import foresee
from dockersweep.warehouse.database import Answer, Warehouse, needs_objects, private_folder, require_duckdb
from dockersweep.warehouse.figures import figures_of
from dockersweep.warehouse.folder import Files, files_in
from dockersweep.warehouse.parallel import read_files
from dockersweep.warehouse.parquet import load_parquet
from dockersweep.warehouse.reading import MOST_HOSTS, Judge

METRICS_MODE = 0o644
"""Readable for the collector's user; metrics name no objects."""
QUERY_FORMATS = ("table", "json", "csv", "markdown")
NOT_READ_IN_FULL = EngineError.exit_status
"""The exit status if a file was skipped."""


class Loaded(Struct, frozen=True):
    """Documents that were read, and what could not be."""

    warehouse: Warehouse
    skipped: list[SkippedFile]


def run(options: FleetOptions) -> int:
    """Write the report or the answer to a query; return the exit status."""
    if options.names_engine:
        raise UsageError("fleet reads documents and asks no engine: leave out --host, --context and --tlsverify")
    if options.sql is not None and options.output.format not in QUERY_FORMATS:
        raise UsageError(f"fleet query has no format {options.output.format}, only {', '.join(QUERY_FORMATS)}")
    require_duckdb()
    return _report(options) if options.sql is None else _query(options, options.sql)


def _report(options: FleetOptions) -> int:
    files = files_in(options.folder)
    report = report_on_files(files, options.folder, gather_policy(options.policy))
    is_prometheus = options.output.format == "prometheus"
    write_result(
        _FORMATS[options.output.format](report, options.output),
        options.output.path,
        METRICS_MODE if is_prometheus else None,
    )
    return _told(report.skipped, options.output)


def report_on_files(files: Files, source: str, policy: Policy) -> FleetReport:
    """Return the report on documents; inventories are judged by the policy. `source` says for people what was read.

    Raises UsageError where DuckDB is not installed.
    """
    with _loaded(files, policy, only_newest=True, with_objects=True) as loaded:
        return fleet_report(figures_of(loaded.warehouse), source, loaded.skipped)


def _query(options: FleetOptions, sql: str) -> int:
    files = files_in(options.folder)
    policy = gather_policy(options.policy)
    with _loaded(files, policy, only_newest=False, with_objects=needs_objects(sql)) as loaded:
        answer = loaded.warehouse.answer(sql)
    write_result(_answer_text(answer, options.output), options.output.path)
    return _told(loaded.skipped, options.output, is_in_result=False)


def _told(
    skipped: "list[SkippedFile] | tuple[SkippedFile, ...]", output: OutputOptions, is_in_result: bool = True
) -> int:
    """Say what was skipped, and return the exit status."""
    write_problems([f"Skipped: {file.why}" for file in skipped], output, is_in_result=is_in_result)
    return NOT_READ_IN_FULL if skipped else 0


@contextmanager
def _loaded(files: Files, policy: Policy, *, only_newest: bool, with_objects: bool) -> Iterator[Loaded]:
    """Yield the rows of documents in a database."""
    judge = Judge(report=lambda inventory: _judged(inventory, policy), used_bytes=_used_bytes)
    with private_folder() as folder:
        # Before there is a database: its threads would not live on in the processes that read.
        read = read_files(files.json, folder, judge, only_newest=only_newest, with_objects=with_objects)
        with Warehouse(folder) as warehouse:
            warehouse.load_rows()
            skipped = load_parquet(warehouse, folder, files.parquet, (len(files.json) + 1) * MOST_HOSTS)
            warehouse.close_in()
            yield Loaded(warehouse, [*read.skipped, *skipped])


def _judged(inventory: Inventory, policy: Policy) -> Report:
    survey = Survey(inventory, inventory.taken_at)
    return make_report(survey, policy, foresee(survey, policy), None)


def _used_bytes(inventory: Inventory) -> int | None:
    return Survey(inventory, inventory.taken_at).totals.held_bytes


def _laid_out(report: FleetReport, output: OutputOptions) -> str:
    from dockersweep.report.fleet_report.layout import fleet_layout
    from dockersweep.report.formats import formatted

    return formatted(fleet_layout(report), output.format, terminal_width(output.path))


def _json(report: FleetReport, output: OutputOptions) -> str:
    from dockersweep.words.documents import write_document

    return write_document(report)


def _html(report: FleetReport, output: OutputOptions) -> str:
    from dockersweep.report.fleet_report.page import page

    return page(report)


def _prometheus(report: FleetReport, output: OutputOptions) -> str:
    from dockersweep.report.fleet_report.metrics import exposition

    return exposition(report)


_FORMATS: dict[str, Callable[[FleetReport, OutputOptions], str]] = {
    "table": _laid_out, "json": _json, "csv": _laid_out, "markdown": _laid_out, "html": _html,
    "prometheus": _prometheus,
}  # fmt: skip


def _answer_text(answer: Answer, output: OutputOptions) -> str:
    from dockersweep.report.answer import answer_json, answer_layout
    from dockersweep.report.formats import formatted

    if output.format == "json":
        return answer_json(answer.columns, answer.rows)
    return formatted(answer_layout(answer.columns, answer.rows), output.format, terminal_width(output.path))
