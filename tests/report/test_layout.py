"""A document laid out in every format."""

import pytest

from dockersweep.report.formats import formatted
from dockersweep.report.layout import Column, Layout, Rows, Section, rows_of, without

NAME, SIZE = Column("NAME", shortens=True), Column("SIZE", right=True)
SECTIONS = (
    Section("Title", ("A sentence.",), (NAME, SIZE), [("a|b", "1 B"), ("c", "20 MB")]),
    Section(sentences=("seen by many people",), indent=2, goes_on=True),
    Section(sentences=("first", "second"), is_list=True),
    Section(columns=(NAME,), shows_no_rows=True, only="markdown"),
    Section(sentences=("here alone",), only="terminal"),
    Section(items=("an item that is folded",), lines=("/a path that is not folded",)),
    Section(),
)
TERMINAL = """Title
A sentence.
NAME   SIZE
a|b     1 B
c     20 MB
  seen by many
  people

first
second

here alone

an item that is
  folded
  /a path that is not folded
"""
MARKDOWN = """# Document

## Title

A sentence.

| NAME | SIZE |
| --- | ---: |
| a\\|b | 1 B |
| c | 20 MB |

seen by many people

- first
- second

| NAME |
| --- |

- an item that is folded
- /a path that is not folded
"""


@pytest.mark.parametrize(
    ("name", "text"), [("table", TERMINAL), ("markdown", MARKDOWN), ("csv", "name,size\r\n'=a,\r\n")]
)
def test_each_format_shows_its_part_of_a_document(name: str, text: str) -> None:
    layout = Layout("Document", SECTIONS, Rows(["name", "size"], [("=a", None)]))
    assert formatted(layout, name, 16) == text


def test_a_table_without_some_of_its_columns() -> None:
    section = without({NAME}, Section(columns=(NAME, SIZE), rows=[("a", "1 B")]))
    assert (section.columns, section.rows) == ([SIZE], [["1 B"]])


def test_rows_have_headings_only_where_asked_for() -> None:
    assert rows_of([1], {"x": str}).headings == ["x"]
    rows = rows_of([1], {"x": str}, header=False)
    assert (rows.headings, list(rows.rows)) == (None, [["1"]])
