"""The disk report on a terminal: where the disk went, whether it gets worse, what to do; then who takes most."""

from collections.abc import Iterator, Sequence

from dockersweep.model.report import Finding, Group, Report, ShareOfDisk
from dockersweep.report.bars import bar
from dockersweep.report.disk_words import (
    TITLE_OF_SHARE,
    address_sentence,
    ages_sentence,
    disk_sentence,
    evidence_text,
    folder_rows,
    growth_cells,
    share_cells,
    sharing_sentence,
    silenced_sentence,
    state_words,
    sum_sentence,
    told_growth,
    trend_sentence,
)
from dockersweep.report.headline import engine_line, fold, warning_lines
from dockersweep.report.table import GAP, Column, render_table
from dockersweep.report.text import printable, wrap
from dockersweep.units import format_size

LARGEST = 10
LARGEST_GROUPS = 5
MOST_FINDINGS = 6
GROWING = 4
NARROWEST_BAR, WIDEST_BAR = 6, 40
WIDTH = 80

_SHARES = (
    Column("WHERE IT WENT"),
    Column("COUNT", right=True),
    Column("IN USE", right=True),
    Column("UNUSED", right=True),
    Column("SIZE", right=True, wraps=True, narrowest=10),
    Column("RECLAIMABLE", right=True, wraps=True, narrowest=11),
    Column("ALL UNUSED", right=True, wraps=True, narrowest=10),
)
_GROWTH = (
    Column("WHAT GROWS"),
    Column("A DAY", right=True),
    Column("A WEEK", right=True),
    Column("BETWEEN", wraps=True),
    Column("POINTS", wraps=True),
)
_LARGEST = (
    Column("LARGEST", right=True),
    Column("FOR ITSELF", right=True),
    Column("KIND"),
    Column("NAME", shortens=True),
    Column("STATE", wraps=True),
)


def disk_table(report: Report, width: int | None, with_bars: bool) -> str:
    """Return the report in at most `width` columns; bars are for those who look at it."""
    parts = [
        engine_line(report.engine, report.taken_at, width),
        _disk(report, width, with_bars),
        render_table(*_shares(report, width, with_bars), width),
        fold(sum_sentence(report), width),
        _trend(report, width),
        _findings(report, width),
        _largest(report, width),
        _groups("BY COMPOSE PROJECT", report.projects, width),
        _groups("BY REPOSITORY", report.repositories, width),
        fold(f"By age: {ages_sentence(report)}.", width) + fold(f"Layers: {sharing_sentence(report)}.", width),
        warning_lines(report.warnings, width),
    ]
    return "\n".join(part for part in parts if part)


def _disk(report: Report, width: int | None, with_bars: bool) -> str:
    text = fold(f"Disk: {disk_sentence(report.disk)}", width)
    disk = report.disk
    if disk is None or not with_bars or width is None:
        return text
    used = disk.total_bytes - disk.free_bytes
    own = min(used, report.folder_bytes or 0)
    full = bar(disk.total_bytes, used, 0, width - 2)
    ours = bar(disk.total_bytes, own, 0, width - 2) if own else ""
    # What is the engine's own stands first.
    drawn = ours + "▓" * (len(full) - len(ours))
    legend = "█ the engine's folder, ▓ others, · free" if own else "▓ used, · free"
    return f"{text}[{drawn.ljust(width - 2, '·')}]\n{fold(legend, width)}"


