"""The disk report for a wiki or a merge request."""

from collections.abc import Iterator, Sequence

from dockersweep.model.report import Group, Report
from dockersweep.report.disk_words import (
    TITLE_OF_SHARE,
    address_sentence,
    disk_sentence,
    evidence_text,
    folder_rows,
    growth_cells,
    share_cells,
    silenced_sentence,
    state_words,
    sum_sentence,
    told_growth,
    trend_sentence,
)
from dockersweep.report.headline import engine_line
from dockersweep.report.markdown_text import markdown_escape, markdown_table
from dockersweep.units import format_size

LARGEST = 20
LARGEST_GROUPS = 10
ALL_EVIDENCE = 10


def disk_markdown(report: Report) -> str:
    """Return the report as Markdown."""
    return "\n".join(_sections(report))


def _sections(report: Report) -> Iterator[str]:
    yield f"# {markdown_escape(f'Disk report of {report.engine.name or report.engine.endpoint}')}\n"
    yield _paragraph(engine_line(report.engine, report.taken_at, None).rstrip())
    yield _paragraph(f"Disk: {disk_sentence(report.disk)}")
    yield "## Where it went\n"
    yield _shares(report)
    yield _paragraph(sum_sentence(report))
    yield "## Is it getting worse\n"
    yield _paragraph(trend_sentence(report))
    growth = [growth_cells(one) for one in told_growth(report)]
    if growth:
        yield markdown_table(("What grows", "A day", "A week", "Between", "Points"), growth, right=(1, 2))
    yield "## What to do\n"
    yield from _findings(report)
    yield "## Largest\n"
    yield _largest(report)
    yield from _groups("Compose projects", "Objects", report.projects)
    yield from _groups("Repositories", "Versions", report.repositories)
    yield from _groups("Ages", "Objects", report.ages)
    yield from _sharing(report)
    yield from (_paragraph(f"Warning: {one.about}: {one.text}") for one in report.warnings)


def _paragraph(text: str) -> str:
    return f"{markdown_escape(text)}\n"


def _shares(report: Report) -> str:
    rows = [(TITLE_OF_SHARE[row.share], *share_cells(row)) for row in report.shares]
    rows += [(title, "", "", "", size, "", "") for title, size in folder_rows(report)]
    headings = ("What", "Count", "In use", "Unused", "Size", "Reclaimable", "All unused")
    return markdown_table(headings, rows, right=range(1, 7))


def _findings(report: Report) -> Iterator[str]:
    rows = [
        (one.severity, one.id, one.title, format_size(one.size_bytes) if one.size_bytes else "",
         evidence_text(one, ALL_EVIDENCE), one.mend)
        for one in report.findings
    ]  # fmt: skip
    if rows:
        yield markdown_table(("Severity", "Id", "What", "Size", "Seen by", "What mends it"), rows, right=(3,))
        address = address_sentence(report.engine)
        if address:
            yield _paragraph(address)
    else:
        yield _paragraph("Nothing was found that should be looked at.")
    silenced = silenced_sentence(report)
    if silenced:
        yield _paragraph(silenced)


def _largest(report: Report) -> str:
    rows = [
        (one.kind, one.name, format_size(one.size_bytes), format_size(one.own_bytes), "yes" if one.goes else "no",
         state_words(one))
        for one in report.objects[:LARGEST]
        if one.size_bytes
    ]  # fmt: skip
    return markdown_table(("Kind", "Name", "Size", "For itself", "Goes", "State"), rows, right=(2, 3))


def _groups(title: str, count: str, groups: Sequence[Group]) -> Iterator[str]:
    if not groups:
        return
    yield f"## {title}\n"
    rows = [
        (one.name, str(one.objects), format_size(one.size_bytes), format_size(one.unused_bytes))
        for one in groups[:LARGEST_GROUPS]
    ]
    yield markdown_table(("Name", count, "Size", "Unused"), rows, right=(1, 2, 3))
    if len(groups) > LARGEST_GROUPS:
        yield _paragraph(f"And {len(groups) - LARGEST_GROUPS} more.")


def _sharing(report: Report) -> Iterator[str]:
    if not report.sharing:
        return
    yield "## Layers\n"
    rows = [(str(one.images), str(one.layers), format_size(one.size_bytes)) for one in report.sharing[:LARGEST_GROUPS]]
    yield markdown_table(("Under so many images", "Layers", "Size"), rows, right=(0, 1, 2))
