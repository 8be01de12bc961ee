"""`dockersweep completion`: the script by which a shell completes, and what that asks for."""

import argparse
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from dockersweep.commands.write import write_result
from dockersweep.engine.endpoint import resolve_endpoint
from dockersweep.errors import DockersweepError

PATIENCE_SECONDS = 2.0
"""A shell waits for the names, and somebody before it."""


class _OutOfTimeError(Exception):
    pass


def run(arguments: argparse.Namespace) -> int:
    """Write the script, or the names on the engine; return the exit status."""
    if arguments.shell == "names":
        write_result("".join(f"{name}\n" for name in _names(arguments)), arguments.output)
        return 0
    from dockersweep.report.completion_script import completion_script

    write_result(completion_script(arguments.build_parser(), arguments.shell), arguments.output)
    return 0


def _names(arguments: argparse.Namespace) -> list[str]:
    """Return what is told in time; an error is none that somebody who types could do with."""
    names: list[str] = []
    with suppress(DockersweepError, _OutOfTimeError), _in_time():
        from dockersweep.engine.names import names_at

        names.extend(names_at(resolve_endpoint(arguments.host, arguments.context, os.environ), PATIENCE_SECONDS))
    return list(dict.fromkeys(names))


@contextmanager
def _in_time() -> Iterator[None]:
    def give_up(number: int, frame: FrameType | None) -> None:
        raise _OutOfTimeError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
