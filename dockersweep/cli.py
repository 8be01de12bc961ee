"""The entry: the one place that catches our errors and turns them into the exit status.

What a call does not need is not imported: the parser alone takes as long as the interpreter's own start, so --help and
--version are answered before it, and a verb is imported when it is called.
"""

import sys
from collections.abc import Sequence

from dockersweep import __version__
from dockersweep.errors import DockersweepError
from dockersweep.usage import HELP

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status."""
    given = sys.argv[1:] if argv is None else argv
    if given and given[0] in ("-h", "--help"):
        sys.stdout.write(HELP)
        return 0
    if given and given[0] == "--version":
        sys.stdout.write(f"dockersweep {__version__}\n")
        return 0
    try:
        return _run(given)
    except DockersweepError as error:
        return _fail(str(error), error.exit_status)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)


def _run(argv: Sequence[str]) -> int:
    import importlib

    from dockersweep.parser import parse

    arguments = parse(argv)
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that cannot show a character gets its code instead of a traceback.
        sys.stdout.reconfigure(errors="backslashreplace")
    verb = importlib.import_module(f"dockersweep.commands.{arguments.verb}")
    status: int = verb.run(arguments)
    return status


def _fail(message: str, status: int) -> int:
    from dockersweep.report.text import printable

    sys.stderr.write(f"dockersweep: {printable(message)}\n")
    return status
