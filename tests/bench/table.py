"""The Markdown table of what was measured."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_HEADINGS = ("what", "dockersweep", "beside", "there", "ratio", "aim", "met")
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Row:
    """One figure of dockersweep beside that of another tool, or beside a limit."""

    what: str
    ours: float
    beside: str = ""
    theirs: float | None = None
    aim: float | None = None
    """The ratio that is aimed at; without another tool, the figure itself. None where nothing is."""
    unit: Literal["s", "MB"] = "s"

    @property
    def ratio(self) -> float | None:
        """How many times the other's figure ours is."""
        return self.ours / self.theirs if self.theirs else None

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None where there is none."""
        figure = self.ours if self.theirs is None else self.ratio
        return None if self.aim is None or figure is None else figure <= self.aim

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        theirs = "" if self.theirs is None else _figure(self.theirs, self.unit)
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return self.what, _figure(self.ours, self.unit), self.beside, theirs, ratio, self._aim(), _yes_or_no(self.met)

    def _aim(self) -> str:
        if self.aim is None:
            return ""
        return f"≤ {_figure(self.aim, self.unit) if self.theirs is None else f'{self.aim:g}'}"


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table with a closing newline."""
    lines = [_HEADINGS, ("---", "---:", "---", "---:", "---:", "---:", "---"), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def write_table(rows: Sequence[Row]) -> int:
    """Write the rows to standard output; return 1 where an aim is missed, as the exit status."""
    sys.stdout.write(f"{markdown(rows)}\n")
    return int(any(row.met is False for row in rows))


def _yes_or_no(met: bool | None) -> str:
    return {True: "yes", False: "no", None: ""}[met]


def _figure(figure: float, unit: str) -> str:
    if unit == "MB":
        return f"{figure / _MEGABYTE:.0f} MB"
    return f"{figure * 1000:.0f} ms" if figure < 10 else f"{figure:.1f} s"
