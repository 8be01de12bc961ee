"""`dockersweep watch`: sweep when space gets short, and when it is time."""

import signal
from contextlib import ExitStack

from dockersweep.commands.gather import gather_policy
from dockersweep.commands.options import WatchOptions
from dockersweep.commands.watching.watcher import Watcher

KILLED_BY = 128


def run(options: WatchOptions) -> int:
    """Watch until a signal ends it; return 128 and its number."""
    watcher = Watcher(options, gather_policy(options.policy))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: watcher.stop(got))
    with ExitStack() as opened:
        opened.callback(watcher.wakeup.close)
        # Here the server of --listen starts, of watcher.state, and the recorder of events.
        return KILLED_BY + watcher.run()
