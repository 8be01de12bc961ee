"""The output of a program that is not ours, as lines that are safe to show."""

from collections.abc import Callable

from dockersweep.report.text import printable

MOST_LINES = 100
LONGEST_LINE = 1000
"""In characters."""


class OutputLines:
    """Takes output in pieces, and hands out its lines: printable, at most MOST_LINES, none longer than LONGEST_LINE."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._left = MOST_LINES
        self._line = b""

    def take(self, data: bytes) -> None:
        """Take a piece of the output."""
        *whole, rest = (self._line + data).split(b"\n")
        for line in whole:
            self._hand_out(line)
        # A line without an end must not fill the memory. A character takes up to four bytes.
        self._line = rest[: 4 * LONGEST_LINE + 4]

    def end(self) -> None:
        """Hand out a last line that has no end."""
        if self._line:
            self._hand_out(self._line)
            self._line = b""

    def _hand_out(self, line: bytes) -> None:
        if self._left < 0:
            return
        self._left -= 1
        if self._left < 0:
            self._say("... (the rest of its output is left out)")
            return
        text = printable(line.removesuffix(b"\r").decode("utf-8", "backslashreplace"))
        self._say(f"{text[:LONGEST_LINE]}..." if len(text) > LONGEST_LINE else text)
