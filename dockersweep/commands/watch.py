"""`dockersweep watch`: sweep when space gets short, and when it is time."""

import os
import signal
from contextlib import ExitStack

from dockersweep.commands.options import WatchOptions
from dockersweep.commands.watching.children import start_report
from dockersweep.commands.watching.watcher import Watcher
from dockersweep.commands.write import Destination
from dockersweep.engine.api.endpoint import resolve_endpoint

KILLED_BY = 128


def run(options: WatchOptions) -> int:
    """Watch until a signal ends it; return 128 and its number.

    Raises UsageError where the command line or the policy cannot be watched by; an engine that is away is waited for.
    """
    engine = options.run.engine
    endpoint = resolve_endpoint(engine.host, engine.context, os.environ, engine.tls)
    Destination(options.run.output.path).check()
    watcher = Watcher(options, endpoint.url)
    with ExitStack() as opened:
        opened.callback(watcher.wakeup.close)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # SIGHUP is ignored under nohup(1).
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda got, _: watcher.on_signal(got))
        _publish(options, watcher, opened)
        return KILLED_BY + watcher.run()


def _publish(options: WatchOptions, watcher: Watcher, opened: ExitStack) -> None:
    """Serve and write metrics, where that is asked for."""
    if options.listen is None and options.metrics_file is None:
        return
    # Imported late: it takes a third of the memory of a watcher without.
    from dockersweep.commands.watching.publishing import Publisher

    publisher = Publisher(options.listen, options.listen_any, options.metrics_file)
    opened.callback(publisher.close)
    publisher.start(watcher.state, lambda: start_report(options, watcher.policy.policy), watcher.log.notice)
    watcher.on_sweep = publisher.refresh
    if publisher.url is not None:
        watcher.log.started((f"serving metrics at {publisher.url}",))
