"""`dockersweep completion`: the completion script for a shell, and the names that the script asks for."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from dockersweep.commands.options import CompletionOptions
from dockersweep.commands.write import write_result
from dockersweep.engine.api.endpoint import resolve_endpoint
from dockersweep.errors import DockersweepError
from dockersweep.model.engine_address import TlsFlags

ANSWER_SECONDS = 2.0
"""How long the engine may take: a shell waits for the names."""


class _OutOfTimeError(Exception):
    pass


def run(options: CompletionOptions) -> int:
    """Write the script, or the names on the engine; return the exit status."""
    if options.shell == "names":
        names = names_in_time(options.host, options.context, options.tls)
        write_result("".join(f"{name}\n" for name in names), options.output.path)
        return 0
    from dockersweep.report.completion_script import completion_script

    write_result(completion_script(options.build_parser(), options.shell), options.output.path)
    return 0


def names_in_time(host: str | None, context: str | None, tls: TlsFlags | None) -> list[str]:
    """Return the names on the engine that these flags name, those that arrive in time. Errors are dropped: a completing
    shell has nowhere to show them."""
    names: list[str] = []
    with suppress(DockersweepError, _OutOfTimeError), _in_time():
        from dockersweep.engine.api.object_names import names_at

        endpoint = resolve_endpoint(host, context, os.environ, tls)
        names.extend(names_at(endpoint, ANSWER_SECONDS))
    return list(dict.fromkeys(names))


@contextmanager
def _in_time() -> Iterator[None]:
    def give_up(number: int, frame: FrameType | None) -> None:
        raise _OutOfTimeError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, ANSWER_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
