"""Since when a stream of events is known to have told all."""

from datetime import timedelta

import pytest

from dockersweep.engine.reading.stream_proof import LAG_NANOS, LONGEST_LAGGING_RUN, QUIET_NANOS, StreamProof
from dockersweep.model.event_reading import EngineEvent
from tests.rig.inventories import NOW

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
START = int(NOW.timestamp()) * 10**9


def at(nanos: int) -> EngineEvent:
    return EngineEvent(nanos, "volume", "mount", "v", {})


@pytest.mark.parametrize(("late", "count", "is_proof"), [
    (LAG_NANOS, LONGEST_LAGGING_RUN, True),
    (LAG_NANOS, LONGEST_LAGGING_RUN + 1, False),
    (LAG_NANOS - 1, 10 * LONGEST_LAGGING_RUN, True),
    (-1, LONGEST_LAGGING_RUN + 1, False),
])  # fmt: skip
def test_a_stream_is_proof_until_as_many_come_late_as_docker_may_have_dropped_after(
    late: int, count: int, is_proof: bool
) -> None:
    proof = StreamProof(NOW)
    proof.count([at(START)] * count, START + late)
    assert (proof.since() == NOW) is is_proof


def test_after_a_doubt_it_is_proof_since_the_first_event_in_time() -> None:
    proof = StreamProof(NOW)
    proof.count([at(START)] * 1000, START + 5 * 10**9)
    assert proof.since() is None
    later = START + 6 * 10**9
    proof.count([at(later)], later + 1000)
    assert proof.since() == NOW + 7 * SECOND


def test_a_doubt_ends_too_where_nothing_more_comes() -> None:
    proof = StreamProof(NOW)
    late = START + 5 * 10**9
    proof.count([at(START)] * 1000, late)
    proof.begin_again(NOW + 6 * SECOND, late + QUIET_NANOS)
    assert proof.since() is None
    proof.begin_again(NOW + 7 * SECOND, late + QUIET_NANOS + 1)
    assert proof.since() == NOW + 7 * SECOND


def test_late_events_that_are_not_in_a_row_leave_no_doubt() -> None:
    proof = StreamProof(NOW)
    for _ in range(20):
        proof.count([at(START)] * LONGEST_LAGGING_RUN, START + LAG_NANOS)
        proof.count([at(START)], START)
    assert proof.since() == NOW


def test_a_proof_never_reaches_back_but_where_the_clock_was_set_back() -> None:
    proof = StreamProof(NOW)
    proof.begin_again(NOW - 5 * SECOND, START)
    assert proof.since() == NOW
    proof.begin_again(NOW - MINUTE, START)
    assert proof.since() == NOW - MINUTE
