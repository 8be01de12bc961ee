"""The rows of the page's tables: what is shown in a cell, and what it is sorted by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dockersweep.model.report import Group, Report, ReportedObject, ShareOfDisk
from dockersweep.report.disk_words import NO_SPACE, TITLE_OF_SHARE, state_words
from dockersweep.report.headline import format_interval
from dockersweep.report.page.words import NAME_OF_STANDING, percent, standing_of
from dockersweep.report.text import shorten_middle
from dockersweep.units import format_duration, format_size

FIRST_ROWS = 50
"""How many rows are open to see without the script; the rest is one click away."""
MOST_GROUPS = 200
LONGEST_NAME = 160


class Cell(NamedTuple):
    """What is shown; `order` is what a column of numbers is sorted by, "" for what is not known."""

    text: str
    order: int | str = ""


class ObjectRow(NamedTuple):
    """One row of the table of all objects."""

    kind: str
    name: str
    belongs: str
    size: Cell
    own: Cell
    standing: str
    age: Cell
    why: str


@dataclass(frozen=True)
class ShareRow:
    """One sort of things, its numbers, and how much of the widest bar each standing takes, in percent."""

    name: str
    is_known: bool
    count: int
    in_use: int
    unused_count: int
    size: str
    part: str
    reclaimable: str
    unused: str
    used_bar: float
    kept_bar: float
    goes_bar: float


@dataclass(frozen=True)
class GroupRow:
    """A project, a repository or an age."""

    name: str
    count: int
    """Of a repository its versions, else objects."""
    size: Cell
    unused: Cell


def object_rows(objects: Sequence[ReportedObject]) -> Iterator[ObjectRow]:
    """Yield a row for each object, in their order."""
    for one in objects:
        yield ObjectRow(
            one.kind,
            shorten_middle(one.name, LONGEST_NAME),
            shorten_middle((one.repository if one.kind == "image" else one.project) or "", LONGEST_NAME),
            size_cell(one.size_bytes),
            size_cell(one.own_bytes),
            NAME_OF_STANDING[standing_of(one)],
            _age(one.age_seconds),
            state_words(one),
        )


def share_rows(report: Report) -> tuple[ShareRow, ...]:
    """Return a row for each sort that there is something of, or that could not be read."""
    widest = max((share.size.low_bytes for share in report.shares), default=0) or 1
    total = report.folder_bytes or sum(share.size.low_bytes for share in report.shares)
    return tuple(_share(share, widest, total) for share in report.shares if share.count or not share.is_known)


def group_rows(groups: Sequence[Group]) -> tuple[GroupRow, ...]:
    """Return a row for each of the first groups, at most `MOST_GROUPS`."""
    return tuple(
        GroupRow(
            shorten_middle(one.name, LONGEST_NAME), one.objects if one.versions is None else one.versions,
            size_cell(one.size_bytes), size_cell(one.unused_bytes),
        )
        for one in groups[:MOST_GROUPS]
    )  # fmt: skip


def size_cell(size_bytes: int | None) -> Cell:
    """Return a size for a cell."""
    return Cell(format_size(size_bytes), "" if size_bytes is None else size_bytes)


def _age(seconds: int | None) -> Cell:
    return Cell("unknown") if seconds is None else Cell(format_duration(seconds), seconds)


def _share(share: ShareOfDisk, widest: int, total: int) -> ShareRow:
    size = share.size.low_bytes
    goes = min(size, share.reclaimable.low_bytes)
    kept = max(0, min(size, share.unused.low_bytes) - goes)
    bars = [100 * part / widest for part in (size - goes - kept, kept, goes)]
    takes_none = share.share in NO_SPACE
    told, goes_told, unused_told = (
        "" if takes_none else format_interval(one) for one in (share.size, share.reclaimable, share.unused)
    )
    part = "" if takes_none else percent(size, total)
    return ShareRow(
        TITLE_OF_SHARE[share.share], share.is_known, share.count, share.in_use, share.count - share.in_use,
        told, part, goes_told, unused_told,
        *bars,
    )  # fmt: skip
