"""The documents of many hosts as one: read into a database, and the report on them in every format."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from dockersweep.commands.options import OutputOptions
from dockersweep.commands.write import terminal_width
from dockersweep.fleet.usage import fleet_report
from dockersweep.model.fleet_report import FleetReport, SkippedFile
from dockersweep.model.inventory import Inventory
from dockersweep.model.policy import Policy
from dockersweep.model.report import Report
from dockersweep.policy.disk_report import make_report
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.planner import foresee
from dockersweep.warehouse.database import LISTED, Warehouse, private_folder
from dockersweep.warehouse.figures import figures_of
from dockersweep.warehouse.folder import Files
from dockersweep.warehouse.parallel import read_files
from dockersweep.warehouse.parquet import ParquetFiles
from dockersweep.warehouse.reading import Judge


class Loaded(Struct, frozen=True):
    """Documents that were read, and what could not be."""

    warehouse: Warehouse
    skipped: list[SkippedFile]


def report_on_files(files: Files, source: str, policy: Policy) -> FleetReport:
    """Return the report on documents; inventories are judged by the policy. `source` says for people what was read.

    Raises UsageError where DuckDB is not installed.
    """
    with loaded(files, policy, only_newest=True, tables=LISTED) as documents:
        return fleet_report(figures_of(documents.warehouse), source, documents.skipped)


@contextmanager
def loaded(files: Files, policy: Policy, *, only_newest: bool, tables: frozenset[str]) -> Iterator[Loaded]:
    """Yield the rows of documents in a database."""
    judge = Judge(report=lambda inventory: _judged(inventory, policy), used_bytes=_used_bytes)
    with private_folder() as folder:
        # Before there is a database: its threads would not live on in the processes that read.
        read = read_files(files.json, folder, judge, only_newest=only_newest, tables=tables)
        with Warehouse(folder) as warehouse:
            warehouse.load_rows()
            parquet = ParquetFiles(warehouse, folder, files.parquet, first=len(files.json) + 1)
            parquet.load_runs()
            warehouse.find_newest()
            parquet.load_lists(tables, only_newest)
            warehouse.close_in()
            yield Loaded(warehouse, [*read.skipped, *parquet.skipped])


def _judged(inventory: Inventory, policy: Policy) -> Report:
    survey = Survey(inventory, inventory.taken_at)
    return make_report(survey, policy, foresee(survey, policy), None)


def _used_bytes(inventory: Inventory) -> int | None:
    return Survey(inventory, inventory.taken_at).totals.held_bytes


def report_text(report: FleetReport, output: OutputOptions) -> str:
    """Return the report in the requested format."""
    return _FORMATS[output.format](report, output)


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
