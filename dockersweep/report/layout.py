"""The layout of a document: sections for people, rows for spreadsheets.

A layout holds the content, independent of the format; `formats/` renders it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

Item = TypeVar("Item")
Cell = str | int | float | None
"""None is an empty cell."""

SHORTEST_TEXT = 16


class Column(Struct, frozen=True):
    """A column: its heading, its alignment, and whether it shrinks when the table is too wide."""

    heading: str
    right: bool = False
    shortens: bool = False
    wraps: bool = False
    is_note: bool = False
    """Whether it is the last one and has notes on the names before it. Without room they are cut at a comma or a
    semicolon."""
    breaks_at_commas: bool = False
    """Whether a cell that is too wide is broken at its commas, which then go."""
    narrowest: int = SHORTEST_TEXT
    """The least width in columns that it wraps to."""


class Section(Struct, frozen=True):
    """Sentences, a table, and lists; each part is optional."""

    title: str | None = None
    sentences: Sequence[str] = ()
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[str]] = ()
    header: bool = True
    """Whether a terminal shows the headings; Markdown always does."""
    items: Sequence[str] = ()
    lines: Sequence[str] = ()
    """Lines that are meant for copying, like paths, and never folded."""
    keeps_words: bool = False
    """Whether the sentences contain paths and commands for copying, so that no word is shortened."""
    indent: int = 0
    """The number of columns by which a terminal indents sentences and rows, but not the title."""
    goes_on: bool = False
    """Whether it follows the section before it on a terminal without an empty line."""
    is_list: bool = False
    """Whether the sentences are a list in Markdown."""
    shows_no_rows: bool = False
    """Whether Markdown shows the table even without rows."""
    only: Literal["terminal", "markdown"] | None = None
    """The one format that shows it; None for all."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.title or self.sentences or self.rows or self.items or self.lines)


class Rows(Struct, frozen=True):
    """The table for spreadsheets; headings are None for a table without them."""

    headings: Sequence[str] | None
    rows: Iterable[Sequence[Cell]] = ()


class Layout(Struct, frozen=True):
    """A document for every format. `sections` and `rows` may be iterators, to be used once."""

    title: str | None
    """The title in a file; terminals do not show it."""
    sections: Iterable[Section]
    rows: Rows = Rows(None)


def rows_of(items: Iterable[Item], cells: Mapping[str, Callable[[Item], Cell]], header: bool = True) -> Rows:
    """Return a row for each item; `cells` maps each heading to the function that returns its cell."""
    return Rows(list(cells) if header else None, ([cell(item) for cell in cells.values()] for item in items))


def without(columns: Collection[Column], section: Section) -> Section:
    """Return a section with these columns removed from its table."""
    left = [index for index, column in enumerate(section.columns) if column not in columns]
    rows = [[row[index] for index in left] for row in section.rows]
    return replace(section, columns=[section.columns[index] for index in left], rows=rows)


def truth(value: bool) -> str:
    """Return "true" or "false", as in JSON; spreadsheets understand it too."""
    return "true" if value else "false"
