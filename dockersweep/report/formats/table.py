"""Tables that fit a terminal: some columns shorten their cells in the middle, others wrap."""

from collections.abc import Sequence

from dockersweep.report.layout import Column
from dockersweep.report.text import display_width, printable, shorten_middle, wrap

GAP = 2
SHORTEST_NAME = 12


def render_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None, header: bool = True
) -> str:
    """Return the table with a closing newline, in at most `width` columns; None is no limit.

    Every cell is made printable here.
    """
    # Imported late: it reads the metadata of all installed packages, which takes longer than most verbs.
    from tabulate import tabulate

    clean = [[printable(cell) for cell in row] for row in rows]
    if width is not None:
        clean = _fit(columns, clean, width, header)
    # Passed as rows: for headers, tabulate would widen the columns by its own padding.
    rows_with_headings = [[column.heading for column in columns], *clean] if header else clean
    text = tabulate(
        rows_with_headings,
        tablefmt="plain",
        colalign=["right" if column.right else "left" for column in columns],
        disable_numparse=True,
    )
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _fit(columns: Sequence[Column], rows: list[list[str]], width: int, header: bool) -> list[list[str]]:
    widths = [
        max([display_width(row[index]) for row in rows] + [len(column.heading) if header else 0])
        for index, column in enumerate(columns)
    ]
    spare = width - GAP * (len(columns) - 1) - sum(widths)
    flexible = [index for index, column in enumerate(columns) if column.shortens or column.wraps]
    if spare < 0 and flexible:
        _narrow(columns, widths, flexible, -spare)
    return [
        [_fit_cell(column, cell, widths[index]) for index, (column, cell) in enumerate(zip(columns, row, strict=True))]
        for row in rows
    ]


def _narrow(columns: Sequence[Column], widths: list[int], flexible: list[int], excess: int) -> None:
    """Narrow the flexible columns by `excess` in all, always the widest one, down to what stays readable."""
    least = {index: SHORTEST_NAME if columns[index].shortens else columns[index].narrowest for index in flexible}
    for _ in range(excess):
        index = max(flexible, key=lambda index: widths[index] - (0 if columns[index].wraps else 6))
        if widths[index] <= least[index]:
            index = max(flexible, key=lambda index: widths[index] - least[index])
            if widths[index] <= least[index]:
                return
        widths[index] -= 1


def _fit_cell(column: Column, cell: str, width: int) -> str:
    if column.shortens:
        return shorten_middle(cell, width)
    return "\n".join(wrap(cell, width)) if column.wraps else cell
