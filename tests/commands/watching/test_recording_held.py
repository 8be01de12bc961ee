"""What a watcher writes down of Podman's containers that are gone before anybody looks, and of engines and ledgers that
change."""

import shutil
import time

import pytest
from msgspec.structs import replace

from dockersweep.commands.watching import open_ledger
from dockersweep.commands.watching.recording import Recorder
from dockersweep.engine.reading.event_coverage import MOST_LIVES
from dockersweep.errors import LedgerError
from dockersweep.ledger import Ledger
from dockersweep.model.inventory import Inventory
from tests.commands.watching.recording_rig import Host
from tests.rig.event_engine import until
from tests.rig.inventories import container, inventory, volume


def knows_or_says_it_does_not(seen: Inventory) -> bool:
    """Whether a use of the first volume is known, or some time is said not to be covered for volumes."""
    return bool(seen.volumes[0].uses) or not all(span.of_held for span in seen.watched or ())


def received(host: Host, recorder: Recorder, total: int) -> None:
    until(host.engine.is_read)
    until(lambda: recorder.state.received >= total)


def test_a_stopped_container_that_ran_before_the_watcher_is_looked_at_while_it_is_there(podman_host: Host) -> None:
    engine = podman_host.engine
    there = inventory(volume("v"), volume("w"), engine=engine.engine)
    engine.happens("mount", "w")
    podman_host.scan(there)
    podman_host.passes(60)
    engine.containers["c1"] = replace(container("c1", volumes=["v"]), state="exited")
    engine.happens("start", "c1", "container", name="job")
    podman_host.passes(60)
    with podman_host.recorder() as recorder:
        assert recorder.flush()
        podman_host.passes(60)
        del engine.containers["c1"]
        podman_host.passes(60)
        assert recorder.flush()
        seen = podman_host.scan(there)
        assert [(use.action, use.by) for use in seen.volumes[0].uses] == [("started", "job")]
        assert all(span.of_held for span in seen.watched or ())


def test_of_a_container_that_podman_took_along_when_it_went_away_nothing_is_promised(podman_host: Host) -> None:
    engine = podman_host.engine
    there = inventory(volume("v"), volume("w"), engine=engine.engine)
    engine.happens("mount", "w")
    podman_host.passes(2)
    with podman_host.recorder() as recorder:
        assert recorder.flush()
        podman_host.passes(60)
        engine.containers["c1"] = container("c1", volumes=["v"])
        before = recorder.state.received
        engine.happens("create", "c1", "container", name="job")
        engine.happens("start", "c1", "container", name="job")
        received(podman_host, recorder, before + 2)
        del engine.containers["c1"]
        engine.is_there = False
        engine.break_off()
        until(lambda: not recorder.state.is_connected)
        recorder.record()
        engine.is_there = True
        until(lambda: recorder.state.is_connected)
        podman_host.passes(10)
        assert recorder.flush()
        assert knows_or_says_it_does_not(podman_host.scan(there))


def test_what_nobody_could_look_at_takes_no_memory_while_the_ledger_cannot_be_written(
    podman_host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_ledger, "REOPEN_SECONDS", 0.0)

    def refuse(*_: object, **__: object) -> int:
        raise LedgerError("the disk is full")

    with podman_host.recorder() as recorder:
        assert recorder.flush()
        before = recorder.state.received
        monkeypatch.setattr(Ledger, "record_events", refuse)
        for number in range(2 * MOST_LIVES):
            podman_host.engine.happens("create", f"c{number}", "container")
            podman_host.engine.ahead_seconds += 5
        received(podman_host, recorder, before + 2 * MOST_LIVES)
        time.sleep(0.1)
        for _ in range(5):
            recorder.record()
        assert 0 < len(recorder._lives) <= MOST_LIVES


def test_events_of_another_engine_are_not_written_down_as_those_of_the_one_before(host: Host) -> None:
    with host.recorder() as recorder:
        host.engine.happens("mount", "first")
        assert recorder.flush()
        host.is_taken_over(recorder)
        host.passes(2)
        before = recorder.state.received
        host.engine.happens("mount", "w")
        received(host, recorder, before + 1)
        # The loop goes round before the engines are compared.
        recorder._write_received(may_move=False)
        assert host.pending() == ()
        host.passes(2)
        assert recorder.flush()
        assert [event.id for event in host.pending()] == ["w"]


@pytest.mark.parametrize("is_made_by_another", [False, True])
def test_a_ledger_that_was_replaced_is_written_and_says_nothing_of_the_time_before(
    host: Host, is_made_by_another: bool
) -> None:
    with host.recorder() as recorder:
        host.engine.happens("mount", "v")
        host.passes(60)
        assert recorder.flush()
        host.passes(10)
        # Written down already, in what is lost.
        host.engine.happens("mount", "w")
        host.passes(10)
        recorder.record()
        assert {event.id for event in host.pending()} == {"v", "w"}
        shutil.rmtree(host.folder)
        if is_made_by_another:
            host.scan()
        lost_at = host.second()
        before = recorder._follower.connected
        recorder.record()
        until(lambda: recorder._follower.connected not in (None, before))
        host.passes(10)
        assert recorder.flush()
        host.engine.happens("mount", "v")
        host.passes(60)
        assert recorder.flush()
        seen = host.scan()
        assert seen.volumes[0].uses
        # Of the one before it is known, or its time is not covered.
        assert seen.volumes[1].uses or all(span.begins_at >= lost_at for span in seen.watched or ())
        assert (seen.watched or ())[-1].ends_at == host.second()
