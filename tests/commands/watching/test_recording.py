"""What a watcher writes down of an engine's events, and for which time it says that it knows all of them."""

import time
from datetime import timedelta

import pytest

from dockersweep.commands.watching import open_ledger, recording
from dockersweep.commands.watching.recording import Recorder
from dockersweep.engine.reading import event_inbox
from dockersweep.errors import LedgerError
from dockersweep.ledger import Ledger
from tests.commands.watching.recording_rig import Host
from tests.rig.event_engine import until
from tests.rig.inventories import ENGINE, container, inventory, volume

SECOND = timedelta(seconds=1)


def test_what_happens_waits_in_the_ledger_until_a_scan_makes_uses_of_it(host: Host) -> None:
    with host.recorder() as recorder:
        assert recorder.flush()
        host.engine.happens("mount", "v", container="job-1")
        host.engine.happens("attach", "c1", "container")
        host.passes(5)
        recorder.record()
        assert [(event.action, event.id, event.other) for event in host.pending()] == [("mount", "v", "job-1")]
        state = recorder.state
        assert (state.received, state.recorded, state.gaps) == (2, 2, 0)
        seen = host.scan()
        assert [(use.action, use.by_id) for use in seen.volumes[0].uses] == [("mounted", "job-1")]
        assert host.pending() == ()
        # A later scan knows it too, and has no further uses of it.
        assert host.scan().volumes[0].uses == seen.volumes[0].uses


def test_time_is_covered_from_one_comparison_to_the_next(host: Host) -> None:
    with host.recorder() as recorder:
        host.engine.happens("mount", "v")
        host.passes(2)
        begin = host.second()
        assert recorder.flush()
        host.passes(120)
        recorder.record()
        [span] = host.watched()
        assert span.begins_at <= begin
        assert span.ends_at >= begin + 119 * SECOND
        assert (recorder.state.gaps, recorder.take_gaps()) == (0, ())
        assert recorder.state.complete_until == span.ends_at


def test_more_events_than_the_engine_keeps_are_no_gap_for_a_reader_that_keeps_up(host: Host) -> None:
    with host.recorder() as recorder:
        recorder.flush()
        begin = host.second()
        for burst in range(10):
            for number in range(300):
                host.engine.happens("mount", f"v{burst}-{number}")
            host.passes(2)
        assert recorder.flush()
        assert (recorder.state.gaps, host.engine.dropped) == (0, 0)
        assert len(host.pending()) == 3000
        [span] = host.watched()
        assert span.begins_at <= begin
        assert span.ends_at >= begin + 19 * SECOND


def test_a_reader_that_is_too_slow_has_a_gap(host: Host) -> None:
    with host.recorder() as recorder:
        host.engine.happens("mount", "first")
        recorder.flush()
        begin = host.second()
        host.engine.stall()
        for number in range(1500):
            host.engine.happens("mount", f"v{number}")
        assert host.engine.dropped > 400
        time.sleep(0.1)
        host.engine.go_on()
        host.passes(10)
        assert recorder.flush()
        [gap] = recorder.take_gaps()
        assert gap.why == "too many events"
        assert gap.begins_at >= begin - SECOND
        assert recorder.state.gaps == 1
        # What the engine keeps is recorded all the same.
        assert {f"v{number}" for number in range(1300, 1500)} <= {event.id for event in host.pending()}
        host.passes(30)
        until(lambda: recorder.state.is_connected)
        assert recorder.flush()
        assert recorder.take_gaps() == ()
        assert host.is_covered_now()
        assert host.watched()[-1].begins_at >= gap.ends_at


def test_events_that_no_stream_brought_are_taken_from_what_the_engine_keeps(host: Host) -> None:
    with host.recorder() as recorder:
        host.engine.happens("mount", "first")
        host.passes(1)
        recorder.flush()
        host.engine.stall()
        host.engine.happens("mount", "silent")
        host.engine.ahead_seconds += 2
        assert recorder.flush()
        assert "silent" in {event.id for event in host.pending()}
        # The anchor of the comparison before came back: nothing is missing.
        assert recorder.take_gaps() == ()


@pytest.mark.parametrize(("events", "why"), [(300, "connection lost"), (3, None)])
def test_after_a_broken_connection_only_what_the_engine_forgot_is_a_gap(host: Host, events: int, why: str) -> None:
    with host.recorder() as recorder:
        host.engine.happens("mount", "first")
        host.passes(1)
        recorder.flush()
        host.engine.is_there = False
        host.engine.break_off()
        until(lambda: not recorder.state.is_connected)
        assert recorder.engine_problem is not None
        host.passes(600)
        assert not recorder.flush()
        assert recorder.state.gap_seconds >= 599
        for number in range(events):
            host.engine.happens("mount", f"v{number}")
        host.engine.is_there = True
        until(lambda: recorder.state.is_connected)
        host.passes(2)
        recorder.record()
        gaps = recorder.take_gaps()
        assert [gap.why for gap in gaps] == ([why] if why else [])
        assert all(gap.ends_at - gap.begins_at >= 599 * SECOND for gap in gaps)
        assert len(host.watched()) == len(gaps) + 1


