"""A build that stays under way for as long as a race needs it."""

import os
import signal
import threading
import time
from pathlib import Path

from tests.rig.engines.builds import Builds
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import BASE

# For so long a held build would sleep; each test process has a number of its own, to know its own sleepers by.
_HELD_SECONDS = str(10_000_000 + os.getpid())
_LONGEST_SECONDS = 60.0


class HeldBuild:
    """A build that uses the records of `build_cache("cache", records=2)` and stays under way until it is let go."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = threading.Thread(target=self._build)
        self._failure: BaseException | None = None

    def hold(self) -> None:
        """Start it and wait until it is in the middle of a step on top of the records."""
        self._thread.start()
        deadline = time.monotonic() + _LONGEST_SECONDS
        while not _held_steps() and time.monotonic() < deadline:
            assert self._thread.is_alive(), self._failure
            time.sleep(0.01)

    def finish(self) -> None:
        """Let it go on; it must end well."""
        for step in _held_steps():
            os.kill(step, signal.SIGKILL)
        self._thread.join(_LONGEST_SECONDS)
        assert self._failure is None, self._failure

    def _build(self) -> None:
        try:
            Builds(self._engine).cache_then(BASE, "cache", f"RUN sleep {_HELD_SECONDS} || touch /held")
        except BaseException as failure:
            self._failure = failure


def _held_steps() -> list[int]:
    """The processes of held steps of our builds."""
    wanted = b"sleep\0" + _HELD_SECONDS.encode() + b"\0"
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes() == wanted:
                found.append(int(folder.name))
        except OSError:
            continue
    return found
