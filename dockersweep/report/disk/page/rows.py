"""The rows of the page's tables: the text of each cell, and its sort key."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from markupsafe import escape
from msgspec import Struct

from dockersweep.model.report import Group, Report, ReportedObject, ShareOfDisk
from dockersweep.report.disk.page.words import NAME_OF_STANDING, percent, standing_of
from dockersweep.report.disk.words import NO_SPACE, TITLE_OF_SHARE, state_words
from dockersweep.report.text import printable, shorten_middle
from dockersweep.units import format_duration, format_size
from dockersweep.words.amounts import format_interval

FIRST_ROWS = 50
"""How many rows are visible without the script; the rest is one click away."""
MOST_GROUPS = 200
LONGEST_NAME = 160


class Cell(NamedTuple):
    """The text, and in `order` the sort key of a column of numbers ("" for unknown)."""

    text: str
    order: int | str = ""


class ShareRow(Struct, frozen=True):
    """One share, its numbers, and the length of each part of its bar, in percent of the widest bar."""

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


class GroupRow(Struct, frozen=True):
    """A project, a repository or an age."""

    name: str
    count: int
    """Versions of a repository, else objects."""
    size: Cell
    unused: Cell


def object_rows(objects: Sequence[ReportedObject]) -> Iterator[str]:
    """Yield an escaped table row for each object, in order.

    Built here because the template would take four times as long, and there may be 10,000 objects.
    """
    texts = iter(_escaped(text for item in objects for text in _texts(item)))
    for item in objects:
        name, place, why = next(texts), next(texts), next(texts)
        size = _number(item.size_bytes, format_size)
        own = size if item.own_bytes == item.size_bytes else _number(item.own_bytes, format_size)
        age = _number(item.age_seconds, format_duration)
        yield (
            f'<tr><td>{item.kind}<td class="n">{name}<td>{place}{size}{own}'
            f"<td>{NAME_OF_STANDING[standing_of(item)]}{age}<td>{why}\n"
        )


def _texts(item: ReportedObject) -> tuple[str, str, str]:
    belongs = (item.repository if item.kind == "image" else item.project) or ""
    return shorten_middle(item.name, LONGEST_NAME), shorten_middle(belongs, LONGEST_NAME), state_words(item)


def _number(amount: int | None, words: Callable[[int], str]) -> str:
    return f'<td data-v="{amount}">{words(amount)}' if amount is not None else '<td data-v="">unknown'


def share_rows(report: Report) -> tuple[ShareRow, ...]:
    """Return a row for each share that has objects, or could not be read."""
    widest = max((share.size.low_bytes for share in report.shares), default=0) or 1
    total = report.folder_bytes or sum(share.size.low_bytes for share in report.shares)
    return tuple(_share(share, widest, total) for share in report.shares if share.count or not share.is_known)


def group_rows(groups: Sequence[Group]) -> tuple[GroupRow, ...]:
    """Return a row for each of the first groups, at most `MOST_GROUPS`."""
    return tuple(
        GroupRow(
            shorten_middle(group.name, LONGEST_NAME), group.objects if group.versions is None else group.versions,
            size_cell(group.size_bytes), size_cell(group.unused_bytes),
        )
        for group in groups[:MOST_GROUPS]
    )  # fmt: skip


def size_cell(size_bytes: int | None) -> Cell:
    """Return a size for a cell."""
    return Cell(format_size(size_bytes), "" if size_bytes is None else size_bytes)


def _escaped(texts: Iterable[str]) -> list[str]:
    """Return the texts made printable and escaped, all in one call: line ends separate them, as no printable text has
    one."""
    return str(escape("\n".join(map(printable, texts)))).split("\n")


def _share(share: ShareOfDisk, widest: int, total: int) -> ShareRow:
    size = share.size.low_bytes
    goes = min(size, share.reclaimable.low_bytes)
    kept = max(0, min(size, share.unused.low_bytes) - goes)
    bars = [100 * part / widest for part in (size - goes - kept, kept, goes)]
    takes_none = share.share in NO_SPACE
    size_text, goes_text, unused_text = (
        "" if takes_none else format_interval(interval) for interval in (share.size, share.reclaimable, share.unused)
    )
    part = "" if takes_none else percent(size, total)
    return ShareRow(
        TITLE_OF_SHARE[share.share], share.is_known, share.count, share.in_use, share.count - share.in_use,
        size_text, part, goes_text, unused_text,
        *bars,
    )  # fmt: skip
