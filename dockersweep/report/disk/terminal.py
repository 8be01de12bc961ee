"""A disk report on a terminal: usage by type, trend, findings, largest objects."""

from collections.abc import Iterator, Sequence

from dockersweep.model.report import Finding, Group, Report, ShareOfDisk
from dockersweep.report.disk import words
from dockersweep.report.disk.bars import FULL, LIGHT, bar
from dockersweep.report.disk.disks import contents_sentence, disk_rows, disk_sentence, has_several, remainder_sentences
from dockersweep.report.formats.table import GAP
from dockersweep.report.layout import Column, Section
from dockersweep.units import format_size

LARGEST = 10
LARGEST_GROUPS = 5
MOST_FINDINGS = 6
GROWING = 4
NARROWEST_BAR, WIDEST_BAR = 6, 40
WIDTH = 80

_DISKS = (
    Column("DISK", shortens=True),
    Column("SIZE", right=True),
    Column("USED", right=True),
    Column("FREE", right=True),
    Column("IN USE", right=True),
    Column("INODES", right=True),
)
_SHARES = (
    Column("USAGE BY TYPE", wraps=True, narrowest=17),
    Column("COUNT", right=True),
    Column("IN USE", right=True),
    Column("UNUSED", right=True),
    Column("SIZE", right=True, wraps=True, narrowest=10),
    Column("RECLAIMABLE", right=True, wraps=True, narrowest=11),
    Column("ALL UNUSED", right=True, wraps=True, narrowest=10),
)
_BAR = Column("")
_GROWTH = (
    Column("WHAT GROWS"),
    Column("A DAY", right=True),
    Column("A WEEK", right=True),
    Column("BETWEEN", wraps=True),
    Column("POINTS", wraps=True),
)
_LARGEST = (
    Column("LARGEST", right=True),
    Column("UNIQUE SIZE", right=True),
    Column("KIND"),
    Column("NAME", shortens=True),
    Column("STATE", wraps=True),
)


def terminal_sections(report: Report, width: int | None, with_bars: bool) -> Iterator[Section]:
    """Yield the sections between the engine and the warnings; with `with_bars`, bars fill `width`."""
    yield from _disks(report, width if with_bars else None)
    columns, rows = _shares(report, width, with_bars)
    yield Section(columns=columns, rows=rows)
    if _BAR in columns:
        yield Section(sentences=(f"{FULL} in use, {LIGHT} unused",), goes_on=True)
    yield Section(
        sentences=(
            words.sum_sentence(report),
            *remainder_sentences(report),
            *words.archive_sentences(report),
            *words.machine_sentences(report),
        )
    )
    yield _trend(report)
    yield from _findings(report)
    yield _largest(report)
    yield from _groups("BY COMPOSE PROJECT", report.projects)
    yield from _groups("BY REPOSITORY", report.repositories)
    ages, layers = f"By age: {words.ages_sentence(report)}.", f"Layers: {words.sharing_sentence(report)}."
    yield Section(sentences=(ages, layers, words.COUNTED_IN_EACH))


def _disks(report: Report, bar_width: int | None) -> Iterator[Section]:
    if has_several(report):
        yield Section(columns=_DISKS, rows=disk_rows(report))
        yield Section(sentences=[contents_sentence(row) for row in report.disks])
    else:
        yield Section(sentences=(f"Disk: {disk_sentence(report.disk)}", *_disk_bar(report, bar_width)))


def _disk_bar(report: Report, width: int | None) -> Iterator[str]:
    """Yield a bar of the disk in `width` columns, and its legend; nothing without a width."""
    disk = report.disk
    if disk is None or width is None:
        return
    own = min(disk.used, report.folder_bytes or 0)
    # Reserved space is neither used nor free.
    full = bar(disk.usable, disk.used, 0, width - 2)
    ours = bar(disk.usable, own, 0, width - 2) if own else ""
    # The engine's part comes first.
    drawn = ours + "▓" * (len(full) - len(ours))
    yield f"[{drawn.ljust(width - 2, '·')}]"
    yield "█ the engine's folder, ▓ others, · free" if own else "▓ used, · free"


