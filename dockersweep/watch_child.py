"""The entry of what a watcher starts: `python -m dockersweep.watch_child WHAT DESCRIPTOR WORD...`.

WHAT is sweep, look or report; the words are those of the watcher's own command line. The policy is on standard input:
that of the watcher, whatever has become of its file.
"""

import sys

from dockersweep.commands.options import WatchOptions, options_of
from dockersweep.commands.watching.child import run_child
from dockersweep.parser import parse


def main(what: str, descriptor: int, words: list[str]) -> int:
    """Do what the watcher asks for; return the exit status."""
    options = options_of(parse(words))
    assert isinstance(options, WatchOptions)
    return run_child(what, descriptor, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
