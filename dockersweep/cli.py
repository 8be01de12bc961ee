"""The entry: the one place that catches our errors and turns them into the exit status.

Imports only what a call needs: the parser alone takes as long as the interpreter's own start, so --help and --version
are answered without it, and each verb is imported when it is called.
"""

import _signal  # type: ignore[import-not-found]
import os
import sys
from collections.abc import Callable, Sequence

from dockersweep import __version__
from dockersweep.errors import DockersweepError
from dockersweep.usage import PROGRAM, help_of

# typing takes longer to import than the rest of this module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from types import FrameType, ModuleType

INTERRUPTED = 130
NOT_INSTALLED = 2
_FILE_OF_VERB = {"fleet": "fleet_folder"}
"""Where a verb is not in the file of its name: `commands/fleet/` runs all other verbs on several hosts."""


def main(
    argv: Sequence[str] | None = None,
    program: str = PROGRAM,
    read: Callable[[Sequence[str]], list[str]] = list,
) -> int:
    """Run a command line and return its exit status.

    Usage and hints tell what was typed for the program; `read` makes our words of those that the process was given.
    """
    arguments = None
    try:
        _open_closed_streams()
        given = read(sys.argv[1:] if argv is None else argv)
        first = given[0] if given else "help" if sys.stdout.isatty() else ""
        # Without a terminal this is an error: a cron job that lost its verb must not succeed.
        if first in ("-h", "--help", "help") and given[1:] in ([], ["help"]):
            return _say(help_of(program))
        if first in ("--version", "version"):
            return _say(f"dockersweep {__version__}\n")
        if first == "help":
            given = [*given[1:], "--help"]
        if sys.platform == "win32":
            return _refuse_windows()
        from dockersweep.commands.python_gc import without_collector

        # Modules live as long as the process: collecting them is wasted work.
        with without_collector():
            arguments = _parse(given, program)
            verb = _module_of(arguments.verb)
        return _run(verb, arguments)
    except DockersweepError as error:
        return _fail(error.sentences, error.exit_status, arguments)
    except KeyboardInterrupt:
        return _fail(("interrupted",), INTERRUPTED, arguments)
    except ModuleNotFoundError as error:
        return _miss(error)
    finally:
        _drop_what_is_left()


def end_at_start(number: int, frame: "FrameType | None") -> None:
    """End a process that has done nothing yet without a word, for a caller who has no status for one that a signal
    has ended."""
    os._exit(INTERRUPTED)


def _interrupt(number: int, frame: "FrameType | None") -> None:
    """Interrupt the verb. A second signal ends the process at once."""
    _signal.signal(number, _signal.SIG_DFL)
    raise KeyboardInterrupt


def _miss(error: ModuleNotFoundError) -> int:
    """Say how to install a missing package, as in a checkout that was not installed; imports nothing that may need
    it."""
    if error.name is None or error.name.partition(".")[0] == "dockersweep":
        raise error
    sys.stderr.write(
        f"dockersweep: the Python package {error.name} is not installed: install dockersweep with all that it needs, "
        "by `pip install .` in its checkout\n"
    )
    return NOT_INSTALLED


def _refuse_windows() -> int:
    """Say where dockersweep runs beside Windows; most of it cannot even be imported there."""
    sys.stderr.write("dockersweep: it runs on Linux and macOS: on Windows, run it inside WSL2\n")
    return NOT_INSTALLED


def _open_closed_streams() -> None:
    """Replace streams that the caller closed (`2>&-`), for which Python has None, by /dev/null."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - it lives as long as the process.


def _drop_what_is_left() -> None:
    """Drop what standard error cannot take: otherwise Python fails again when it closes the stream, and changes the
    exit status."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _say(text: str) -> int:
    """Write to standard output without importing anything."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parse(argv: Sequence[str], program: str) -> "argparse.Namespace":
    from dockersweep.parser import parse

    arguments = parse(argv, program)
    if arguments.repeated:
        from dockersweep.commands.write import write_aside

        write_aside(
            *(f"dockersweep: {flag} is given more than once; the last one is used" for flag in arguments.repeated)
        )
    return arguments


def _module_of(verb: str) -> "ModuleType":
    import importlib

    file = _FILE_OF_VERB.get(verb, verb.replace("-", "_"))
    return importlib.import_module(f"dockersweep.commands.{file}")


def _run(verb: "ModuleType", arguments: "argparse.Namespace") -> int:
    if hasattr(sys.stdout, "reconfigure"):
        # A character that the terminal cannot show is escaped instead of raising an error. For programs the encoding is
        # UTF-8: an escape would be wrong there, and invalid in JSON.
        is_for_people = getattr(arguments, "format", "table") in ("table", "markdown")
        sys.stdout.reconfigure(encoding=None if is_for_people else "utf-8", errors="backslashreplace")
    from dockersweep.commands.options import options_of, several_of

    # Only if the entry of the process set it.
    if _signal.getsignal(_signal.SIGINT) in (_signal.SIG_DFL, end_at_start):
        _signal.signal(_signal.SIGINT, _interrupt)
    try:
        several = several_of(arguments)
        if several is not None:
            from dockersweep.commands.fleet.many_hosts import run_on_hosts

            return run_on_hosts(options_of(arguments), several, verb.run)
        status: int = verb.run(options_of(arguments))
    finally:
        # Python's shutdown would print a traceback too.
        if _signal.getsignal(_signal.SIGINT) is _interrupt:
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    return status


def _fail(sentences: Sequence[str], status: int, arguments: "argparse.Namespace | None") -> int:
    from dockersweep.commands.event_log import EventLog

    log = EventLog(arguments.log_format if arguments else "text")
    for sentence in sentences:
        log.error(sentence, status)
    return status
