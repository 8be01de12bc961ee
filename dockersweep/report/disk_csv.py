"""The disk report for spreadsheets: a row an object."""

from dockersweep.model.report import Report
from dockersweep.report.csv_text import Cell, csv_text

HEADINGS = (
    "kind", "id", "name", "project", "repository", "size_bytes", "own_bytes", "in_use", "goes", "age_seconds",
    "age_source", "why",
)  # fmt: skip


def disk_csv(report: Report) -> str:
    """Return the objects of the report, the largest first; what is not known is an empty cell."""
    rows: list[tuple[Cell, ...]] = [
        (
            one.kind,
            one.id,
            one.name,
            one.project,
            one.repository,
            one.size_bytes,
            one.own_bytes,
            _truth(one.in_use),
            _truth(one.goes),
            one.age_seconds,
            one.age_source,
            one.why,
        )
        for one in report.objects
    ]
    return csv_text(HEADINGS, rows)


def _truth(value: bool) -> str:
    return "true" if value else "false"
