"""Keeps the events of an engine in the ledger, as a watcher does: nothing else it holds grows with time."""

from collections.abc import Callable

from dockersweep.commands.options import EngineOptions
from dockersweep.model.inventory import Engine
from dockersweep.model.watching import EventGap, EventState


class Recorder:
    """Follows the events of one engine in a thread of its own, from `start` until `close`, whether or not the engine is
    there. All other methods are for one thread, the watcher's loop, and raise nothing."""

    def __init__(self, options: EngineOptions, on_arrival: Callable[[], None]) -> None:
        """`on_arrival` is called from the other thread each time something came that may need space (`last_arrival`),
        and each time the engine went away or came back: it wakes the loop, and must not wait."""
        self._options = options
        self._on_arrival = on_arrival
        self.state = EventState()
        self.engine: Engine | None = None
        """As it answered last; None until it has answered."""
        self.last_arrival: float | None = None
        """When the last pull, load, import, build or commit came, in seconds of the monotonic clock; None for never."""
        self.wants_folding = False
        """Whether so many events are pending that a scan should make uses of them: see `folding.fold`."""

    def start(self) -> None:
        """Connect to the engine as soon as it answers, and follow its events."""

    def record(self) -> None:
        """Write the events that came since into the ledger, and once a minute do what `flush` does. To be called about
        once a second."""

    def flush(self) -> bool:
        """Record everything received, and compare it with what the engine still has. Return whether that was possible;
        if not, `state` says why."""
        return True

    def take_gaps(self) -> tuple[EventGap, ...]:
        """Return the gaps found since the last call, each once."""
        return ()

    def close(self) -> None:
        """Record what came, and end the thread."""
