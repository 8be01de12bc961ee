"""Signals while removals are under way: what is in hand is finished, and what became of it is told."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dockersweep.commands.event_log import EventLog
from dockersweep.engine.stopping import StopRequest

KILLED_BY = 128
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped:
    """Set by the first signal; a second one of the kind ends the process at once."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self.request = StopRequest()
        self.exit_status = KILLED_BY + signal.SIGINT

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.request.set()
        self.exit_status = KILLED_BY + number
        signal.signal(number, signal.SIG_DFL)
        self._events.stopping(number)


@contextmanager
def stop_on_signals(stopped: Stopped) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP finish the objects in hand instead of breaking off in the middle of them.

    A signal that the caller ignores stays ignored, as SIGHUP does under nohup(1).
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stopped)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
