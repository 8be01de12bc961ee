"""Rows as CSV (RFC 4180), for programs and spreadsheets.

Spreadsheets evaluate a cell that begins like a formula, and names come from engines and so from anybody: such a cell
gets an apostrophe in front. Some spreadsheets skip leading spaces, accept full-width signs, or split cells at
semicolons, so these count too. Control characters, line ends included, are shown by their codes.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from dockersweep.report.layout import Cell
from dockersweep.report.text import printable

_BEGINS_FORMULA = re.compile(r"(?:^|(?<=;))(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def csv_text(headings: Sequence[str] | None, rows: Iterable[Sequence[Cell]]) -> str:
    """Return the headings (None for none) and the rows, each line ended by CR and LF."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    if headings is not None:
        writer.writerow(headings)
    writer.writerows([[_defused(cell) if type(cell) is str else cell for cell in row] for row in rows])
    return file.getvalue()


def _defused(cell: str) -> str:
    # Nearly all cells are like this, and the regular expression would take most of the time for a large table.
    if cell[:1].isalnum() and ";" not in cell:
        return printable(cell)
    return _BEGINS_FORMULA.sub("'", printable(cell))
