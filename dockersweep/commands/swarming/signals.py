"""Signals while jobs run on nodes: what only reads ends at once; nodes that have begun to remove finish."""

import os
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Self

from dockersweep.commands.running.signals import KILLED_BY, stop_on_signals

__all__ = ["KILLED_BY", "JobSignals"]


class JobSignals:
    """Handles signals for as long as this context; a signal that the caller ignores stays ignored."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """The first signal that came; None for none."""
        self.lets_end = False
        """Whether the first signal only keeps further nodes from being begun: they are removing."""
        self._handled = ExitStack()

    def __enter__(self) -> Self:
        """Handle signals from now on."""
        self._handled.enter_context(stop_on_signals(self._on_signal))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Restore what was."""
        self._handled.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        is_first, self.signal = self.signal is None, self.signal or number
        if not (is_first and self.lets_end):
            raise KeyboardInterrupt("interrupted")
        os.write(2, b"dockersweep: the nodes that have begun finish; no other is begun. Once more ends it at once\n")
