"""Signals while a plan is on the screen."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_OF_TEXTUAL = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
"""Signals that textual takes over and does not give back: Ctrl-Z after the review would bring its screen again."""
_KILLED_BY = 128


@contextmanager
def own_signals() -> Iterator[None]:
    """Unwind for a signal that would end the process at once, so that the terminal is as before; afterwards all
    signals are as before. A signal that the caller handles or ignores stays so."""
    before = {number: signal.getsignal(number) for number in (*_ENDING, *_OF_TEXTUAL)}
    for number in _ENDING:
        if before[number] is signal.SIG_DFL:
            signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(_KILLED_BY + number)
