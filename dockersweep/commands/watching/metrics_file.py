"""The file of --metrics, for the textfile collector of node_exporter."""

import threading
from collections.abc import Callable

from dockersweep.commands.write import write_result
from dockersweep.errors import OutputError

EVERY_SECONDS = 60.0
MODE = 0o644
"""Readable for the collector's user; metrics name no objects."""


class MetricsFile:
    """A file that is replaced every minute, and when something changed, from a thread of its own."""

    def __init__(self, path: str, text: Callable[[], str], tell: Callable[[str], None]) -> None:
        """`text` makes what it is to hold, `tell` gets a sentence where it begins to fail; both from the thread."""
        self._path, self._text, self._tell = path, text, tell
        self._has_failed = False
        self._is_closing = False
        self._asked = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics file", daemon=True)

    def start(self) -> None:
        """Write it now and from now on."""
        self._thread.start()

    def refresh(self) -> None:
        """Write it again. Returns at once."""
        self._asked.set()

    def close(self) -> None:
        """Write it no more. It stays, as it was last: how old it is tells that nobody watches."""
        self._is_closing = True
        self._asked.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._is_closing:
            self._write()
            self._asked.wait(EVERY_SECONDS)
            self._asked.clear()

    def _write(self) -> None:
        try:
            write_result(self._text(), self._path, MODE)
        except OutputError as error:
            if not self._has_failed:
                self._tell(f"{error}; trying again every minute")
            self._has_failed = True
        else:
            if self._has_failed:
                self._tell(f"{self._path} is written again")
            self._has_failed = False
