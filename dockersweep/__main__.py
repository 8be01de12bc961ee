"""The entry of the process: `dockersweep`, and `python -m dockersweep`.

Ctrl-C while it starts ends it without a word, where Python would show what it was importing; `cli` takes over from the
moment that a verb runs. It is the first thing done, by the module below `signal`, which takes longer to import than all
that is here. One that the caller ignores stays ignored.
"""

import _signal  # type: ignore[import-not-found]

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import sys

from dockersweep.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
