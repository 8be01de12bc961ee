"""Renders the page of a disk report."""

from collections.abc import Iterator, Sequence
from functools import cache

from jinja2 import Environment
from markupsafe import Markup
from msgspec import Struct

from dockersweep.model.report import Group, Report
from dockersweep.report.disk.disks import (
    contents_sentence,
    disk_rows,
    disk_sentence,
    folder_words,
    has_several,
    remainder_sentences,
)
from dockersweep.report.disk.page import rows, trend_lines
from dockersweep.report.disk.page.answers import answers, first_steps
from dockersweep.report.disk.page.treemap import LINE, tree, treemap
from dockersweep.report.disk.page.words import NAME_OF_SEVERITY, NAME_OF_STANDING, together
from dockersweep.report.disk.words import (
    ARCHIVE,
    ARTIFACTS,
    COUNTED_IN_EACH,
    FOLDER,
    REMAINDER,
    address_sentence,
    archive_cells,
    archive_sentences,
    growths,
    machine_sentences,
    signed_size,
    sizes_sentences,
    trend_sentences,
    ways_back_sentences,
)
from dockersweep.report.page.rendering import environment_of, style_and_script
from dockersweep.units import format_size

WIDE_MAP, NARROW_MAP = (1120, 620), (380, 640)
WIDE_LINES, NARROW_LINES = (1120, 300, 8), (380, 260, 3)
"""Width, height, and the number of dates on the axis."""

FEW_WARNINGS = 4


class DrawnTrend(Struct, frozen=True):
    """A drawing of a trend for each width, and the lines for its legend."""

    title: str
    lines: Sequence[trend_lines.Line]
    drawings: tuple[tuple[str, Markup], ...]


class GroupTable(Struct, frozen=True):
    """A table of groups: its title, the headings of the name and the count, and the groups."""

    title: str
    heading: str
    counted: str
    groups: Sequence[Group]

    @property
    def shown(self) -> tuple[rows.GroupRow, ...]:
        """The rows of the largest groups."""
        return rows.group_rows(self.groups)


def page(report: Report) -> str:
    """Return the whole page; every text in it is made printable and escaped."""
    branches = tree(report)
    objects = list(rows.object_rows(report.objects))
    return _environment().get_template("page.html").render(
        report=report,
        **style_and_script(),
        answers=answers(report),
        steps=first_steps(report),
        shares=rows.share_rows(report),
        map=branches,
        maps=[("wide", treemap(branches, *WIDE_MAP)), ("narrow", treemap(branches, *NARROW_MAP))],
        undrawn=sum(1 for item in report.objects if item.own_bytes is None),
        trends=tuple(_trends(report)),
        groups=[
            GroupTable("By project", "Project", "Objects", report.projects),
            GroupTable("By repository", "Repository", "Versions", report.repositories),
            GroupTable("By age", "Age", "Objects", report.ages),
        ],
        first_rows=Markup("".join(objects[: rows.FIRST_ROWS])),
        other_rows=Markup("".join(objects[rows.FIRST_ROWS :])),
        trend_sentences=trend_sentences(report),
        growths=growths(report),
        disk_sentence=None if has_several(report) else disk_sentence(report.disk),
        disks=list(zip(disk_rows(report), map(contents_sentence, report.disks), strict=True)),
        folder=folder_words(report),
        address=address_sentence(report.engine),
        archive_cells=None if report.archive is None else archive_cells(report.archive),
        sizes=" ".join(
            [
                sizes_sentences(report),
                *remainder_sentences(report),
                *ways_back_sentences(report),
                *archive_sentences(report),
                *machine_sentences(report),
            ]
        ),
    )  # fmt: skip


def _trends(report: Report) -> Iterator[DrawnTrend]:
    if report.trend is None:
        return
    # pygal loads slowly, and a report of a saved inventory has no trend.
    from dockersweep.report.disk.page.line_drawing import drawing

    drawn = [("Usage by type over time", trend_lines.kind_lines(report)), *trend_lines.disk_lines(report)]
    for title, lines in drawn:
        description = f"{title}: " + ", ".join(f"{line.name} {format_size(line.last_bytes)}" for line in lines)
        wide, narrow = (drawing(lines, *size, description) for size in (WIDE_LINES, NARROW_LINES))
        if wide:
            yield DrawnTrend(title, lines, (("wide", wide), ("narrow", narrow)))


@cache
def _environment() -> Environment:
    environment = environment_of("dockersweep.report.disk.page")
    environment.filters |= {"growth": signed_size, "together": together}
    environment.globals |= {
        "FIRST_ROWS": rows.FIRST_ROWS, "LINE": LINE, "FEW": FEW_WARNINGS, "NAME_OF_SEVERITY": NAME_OF_SEVERITY,
        "NAME_OF_STANDING": NAME_OF_STANDING,
        "COUNTED_IN_EACH": COUNTED_IN_EACH,
        "ARTIFACTS": ARTIFACTS, "REMAINDER": REMAINDER, "FOLDER": FOLDER, "ARCHIVE": ARCHIVE,
    }  # fmt: skip
    return environment
