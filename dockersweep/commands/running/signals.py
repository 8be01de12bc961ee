"""Signals while a plan is carried out: before the first removal they interrupt the run; afterwards, removals already
sent are finished and the outcome is written."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from dockersweep.commands.event_log import EventLog
from dockersweep.engine.removing.stopping import StopRequest

KILLED_BY = 128
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped:
    """The signal handler: the first signal asks to stop, a second one of the same number ends the process at once."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._breaks_off = False
        self.request = StopRequest()
        self.exit_status = KILLED_BY + signal.SIGINT

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.request.set()
        self.exit_status = KILLED_BY + number
        # The kernel keeps default actions from the first process of a container.
        signal.signal(number, _end_at_once if os.getpid() == 1 else signal.SIG_DFL)
        if self._breaks_off:
            # Only once: recording how the run ended must not be interrupted too.
            self._breaks_off = False
            raise KeyboardInterrupt("interrupted")
        self._events.stopping(number)

    def nothing_is_sent(self) -> None:
        """From now on a signal raises KeyboardInterrupt in the main thread, so that even a huge plan stops at once. If
        a signal has come already, raise it here."""
        self._breaks_off = True
        if self.request.is_set():
            self._breaks_off = False
            raise KeyboardInterrupt("interrupted")

    def only_ask(self) -> None:
        """From now on a signal only asks to stop: a removal may have been sent, or the end is being recorded."""
        self._breaks_off = False


def _end_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(KILLED_BY + number)


@contextmanager
def stop_on_signals(stopped: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Give SIGINT, SIGTERM and SIGHUP to a handler, as `Stopped`, that lets what was begun come to its end.

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
