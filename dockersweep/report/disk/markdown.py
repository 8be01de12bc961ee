"""The sections of a disk report for a wiki or a merge request: longer lists than on a terminal, each with a title."""

from collections.abc import Collection, Iterator, Sequence

from dockersweep.model.report import Group, Report
from dockersweep.report.disk import words
from dockersweep.report.disk.disks import contents_sentence, disk_rows, disk_sentence, has_several, remainder_sentences
from dockersweep.report.layout import Column, Section
from dockersweep.report.text import capital
from dockersweep.units import format_size

LARGEST = 20
LARGEST_GROUPS = 10
ALL_EVIDENCE = 10


def _columns(*headings: str, right: Collection[int]) -> tuple[Column, ...]:
    return tuple(Column(heading, right=number in right) for number, heading in enumerate(headings))


_DISKS = _columns("Disk", "Size", "Used", "Free", "In use", "Inodes", right=range(1, 6))
_SHARES = _columns("What", "Count", "In use", "Unused", "Size", "Reclaimable", "All unused", right=range(1, 7))
_GROWTH = _columns("What grows", "A day", "A week", "Between", "Points", right=(1, 2))
_FINDINGS = _columns("Severity", "Id", "What", "Size", "Details", "Fix", right=(3,))
_LARGEST = _columns("Kind", "Name", "Size", "Unique size", "Goes", "State", right=(2, 3))
_LAYERS = _columns("Under so many images", "Layers", "Size", right=range(3))


def markdown_sections(report: Report) -> Iterator[Section]:
    """Yield the sections between the engine and the warnings."""
    if has_several(report):
        yield Section("Disks", columns=_DISKS, rows=disk_rows(report))
        yield Section(sentences=[contents_sentence(row) for row in report.disks], is_list=True)
    else:
        yield Section(sentences=(f"Disk: {disk_sentence(report.disk)}",))
    yield Section("Usage by type", columns=_SHARES, rows=words.share_rows(report))
    yield Section(
        sentences=(
            words.sum_sentence(report),
            *words.ways_back_sentences(report),
            *remainder_sentences(report),
            *words.archive_sentences(report),
            *words.machine_sentences(report),
        )
    )
    yield Section("Trend", words.trend_sentences(report), _GROWTH, words.growth_rows(report))
    yield from _findings(report)
    yield _largest(report)
    yield from _groups("Compose projects", "Objects", report.projects)
    yield from _groups("Repositories", "Versions", report.repositories)
    yield from _groups("Ages", "Objects", report.ages)
    yield Section(sentences=(words.COUNTED_IN_EACH,))
    if report.sharing:
        rows = [
            (str(layers.images), str(layers.layers), format_size(layers.size_bytes))
            for layers in report.sharing[:LARGEST_GROUPS]
        ]
        yield Section("Layers", columns=_LAYERS, rows=rows)


def _findings(report: Report) -> Iterator[Section]:
    rows = [
        (finding.severity, finding.id, finding.title, format_size(finding.size_bytes) if finding.size_bytes else "",
         words.evidence_text(finding, ALL_EVIDENCE), finding.fix.text)
        for finding in report.findings
    ]  # fmt: skip
    removal = words.removal_sentence(report)
    first = f"{capital(removal)}." if removal else "" if rows else "Nothing was found that should be looked at."
    yield Section("What to do", (first,) if first else (), _FINDINGS, rows)
    yield Section(sentences=words.finding_notes(report))


def _largest(report: Report) -> Section:
    rows = [
        (item.kind, item.name, format_size(item.size_bytes), format_size(item.own_bytes), "yes" if item.goes else "no",
         words.state_words(item))
        for item in report.objects[:LARGEST]
        if item.size_bytes
    ]  # fmt: skip
    return Section("Largest", columns=_LARGEST, rows=rows, shows_no_rows=True)


def _groups(title: str, count: str, groups: Sequence[Group]) -> Iterator[Section]:
    if not groups:
        return
    columns = _columns("Name", count, "Size", "Unused", right=range(1, 4))
    rows = [
        (group.name, str(group.objects), format_size(group.size_bytes), format_size(group.unused_bytes))
        for group in groups[:LARGEST_GROUPS]
    ]
    yield Section(title, columns=columns, rows=rows)
    if len(groups) > LARGEST_GROUPS:
        yield Section(sentences=(f"And {len(groups) - LARGEST_GROUPS} more.",))
