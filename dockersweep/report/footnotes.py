"""Notes that many rows of a table have: a number in each row, and the text once below."""

from collections import Counter
from collections.abc import Iterable, Iterator

FEWEST_ROWS = 3
SHORTEST_NOTE = 24
"""What is shorter takes no more room than its number and the text below."""


class Footnotes:
    """The notes of one table."""

    def __init__(self, notes: Iterable[str]) -> None:
        """`notes` are those of all rows, as often as rows have them."""
        common = [note for note, rows in Counter(notes).items() if rows >= FEWEST_ROWS and len(note) >= SHORTEST_NOTE]
        self._number_of = {note: number for number, note in enumerate(common, 1)}

    def in_row(self, note: str) -> str:
        """Return a note as a row has it: "[1]" for one that is told below."""
        number = self._number_of.get(note)
        return note if number is None else f"[{number}]"

    def below(self) -> Iterator[str]:
        """Yield what is told below the table: "[1] without ACLs"."""
        yield from (f"[{number}] {note}" for note, number in self._number_of.items())
