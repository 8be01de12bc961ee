"""The entry of the process: `dockersweep`, and `python -m dockersweep`.

Ctrl-C during start-up ends the process silently, where Python would print a traceback of its imports; `cli` takes over
as soon as a verb runs. This comes first, and uses `_signal` because `signal` takes longer to import than the rest. A
SIGINT that the caller ignores stays ignored.
"""

import _signal  # type: ignore[import-not-found]

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import sys

from dockersweep.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
