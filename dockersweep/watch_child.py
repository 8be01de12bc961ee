"""The entry of what a watcher starts, see `commands/watching/children.py`."""

from dockersweep.commands.options import WatchOptions, options_of
from dockersweep.commands.watching.child import run_child
from dockersweep.parser import parse


def main(what: str, descriptor: int, words: list[str]) -> int:
    """Do what the watcher asks for, sweep, look or report; return the exit status.

    `words` are those of the watcher's own command line. The policy is on standard input: that of the watcher, whatever
    has become of its file.
    """
    options = options_of(parse(words))
    assert isinstance(options, WatchOptions)
    return run_child(what, descriptor, options)
