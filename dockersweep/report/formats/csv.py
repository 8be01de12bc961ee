"""Rows as CSV (RFC 4180), for programs and spreadsheets.

A spreadsheet takes a cell that begins like a formula for one, and names come from engines and so from anybody: such a
cell gets an apostrophe before it. Spaces before it are passed over by some, and signs of full width are taken for the
others; where lists are parted by semicolons, what stands behind one begins a cell too. What does something instead of
showing something, a line end too, is shown by its code.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from dockersweep.report.layout import Cell
from dockersweep.report.text import printable

_BEGINS_FORMULA = re.compile(r"(?:^|(?<=;))(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def csv_text(headings: Sequence[str] | None, rows: Iterable[Sequence[Cell]]) -> str:
    """Return the headings, unless there are to be none, and the rows, each line ended by CR and LF."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    if headings is not None:
        writer.writerow(headings)
    writer.writerows([[_defused(cell) if type(cell) is str else cell for cell in row] for row in rows])
    return file.getvalue()


def _defused(cell: str) -> str:
    # Nearly all cells are like this, and the expression takes most of the time that a large table needs.
    if cell[:1].isalnum() and ";" not in cell:
        return printable(cell)
    return _BEGINS_FORMULA.sub("'", printable(cell))
