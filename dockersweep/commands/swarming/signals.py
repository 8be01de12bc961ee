"""Signals while jobs run on nodes: what only reads ends at once; nodes that have begun to remove finish."""

import os
import signal
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KILLED_BY = 128


class JobSignals:
    """Handles signals for as long as this context; a signal that the caller ignores stays ignored."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """The first signal that came; None for none."""
        self.lets_end = False
        """Whether the first signal only keeps further nodes from being begun: they are removing."""

    def __enter__(self) -> Self:
        """Handle signals from now on."""
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Restore what was."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        is_first, self.signal = self.signal is None, self.signal or number
        if not (is_first and self.lets_end):
            raise KeyboardInterrupt("interrupted")
        os.write(2, b"dockersweep: the nodes that have begun finish; no other is begun. Once more ends it at once\n")