def test_an_engine_that_was_started_again_has_forgotten_and_that_is_a_gap(host: Host) -> None:
    with host.recorder() as recorder:
        host.engine.happens("mount", "first")
        recorder.flush()
        host.passes(20)
        host.reconnects(recorder, host.engine.forget)
        host.passes(20)
        host.engine.happens("mount", "v")
        host.passes(20)
        assert recorder.flush()
        [gap] = recorder.take_gaps()
        assert 20 <= (gap.ends_at - gap.begins_at).total_seconds() <= 24
        assert len(host.watched()) == 2


@pytest.mark.parametrize(("events", "is_gap"), [(10, False), (300, True)])
def test_what_happened_while_no_watcher_ran_is_a_gap_where_the_engine_forgot_it(
    host: Host, events: int, is_gap: bool
) -> None:
    with host.recorder() as recorder:
        host.engine.happens("mount", "first")
        recorder.flush()
        host.passes(3)
        recorder.flush()
    host.passes(3600)
    for number in range(events):
        host.engine.happens("mount", f"v{number}")
    host.passes(2)
    with host.recorder() as recorder:
        recorder.flush()
        gaps = recorder.take_gaps()
        assert [gap.why for gap in gaps] == (["not watched"] if is_gap else [])
        assert len(host.watched()) == 1 + is_gap
        assert {"v299", "v100"} <= {event.id for event in host.pending()} or not is_gap


def test_a_watcher_that_was_killed_has_said_nothing_of_the_time_after_its_last_comparison(host: Host) -> None:
    with host.recorder() as recorder:
        host.engine.happens("mount", "first")
        recorder.flush()
        last = host.second()
        host.passes(30)
        for number in range(300):
            host.engine.happens("mount", f"v{number}")
        host.passes(1)
        recorder.record()
    assert len(host.pending()) == 301
    assert host.watched()[-1].ends_at <= last + SECOND
    host.passes(60)
    with host.recorder() as recorder:
        recorder.flush()
        # Its last event is the one that the ledger has: it goes on there.
        assert host.watched()[-1].begins_at > last
        assert host.is_covered_now()


def test_a_ledger_that_cannot_be_written_loses_nothing_that_there_is_room_for(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_ledger, "REOPEN_SECONDS", 0.0)
    with host.recorder() as recorder:
        host.engine.happens("mount", "first")
        recorder.flush()
        begin = host.second()
        write = Ledger.record_events

        def refuse(*_: object, **__: object) -> int:
            raise LedgerError("the disk is full")

        monkeypatch.setattr(Ledger, "record_events", refuse)
        for number in range(300):
            host.engine.happens("mount", f"v{number}")
        host.passes(120)
        recorder.record()
        assert not recorder.flush()
        problems = [recorder.state.ledger_problem]
        monkeypatch.setattr(Ledger, "record_events", write)
        assert recorder.flush()
        assert [*problems, recorder.state.ledger_problem] == ["the disk is full", None]
        assert len(host.pending()) == 301
        [span] = host.watched()
        assert (span.begins_at <= begin, span.ends_at) == (True, recorder.state.complete_until)
        assert recorder.state.gaps == 0


def test_what_there_is_no_room_for_while_the_ledger_cannot_be_written_is_a_gap(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_inbox.EventInbox.__init__, "__defaults__", (100,))
    with host.recorder() as recorder:
        host.engine.happens("mount", "first")
        recorder.flush()
        host.passes(5)
        for number in range(400):
            host.engine.happens("mount", f"v{number}")
        host.passes(5)
        assert recorder.flush()
        [gap] = recorder.take_gaps()
        assert gap.why == "too many events"
        assert len(host.pending()) >= 256
        host.passes(60)
        recorder.flush()
        assert (recorder.take_gaps(), len(host.watched())) == ((), 2)


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_clock_that_is_set_covers_no_time_that_was_not(host: Host, seconds: int) -> None:
    with host.recorder() as recorder:
        host.engine.happens("mount", "first")
        recorder.flush()
        begin = host.second()
        host.passes(30)
        recorder.flush()
        host.engine.ahead_seconds += seconds
        host.engine.happens("mount", "after")
        host.passes(2)
        recorder.flush()
        assert {event.id for event in host.pending()} >= {"first", "after"}
        host.passes(30)
        recorder.flush()
        watched = host.watched()
        covered = sum((span.ends_at - span.begins_at).total_seconds() for span in watched)
        # Set back, the time before is known by what the stream and the engine told; set forward, the hour is not.
        assert covered <= 100
        assert host.is_covered_now()
        assert [gap.why for gap in recorder.take_gaps()] == (["clock changed"] if seconds > 0 else [])
        assert all(
            span.ends_at <= begin + 31 * SECOND or span.begins_at > begin + 1000 * SECOND for span in watched
        ) or (seconds < 0)


