"""The entry: the one place that catches our errors and turns them into the exit status.

What a call does not need is not imported: the parser alone takes as long as the interpreter's own start, so --help and
--version are answered before it, and a verb is imported when it is called.
"""

import os
import sys
from collections.abc import Sequence

from dockersweep import __version__
from dockersweep.errors import DockersweepError
from dockersweep.usage import HELP

# The module typing takes longer to import than all of this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from types import FrameType

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status."""
    given = sys.argv[1:] if argv is None else argv
    arguments = None
    try:
        _open_closed_streams()
        if given and given[0] in ("-h", "--help"):
            return _say(HELP)
        if given and given[0] == "--version":
            return _say(f"dockersweep {__version__}\n")
        arguments = _parse(given)
        return _run(arguments)
    except DockersweepError as error:
        return _fail(str(error), error.exit_status, arguments)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED, arguments)


def _interrupt(number: int, frame: "FrameType | None") -> None:
    """Break off what a verb does. Once more ends the process, whatever it is still saying."""
    import signal

    signal.signal(number, signal.SIG_DFL)
    raise KeyboardInterrupt


def _open_closed_streams() -> None:
    """A caller may have closed any of the three (`2>&-`); Python then has None in its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - it lives as long as the process.


def _say(text: str) -> int:
    """Write to standard output where nothing else has been imported that could."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parse(argv: Sequence[str]) -> "argparse.Namespace":
    from contextlib import suppress

    from dockersweep.parser import parse

    arguments = parse(argv)
    with suppress(OSError):
        for flag in arguments.repeated:
            sys.stderr.write(f"dockersweep: {flag} is given more than once; the last one is used\n")
    return arguments


def _run(arguments: "argparse.Namespace") -> int:
    import importlib
    import signal

    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that cannot show a character gets its code instead of a traceback. In what programs read such a
        # code would be wrong, and in JSON a fault.
        is_for_people = getattr(arguments, "format", "table") in ("table", "markdown")
        sys.stdout.reconfigure(encoding=None if is_for_people else "utf-8", errors="backslashreplace")
    verb = importlib.import_module(f"dockersweep.commands.{arguments.verb}")
    # Only where `__main__` has made it so.
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        status: int = verb.run(arguments)
    finally:
        # Python's own end shows where it was as well.
        if signal.getsignal(signal.SIGINT) is _interrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    return status


def _fail(message: str, status: int, arguments: "argparse.Namespace | None") -> int:
    from dockersweep.commands.event_log import EventLog

    EventLog(arguments.log_format if arguments else "text").error(message, status)
    return status
