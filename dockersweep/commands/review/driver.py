"""The terminal of a review, whose size textual asks of the wrong place."""

import os
from contextlib import suppress

from textual.drivers.linux_driver import LinuxDriver

_SMALLEST = 80, 24
"""Columns and lines of a terminal that does not know its size, like a serial line."""


class StandardErrorDriver(LinuxDriver):
    """Takes the size of the terminal on standard error, where the screen is.

    textual takes COLUMNS and LINES, which a shell may have exported at another size, and then standard output, which
    may be a file.
    """

    def _get_terminal_size(self) -> tuple[int, int]:
        size = _SMALLEST
        if self._file is not None:
            # A terminal that was closed has none.
            with suppress(OSError):
                size = os.get_terminal_size(self._file.fileno())
        return size if all(size) else _SMALLEST
