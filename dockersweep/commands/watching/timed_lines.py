"""Puts the time in front of each line: what a watcher and its sweeps tell as text stands in one log."""

import io
from datetime import UTC, datetime
from typing import TextIO


def now_words() -> str:
    """Return the time in front of a line, by the clock on the wall."""
    return datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


class TimedLines(io.TextIOWrapper):
    """A stream that writes whole lines to another one, each with its time; none of its own that is empty."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream.buffer, stream.encoding, stream.errors, line_buffering=True)
        self._begun = ""

    def write(self, text: str) -> int:
        """Write what makes whole lines with what came before, and keep the rest."""
        *lines, self._begun = f"{self._begun}{text}".split("\n")
        told = [f"{now_words()} {line}\n" for line in lines if line]
        if told:
            super().write("".join(told))
        return len(text)

    def flush(self) -> None:
        """Write what is there, though its line has no end yet."""
        if self._begun:
            self.write("\n")
        super().flush()

    def isatty(self) -> bool:
        """Return False: nothing is folded to the width of a terminal."""
        return False
