"""A document laid out: sections for people, rows for spreadsheets.

What it says is written once, here in Python's values; how that looks is up to each format (`formats/`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

Item = TypeVar("Item")
Cell = str | int | None
"""None is an empty cell."""

SHORTEST_TEXT = 16


class Column(Struct, frozen=True):
    """A column: its heading, its side, and whether it gives way when the table is too wide."""

    heading: str
    right: bool = False
    shortens: bool = False
    wraps: bool = False
    narrowest: int = SHORTEST_TEXT
    """Below how many columns it does not wrap."""


class Section(Struct, frozen=True):
    """Sentences, a table, and lists; each may be missing."""

    title: str | None = None
    sentences: Sequence[str] = ()
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[str]] = ()
    header: bool = True
    """Whether a terminal shows the headings too; Markdown has no table without them."""
    items: Sequence[str] = ()
    lines: Sequence[str] = ()
    """What is to be copied, like paths, and so is never folded."""
    keeps_words: bool = False
    """Whether its sentences have paths and commands that are to be copied, and so no word of them is shortened."""
    indent: int = 0
    """By how many columns a terminal indents its sentences and rows; a title stands at the margin."""
    goes_on: bool = False
    """Whether it stands right below the section before it on a terminal."""
    is_list: bool = False
    """Whether its sentences are a list in Markdown."""
    shows_no_rows: bool = False
    """Whether Markdown has a table also where it has no rows."""
    only: Literal["terminal", "markdown"] | None = None
    """The one format that shows it; None for all."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.title or self.sentences or self.rows or self.items or self.lines)


class Rows(Struct, frozen=True):
    """What a spreadsheet gets of a document; None for headings where there are to be none."""

    headings: Sequence[str] | None
    rows: Iterable[Sequence[Cell]] = ()


class Layout(Struct, frozen=True):
    """A document, laid out for every format: each takes its part of it, once."""

    title: str | None
    """What stands above all in a file; a terminal shows no title."""
    sections: Iterable[Section]
    rows: Rows = Rows(None)


def rows_of(items: Iterable[Item], cells: Mapping[str, Callable[[Item], Cell]], header: bool = True) -> Rows:
    """Return a row for each item; `cells` are the headings, each with what stands below it."""
    return Rows(list(cells) if header else None, ([cell(item) for cell in cells.values()] for item in items))


def without(columns: Collection[Column], section: Section) -> Section:
    """Return a section whose table lacks these columns."""
    left = [index for index, column in enumerate(section.columns) if column not in columns]
    rows = [[row[index] for index in left] for row in section.rows]
    return replace(section, columns=[section.columns[index] for index in left], rows=rows)


def truth(value: bool) -> str:
    """Return a truth as JSON writes it, which spreadsheets understand too."""
    return "true" if value else "false"