def _shares(report: Report, width: int | None, with_bars: bool) -> tuple[Sequence[Column], list[tuple[str, ...]]]:
    """Return columns and rows; the number of what is unused, which is the rest, gives way to a bar that can be seen."""
    rows = [(TITLE_OF_SHARE[row.share], *share_cells(row)) for row in report.shares]
    rows += [(title, "", "", "", size, "", "") for title, size in folder_rows(report)]
    columns: Sequence[Column] = _SHARES
    room = (width or WIDTH) - _widths(columns, rows) - (GAP + NARROWEST_BAR if with_bars else 0)
    if room < 0:
        columns, rows = (*columns[:3], *columns[4:]), [(*row[:3], *row[4:]) for row in rows]
        room += GAP + len(_SHARES[3].heading)
    if not with_bars:
        return columns, rows
    bar_width = NARROWEST_BAR + max(0, min(room, WIDEST_BAR - NARROWEST_BAR))
    whole = report.folder_bytes or sum(map(_most, report.shares))
    drawn = [
        bar(whole, max(0, _most(row) - row.unused.low_bytes), row.unused.low_bytes, bar_width) for row in report.shares
    ]
    drawn += [""] * (len(rows) - len(drawn))
    with_bar = [(*row[:-2], picture, *row[-2:]) for row, picture in zip(rows, drawn, strict=True)]
    return (*columns[:-2], Column(""), *columns[-2:]), with_bar


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """Return how wide a table is at least: what wraps is as wide as it must be."""
    taken = GAP * (len(columns) - 1)
    for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
        widest = max(len(cell) for cell in (column.heading, *cells))
        taken += min(widest, column.narrowest) if column.wraps else widest
    return taken


def _most(row: ShareOfDisk) -> int:
    return row.size.low_bytes if row.size.high_bytes is None else row.size.high_bytes


def _trend(report: Report, width: int | None) -> str:
    text = fold(f"Is it getting worse: {trend_sentence(report)}", width)
    grows = [growth_cells(one) for one in told_growth(report)]
    # The disk and the sum come last, and are told in any case.
    shown = grows if len(grows) <= GROWING + 2 else [*grows[:GROWING], *grows[-2:]]
    return text + render_table(_GROWTH, shown, width) if shown else text


def _findings(report: Report, width: int | None) -> str:
    lines = ["What to do:\n" if report.findings else "What to do: nothing was found that should be looked at.\n"]
    for finding in report.findings[:MOST_FINDINGS]:
        lines += _finding(finding, width)
    others = report.findings[MOST_FINDINGS:]
    if others:
        told = ", ".join(f"{one.id} {one.title}" for one in others)
        lines += _indented(f"and {told}; --format json has all of them", width, 2)
    address = address_sentence(report.engine) if report.findings else None
    below = (address, silenced_sentence(report))
    return "".join(lines) + "".join(fold(sentence, width) for sentence in below if sentence)


def _finding(finding: Finding, width: int | None) -> Iterator[str]:
    size = f", {format_size(finding.size_bytes)}" if finding.size_bytes and finding.objects > 1 else ""
    yield from _indented(f"{finding.severity} {finding.id}: {finding.title}{size}", width, 2)
    yield from _indented(f"seen by: {evidence_text(finding)}", width, 6)
    yield from _indented(f"mend: {finding.mend}", width, 6)


def _indented(text: str, width: int | None, indent: int) -> Iterator[str]:
    clean = printable(text)
    for line in [clean] if width is None else wrap(clean, width - indent):
        yield f"{' ' * indent}{line}\n"


def _largest(report: Report, width: int | None) -> str:
    shown = [one for one in report.objects[:LARGEST] if one.size_bytes]
    rows = [
        (format_size(one.size_bytes), format_size(one.own_bytes), one.kind, one.name, state_words(one)) for one in shown
    ]
    return render_table(_LARGEST, rows, width) if rows else ""


def _groups(heading: str, groups: Sequence[Group], width: int | None) -> str:
    if not groups:
        return ""
    has_versions = groups[0].versions is not None
    columns = (
        Column("SIZE", right=True),
        Column("UNUSED", right=True),
        Column("VERSIONS" if has_versions else "OBJECTS", right=True),
        Column(heading, shortens=True),
    )
    rows = [
        (format_size(one.size_bytes), format_size(one.unused_bytes), str(one.objects), one.name)
        for one in groups[:LARGEST_GROUPS]
    ]
    if len(groups) > LARGEST_GROUPS:
        rows.append(("", "", "", f"and {len(groups) - LARGEST_GROUPS} more"))
    return render_table(columns, rows, width)