def test_two_watchers_and_a_scan_beside_them_keep_each_event_once(host: Host) -> None:
    with host.recorder() as one, host.recorder() as other:
        for recorder in (one, other):
            recorder.flush()
        begin = host.second()
        for number in range(50):
            host.engine.happens("mount", f"v{number}")
            if number == 25:
                host.scan()
            host.passes(1)
            one.record()
            other.record()
        for recorder in (one, other):
            assert recorder.flush()
            assert recorder.take_gaps() == ()
        ids = sorted(event.id for event in host.pending())
        assert len(ids) == len(set(ids))
        [span] = host.watched()
        assert (span.begins_at <= begin, host.is_covered_now()) == (True, True)
        host.scan()
        assert host.pending() == ()


def test_what_is_recorded_after_a_scan_has_read_is_there_for_the_next(host: Host) -> None:
    with host.recorder() as recorder:
        recorder.flush()
        host.engine.happens("mount", "v", container="a")
        host.passes(1)
        recorder.record()
        with Ledger(host.folder) as ledger:
            taken = ledger.pending_events(ENGINE)
        host.engine.happens("mount", "v", container="a")
        host.passes(1)
        recorder.record()
        with Ledger(host.folder) as ledger:
            drop = [event for event in ledger.pending_events(ENGINE) if event in taken]
        assert drop == []
        assert [event.times for event in host.pending()] == [2]


def test_a_health_check_is_one_row_however_often_it_runs(host: Host) -> None:
    with host.recorder() as recorder:
        recorder.flush()
        for _ in range(50):
            host.engine.happens("exec_create: pg_isready", "db", "container")
            host.engine.happens("exec_start: pg_isready", "db", "container")
            host.engine.happens("exec_die", "db", "container")
        host.passes(1)
        recorder.record()
        [event] = host.pending()
        assert (event.action, event.times) == ("exec_start: pg_isready", 50)


def test_many_pending_events_want_to_be_folded(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MANY_PENDING", 20)
    with host.recorder() as recorder:
        recorder.flush()
        for number in range(25):
            host.engine.happens("mount", f"v{number}")
        host.passes(1)
        recorder.record()
        assert recorder.wants_folding
        host.scan()
        recorder.flush()
        assert not recorder.wants_folding


def test_another_engine_at_the_same_socket_has_a_record_of_its_own(host: Host) -> None:
    with host.recorder() as recorder:
        host.engine.happens("mount", "first")
        recorder.flush()
        host.is_taken_over(recorder)
        host.engine.happens("mount", "w")
        host.passes(2)
        assert recorder.flush()
        assert recorder.engine == host.engine.engine
        assert [event.id for event in host.pending()] == ["w"]
        assert recorder.take_gaps() == ()


def test_podman_does_not_tell_what_a_container_holds_and_so_it_is_looked_at(podman_host: Host) -> None:
    engine = podman_host.engine
    there = inventory(volume("v"), volume("w"), engine=engine.engine)
    with podman_host.recorder() as recorder:
        recorder.flush()
        engine.containers["c1"] = container("c1", volumes=["v"])
        engine.happens("create", "c1", "container", name="job")
        podman_host.passes(1)
        recorder.flush()
        del engine.containers["c1"]
        engine.happens("died", "c1", "container", name="job")
        engine.happens("die", "c1", "container", name="job")
        podman_host.passes(1)
        recorder.flush()
        seen = podman_host.scan(there)
        assert [(use.action, use.by) for use in seen.volumes[0].uses] == [("exited", "job")]
        assert seen.volumes[1].uses == ()
        assert all(span.of_held for span in seen.watched or ())


def _records(recorder: Recorder) -> bool:
    recorder.record()
    return True


def test_only_the_life_of_a_container_that_nobody_could_look_at_is_not_watched(podman_host: Host) -> None:
    with podman_host.recorder() as recorder:
        recorder.flush()
        podman_host.passes(60)
        born = podman_host.second()
        podman_host.engine.happens("create", "c1", "container")
        podman_host.engine.happens("die", "c1", "container")
        podman_host.passes(1)
        # Once a second, as the loop does.
        until(lambda: _records(recorder) and len(podman_host.pending()) == 2)
        podman_host.passes(60)
        recorder.flush()
        before, during, after = podman_host.watched()
        assert (before.of_held, during.of_held, after.of_held) == (True, False, True)
        assert during.begins_at <= born <= during.ends_at <= born + 3 * SECOND
        assert (before.ends_at, during.ends_at) == (during.begins_at, after.begins_at)
