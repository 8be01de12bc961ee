"""The entry: the one place that catches our errors and turns them into the exit status.

What a call does not need is not imported: the parser alone takes as long as the interpreter's own start, so --help and
--version are answered before it, and a verb is imported when it is called.
"""

import _signal  # type: ignore[import-not-found]
import os
import sys
from collections.abc import Sequence

from dockersweep import __version__
from dockersweep.errors import DockersweepError
from dockersweep.usage import PROGRAM, help_of

# The module typing takes longer to import than all of this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from types import FrameType, ModuleType

INTERRUPTED = 130
NOT_INSTALLED = 2


def main(argv: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run a command line and return its exit status; usage and hints tell what was typed for the program."""
    given = sys.argv[1:] if argv is None else argv
    arguments = None
    try:
        _open_closed_streams()
        first = given[0] if given else "help" if sys.stdout.isatty() else ""
        # A line of cron that lost its verb must not end well.
        if first in ("-h", "--help", "help") and list(given[1:]) in ([], ["help"]):
            return _say(help_of(program))
        if first in ("--version", "version"):
            return _say(f"dockersweep {__version__}\n")
        if first == "help":
            given = [*given[1:], "--help"]
        from dockersweep.commands.python_gc import without_collector

        # What modules hold stays as long as the process.
        with without_collector():
            arguments = _parse(given, program)
            verb = _module_of(arguments.verb)
        return _run(verb, arguments)
    except DockersweepError as error:
        return fail(str(error), error.exit_status, arguments)
    except KeyboardInterrupt:
        return fail("interrupted", INTERRUPTED, arguments)
    except ModuleNotFoundError as error:
        return _miss(error)
    finally:
        _drop_what_is_left()


def end_at_start(number: int, frame: "FrameType | None") -> None:
    """End a process that has done nothing yet without a word, for a caller who has no status for one that a signal
    has ended."""
    os._exit(INTERRUPTED)


def _interrupt(number: int, frame: "FrameType | None") -> None:
    """Break off what a verb does. Once more ends the process, whatever it is still saying."""
    _signal.signal(number, _signal.SIG_DFL)
    raise KeyboardInterrupt


def _miss(error: ModuleNotFoundError) -> int:
    """Say how to install what is missing, as in a checkout that was not installed; nothing of ours can say it then."""
    if error.name is None or error.name.partition(".")[0] == "dockersweep":
        raise error
    sys.stderr.write(
        f"dockersweep: the Python package {error.name} is not installed: install dockersweep with all that it needs, "
        "by `pip install .` in its checkout\n"
    )
    return NOT_INSTALLED


def _open_closed_streams() -> None:
    """A caller may have closed any of the three (`2>&-`); Python then has None in its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - it lives as long as the process.


def _drop_what_is_left() -> None:
    """Nobody may take what is said on standard error. What is left in its buffer would fail once more when Python
    closes it, and take the exit status."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _say(text: str) -> int:
    """Write to standard output where nothing else has been imported that could."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parse(argv: Sequence[str], program: str) -> "argparse.Namespace":
    from contextlib import suppress

    from dockersweep.parser import parse

    arguments = parse(argv, program)
    with suppress(OSError):
        for flag in arguments.repeated:
            sys.stderr.write(f"dockersweep: {flag} is given more than once; the last one is used\n")
    return arguments


def _module_of(verb: str) -> "ModuleType":
    import importlib

    return importlib.import_module(f"dockersweep.commands.{verb.replace('-', '_')}")


def _run(verb: "ModuleType", arguments: "argparse.Namespace") -> int:
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that cannot show a character gets its code instead of a traceback. In what programs read such a
        # code would be wrong, and in JSON a fault.
        is_for_people = getattr(arguments, "format", "table") in ("table", "markdown")
        sys.stdout.reconfigure(encoding=None if is_for_people else "utf-8", errors="backslashreplace")
    from dockersweep.commands.options import options_of

    # Only where the entry of the process has made it so.
    if _signal.getsignal(_signal.SIGINT) in (_signal.SIG_DFL, end_at_start):
        _signal.signal(_signal.SIGINT, _interrupt)
    try:
        status: int = verb.run(options_of(arguments))
    finally:
        # Python's own end shows where it was as well.
        if _signal.getsignal(_signal.SIGINT) is _interrupt:
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    return status


def fail(message: str, status: int, arguments: "argparse.Namespace | None" = None) -> int:
    """Tell an error as a command line wants it told, if it could be read; returns the status."""
    from dockersweep.commands.event_log import EventLog

    EventLog(arguments.log_format if arguments else "text").error(message, status)
    return status
