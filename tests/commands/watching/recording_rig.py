"""A recorder beside an engine that has events and nothing else, and what it writes into a ledger."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.commands.watching import open_ledger, recording
from dockersweep.commands.watching.recording import Recorder
from dockersweep.engine.reading import event_follower
from dockersweep.engine.reading.events import read_events
from dockersweep.engine.reading.uses import noticed_in
from dockersweep.ledger import Ledger
from dockersweep.model.event_reading import EngineEvent
from dockersweep.model.inventory import Inventory
from dockersweep.model.last_use import Span
from tests.rig.engine_options import engine_options
from tests.rig.event_engine import EventEngine, until
from tests.rig.inventories import ENGINE, inventory, volume

OPTIONS = engine_options()
THERE = inventory(volume("v"), volume("w"))


class Host:
    """A machine with an engine and a ledger, whose clock runs as a test has it."""

    def __init__(self, engine: EventEngine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine, self.folder = engine, folder
        self._slept = 0.0
        self.scanned: set[str] = set()
        """The ids in all events that scans have made uses of."""
        monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", str(folder))
        for room in (recording, open_ledger):
            monkeypatch.setattr(room, "now_seconds", lambda: time.monotonic() + self._slept)
        monkeypatch.setattr(recording, "CATCH_UP_SECONDS", 0.05)
        monkeypatch.setattr(event_follower, "now_nanos", engine.now_nanos)
        monkeypatch.setattr(event_follower, "SETTLED_SECONDS", 0.0)
        monkeypatch.setattr(event_follower, "FIRST_WAIT_SECONDS", 0.01)
        monkeypatch.setattr(event_follower, "LONGEST_WAIT_SECONDS", 0.01)

    def passes(self, seconds: float) -> None:
        """Let time pass, once everything that happened is received."""
        until(self.engine.is_read)
        self._slept += seconds
        self.engine.ahead_seconds += seconds

    @contextmanager
    def recorder(self) -> Iterator[Recorder]:
        """A recorder that follows the engine; it is killed at the end, not closed."""
        recorder = Recorder(OPTIONS, lambda: None, self.engine.client)
        recorder.start()
        try:
            until(lambda: recorder.state.is_connected)
            # The second in which it begins is not its.
            self.passes(2)
            yield recorder
        finally:
            # Its thread has to end, but nothing more is written.
            recorder._follower.close()
            recorder._ledger.close()

    def scan(self, there: Inventory = THERE) -> Inventory:
        """What a scan by another process makes of the events; as commands/gather.py does it."""
        engine = there.engine
        with Ledger(self.folder) as ledger, self.engine.client() as client:
            client.read_clock()
            reading = read_events(client, ledger.event_position(engine))
            pending = ledger.pending_events(engine)
            self.scanned |= {event.id for event in (*reading.events, *pending)}
            noted, noticed = noticed_in(reading, there, pending)
            now = client.clock
            assert now is not None
            seen = ledger.update_objects(noted, (), now, True, noticed)
            assert ledger.problem is None
        return seen

    def pending(self) -> tuple[EngineEvent, ...]:
        """The events that no scan has made uses of."""
        with Ledger(self.folder) as ledger:
            return ledger.pending_events(self.engine.engine)

    def watched(self) -> tuple[Span, ...]:
        """The spans in the ledger, as the next scan hands them out."""
        with Ledger(self.folder) as ledger:
            now = datetime.fromtimestamp(self.engine.now_nanos() / 10**9, UTC)
            return ledger.update_objects(THERE, (), now, False).watched or ()

    def reconnects(self, recorder: Recorder, because: Callable[[], None]) -> None:
        """Do what ends the stream, and wait until there is another one."""
        before = recorder._follower.connected
        because()
        until(lambda: recorder._follower.connected not in {None, before})

    def is_taken_over(self, recorder: Recorder) -> None:
        """Have another engine at the socket, and wait until it is met."""
        self.engine.is_there = False
        self.engine.forget()
        until(lambda: not recorder.state.is_connected)
        self.engine.engine = replace(ENGINE, id="OTHER")
        self.engine.is_there = True
        until(lambda: recorder.state.is_connected)

    def is_covered_now(self) -> bool:
        """Return whether what is watched reaches up to now, which is known to the second."""
        return self.second() - self.watched()[-1].ends_at <= timedelta(seconds=1)

    def second(self) -> datetime:
        """The clock of the engine, in whole seconds."""
        return datetime.fromtimestamp(self.engine.now_nanos() // 10**9, UTC)