def _shares(report: Report, width: int | None, with_bars: bool) -> tuple[Sequence[Column], list[tuple[str, ...]]]:
    """Return columns and rows; if there is no room for a bar, the column of unused objects is left out, and if that is
    not enough, the bars."""
    rows = words.share_rows(report)
    columns: Sequence[Column] = _SHARES
    room = (width or WIDTH) - _widths(columns, rows) - (GAP + NARROWEST_BAR if with_bars else 0)
    if room < 0:
        columns, rows = (*columns[:3], *columns[4:]), [(*row[:3], *row[4:]) for row in rows]
        room += GAP + len(_SHARES[3].heading)
    if not with_bars or room < 0:
        return columns, rows
    bar_width = NARROWEST_BAR + max(0, min(room, WIDEST_BAR - NARROWEST_BAR))
    whole = report.folder_bytes or sum(map(_most, report.shares))
    drawn = [
        bar(whole, max(0, _most(row) - row.unused.low_bytes), row.unused.low_bytes, bar_width)
        for row in words.shown_shares(report)
    ]
    drawn += [""] * (len(rows) - len(drawn))
    with_bar = [(*row[:-2], drawing, *row[-2:]) for row, drawing in zip(rows, drawn, strict=True)]
    return (*columns[:-2], _BAR, *columns[-2:]), with_bar


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """Return the least width of a table, with wrapping columns at their narrowest."""
    taken = GAP * (len(columns) - 1)
    for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
        widest = max(len(cell) for cell in (column.heading, *cells))
        taken += min(widest, column.narrowest) if column.wraps else widest
    return taken


def _most(row: ShareOfDisk) -> int:
    return row.size.low_bytes if row.size.high_bytes is None else row.size.high_bytes


def _trend(report: Report) -> Section:
    first, *others = words.trend_sentences(report)
    return Section(
        sentences=(f"Trend: {first[:1].lower()}{first[1:]}", *others),
        columns=_GROWTH,
        rows=words.growth_rows(report, GROWING),
    )


def _findings(report: Report) -> Iterator[Section]:
    removal = words.removal_sentence(report)
    nothing = "" if removal or report.findings else " nothing."
    yield Section(sentences=(f"What to do:{nothing}",))
    if removal:
        yield Section(sentences=(removal,), indent=2, goes_on=True, keeps_words=True)
        yield Section(sentences=words.ways_back_sentences(report), indent=2, goes_on=True)
    for finding in report.findings[:MOST_FINDINGS]:
        yield from _finding(finding)
    others = report.findings[MOST_FINDINGS:]
    if others:
        named = ", ".join(f"{finding.id} {finding.title}" for finding in others)
        yield Section(sentences=(f"and {named}; --format json has all of them",), indent=2, goes_on=True)
    yield Section(sentences=words.finding_notes(report), goes_on=True)


def _finding(finding: Finding) -> Iterator[Section]:
    size = f", {format_size(finding.size_bytes)}" if finding.size_bytes and finding.objects > 1 else ""
    yield Section(sentences=(f"{finding.severity} {finding.id}: {finding.title}{size}",), indent=2, goes_on=True)
    details = (f"details: {words.evidence_text(finding)}", f"fix: {finding.fix.text}")
    yield Section(sentences=details, indent=6, goes_on=True, keeps_words=True)


def _largest(report: Report) -> Section:
    shown = [item for item in report.objects[:LARGEST] if item.size_bytes]
    rows = [
        (format_size(item.size_bytes), format_size(item.own_bytes), item.kind, item.name, words.state_words(item))
        for item in shown
    ]
    return Section(columns=_LARGEST, rows=rows)


def _groups(heading: str, groups: Sequence[Group]) -> Iterator[Section]:
    if not groups:
        return
    has_versions = groups[0].versions is not None
    columns = (
        Column("SIZE", right=True),
        Column("UNUSED", right=True),
        Column("VERSIONS" if has_versions else "OBJECTS", right=True),
        Column(heading, shortens=True),
    )
    rows = [
        (format_size(group.size_bytes), format_size(group.unused_bytes), str(group.objects), group.name)
        for group in groups[:LARGEST_GROUPS]
    ]
    if len(groups) > LARGEST_GROUPS:
        rows.append(("", "", "", f"and {len(groups) - LARGEST_GROUPS} more"))
    yield Section(columns=columns, rows=rows)
