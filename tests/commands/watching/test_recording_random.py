"""Whatever happens to a watcher, its engine and its clock: of the time that it calls covered, every event is known."""

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.commands.watching import recording
from dockersweep.commands.watching.recording import Recorder
from dockersweep.engine.reading import event_inbox
from tests.commands.watching.recording_rig import Host
from tests.rig.event_engine import CHANNEL, EventEngine, until
from tests.rig.examples import examples


class World:
    """A watcher that may be killed and started again, and what can happen around it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.recorder: Recorder | None = None
        self._running = ExitStack()
        self._number = 0
        self.watch()

    def watch(self) -> None:
        if self.recorder is None and self.host.engine.is_there:
            self.recorder = self._running.enter_context(self.host.recorder())

    def killed(self) -> None:
        self.recorder = None
        self._running.close()

    def happens(self, count: int) -> None:
        for _ in range(count):
            self._number += 1
            self.host.engine.happens("mount", f"v{self._number}")

    def few(self) -> None:
        self.happens(3)

    def many(self) -> None:
        self.happens(300)

    def stalled(self) -> None:
        self.host.engine.stall()
        self.happens(CHANNEL + 300)
        self.host.engine.go_on()

    def passes(self) -> None:
        self.host.passes(20)

    def recorded(self) -> None:
        if self.recorder is not None:
            self.recorder.record()

    def compared(self) -> None:
        if self.recorder is not None:
            self.recorder.flush()

    def scanned(self) -> None:
        if self.host.engine.is_there:
            self.host.scan()

    def broken_off(self) -> None:
        self.host.engine.break_off()
        time.sleep(0.03)

    def restarted(self) -> None:
        self.host.engine.forget()
        time.sleep(0.03)

    def gone(self) -> None:
        self.host.engine.is_there = False
        self.host.engine.break_off()
        time.sleep(0.03)

    def back(self) -> None:
        self.host.engine.is_there = True
        time.sleep(0.03)

    def set_forward(self) -> None:
        until(self.host.engine.is_read)
        self.host.engine.ahead_seconds += 3600

    def ends(self) -> None:
        self.back()
        self.watch()
        assert self.recorder is not None
        recorder = self.recorder
        until(lambda: recorder.state.is_connected)
        self.passes()
        until(recorder.flush)
        self.passes()
        until(recorder.flush)
        self.killed()


STEPS: tuple[Callable[[World], None], ...] = (
    World.few, World.few, World.many, World.stalled, World.passes, World.passes, World.recorded, World.compared,
    World.scanned, World.broken_off, World.restarted, World.gone, World.back, World.watch, World.killed,
    World.set_forward,
)  # fmt: skip


@pytest.mark.parametrize("is_podman", [False, True])
@examples(30)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=14))
def test_of_covered_time_every_event_is_known(is_podman: bool, steps: list[Callable[[World], None]]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        # So small that what a stall brings at once does not fit in.
        patch.setattr(event_inbox.EventInbox.__init__, "__defaults__", (1_200,))
        patch.setattr(recording, "SOONEST_SECONDS", 0.0)
        host = Host(EventEngine(is_podman), Path(folder), patch)
        world = World(host)
        try:
            for step in steps:
                step(world)
            world.ends()
        finally:
            world.killed()
        known = host.scanned | {event.id for event in host.pending()}
        covered = [(int(span.begins_at.timestamp()), int(span.ends_at.timestamp())) for span in host.watched()]
        for event in host.engine.everything():
            second = event.at_nanos // 10**9
            if any(begin <= second < end for begin, end in covered):
                assert event.id in known, (event, covered)
        # It ends in covered time, whatever was before.
        assert covered[-1][1] > host.second().timestamp() - 20
