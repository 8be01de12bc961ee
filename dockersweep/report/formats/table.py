"""Tables that fit a terminal: some columns shorten their cells in the middle, others wrap. Where there is no room for
columns side by side, each row is a paragraph."""

from collections.abc import Sequence

from dockersweep.report.layout import Column
from dockersweep.report.text import cut_between_parts, display_width, fold_hanging, printable, shorten_middle, wrap

GAP = 2
SHORTEST_NAME = 12
SHORT_NAME = 20
"""Down to this a name is shortened before its note loses anything."""


def render_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None, header: bool = True
) -> str:
    """Return the table with a closing newline, in at most `width` columns; None is no limit.

    Every cell is made printable here.
    """
    # Imported late: it reads the metadata of all installed packages, which takes longer than most verbs.
    from tabulate import tabulate

    clean = [[printable(cell) for cell in row] for row in rows]
    if columns[-1].is_note:
        clean = _with_notes(clean, width)
        columns = columns[:-1]
    if width is not None:
        fitting = _fit(columns, clean, width, header)
        if fitting is None:
            return "".join(fold_hanging(_in_a_line(columns, row, header), width) for row in clean)
        clean = fitting
    # Passed as rows: for headers, tabulate would widen the columns by its own padding.
    rows_with_headings = [[column.heading for column in columns], *clean] if header else clean
    text = tabulate(
        rows_with_headings,
        tablefmt="plain",
        colalign=["right" if column.right else "left" for column in columns],
        disable_numparse=True,
    )
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _with_notes(rows: list[list[str]], width: int | None) -> list[list[str]]:
    """Return rows with the note that ends each behind the name before it. A name without a note may take the room of
    both."""
    noted = [row for row in rows if row[-1]]
    name_width = max((display_width(row[-2]) for row in noted), default=0)
    note_width = max((display_width(row[-1]) for row in noted), default=0)
    if width is None:
        return [[*row[:-2], _noted(row[-2], row[-1], name_width)] for row in rows]
    room = width - sum(GAP + max(map(display_width, cells)) for cells in list(zip(*rows, strict=True))[:-2])
    name_width = min(name_width, max(SHORT_NAME, room - GAP - note_width))
    cut = [(row, cut_between_parts(row[-1], room - GAP - name_width)) for row in rows]
    return [
        [*row[:-2], _noted(shorten_middle(row[-2], name_width), note, name_width) if note else row[-2]]
        for row, note in cut
    ]


def _noted(name: str, note: str, name_width: int) -> str:
    return f"{name}{' ' * (name_width - display_width(name) + GAP)}{note}" if note else name


def _fit(columns: Sequence[Column], rows: list[list[str]], width: int, header: bool) -> list[list[str]] | None:
    """Return the rows with cells that fit; None if there is no room for them side by side."""
    widths = [
        max([display_width(row[index]) for row in rows] + [len(column.heading) if header else 0])
        for index, column in enumerate(columns)
    ]
    spare = width - GAP * (len(columns) - 1) - sum(widths)
    if spare < 0 and _narrow(columns, widths, -spare, header) > 0:
        return None
    return [
        [_fit_cell(column, cell, widths[index]) for index, (column, cell) in enumerate(zip(columns, row, strict=True))]
        for row in rows
    ]


def _narrow(columns: Sequence[Column], widths: list[int], excess: int, header: bool) -> int:
    """Narrow the flexible columns by `excess` in all, always the widest one, down to what stays readable; return what
    is left of it."""
    flexible = [index for index, column in enumerate(columns) if column.shortens or column.wraps]
    least = {index: _least(columns[index], header) for index in flexible}
    for left in range(excess, 0, -1):
        wider = [index for index, narrowest in least.items() if widths[index] > narrowest]
        if not wider:
            return left
        widths[max(wider, key=lambda index: widths[index] - (0 if columns[index].wraps else 6))] -= 1
    return 0


def _least(column: Column, header: bool) -> int:
    """Return the least width of a column; a heading stays whole."""
    least = SHORTEST_NAME if column.shortens else column.narrowest
    return max(least, len(column.heading)) if header else least


def _fit_cell(column: Column, cell: str, width: int) -> str:
    if column.shortens:
        return shorten_middle(cell, width)
    if column.breaks_at_commas and display_width(cell) > width:
        cell = cell.replace(", ", "\n")
        return "\n".join(line for part in cell.split("\n") for line in wrap(part, width))
    return "\n".join(wrap(cell, width)) if column.wraps else cell


def _in_a_line(columns: Sequence[Column], row: Sequence[str], header: bool) -> str:
    """Return the cells that are not empty, each behind its heading; a name that begins the row needs none."""
    cells = [(column.heading, cell) for column, cell in zip(columns, row, strict=True) if cell]
    if not header:
        return ", ".join(cell for _, cell in cells)
    begins = f"{row[0]}: " if row[0] and not columns[0].right else ""
    return begins + ", ".join(f"{heading} {cell}".strip() for heading, cell in cells[bool(begins) :])
