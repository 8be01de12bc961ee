"""The entry of the process: `dockersweep`, and `python -m dockersweep`.

Ctrl-C during start-up ends the process silently, where Python would print a traceback of its imports; `cli` takes over
as soon as a verb runs. This comes first, and uses `_signal` because `signal` takes longer to import than the rest. A
SIGINT that the caller ignores stays ignored.

The first process of a container gets no signal that it has no handler for, so it ends itself there.
"""

import _signal  # type: ignore[import-not-found]
import os

if os.getpid() == 1:
    for _number in (_signal.SIGTERM, _signal.SIGHUP):
        if _signal.getsignal(_number) == _signal.SIG_DFL:
            _signal.signal(_number, lambda number, frame: os._exit(128 + number))
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import sys

from dockersweep.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
