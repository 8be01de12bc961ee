"""What /healthz says of a watcher."""

from typing import Any

import msgspec
import pytest

from dockersweep.report.watch_health import health_of
from tests.rig.watch_states import BOX, TICKED_AT, events, last_sweep, watch_state


def problems(now: float = TICKED_AT, **fields: Any) -> str:
    """Why a watcher in such a state is not healthy; "" where it is."""
    health = health_of(watch_state(**fields), now)
    assert health.healthy == (not health.problems)
    return "; ".join(health.problems)


def test_a_watcher_that_goes_round_and_follows_is_healthy() -> None:
    assert problems() == ""
    assert health_of(watch_state(), TICKED_AT).notes == ()


@pytest.mark.parametrize(("later", "stands"), [(0, False), (119, False), (121, True), (9000, True)])
def test_a_loop_that_stands_still_is_not(later: float, stands: bool) -> None:
    assert ("stood still" in problems(TICKED_AT + later)) is stands


@pytest.mark.parametrize(("since", "is_lost"), [(None, False), (0, False), (59, False), (61, True), (7200, True)])
def test_an_engine_that_is_away_for_over_a_minute_is_not(since: float | None, is_lost: bool) -> None:
    away = events(is_connected=False, disconnected_at=None if since is None else TICKED_AT - since)
    assert (BOX in problems(events=away)) is is_lost


def test_events_that_cannot_be_recorded_are_not() -> None:
    assert "disk is full" in problems(events=events(ledger_problem="disk is full"))


def test_a_refused_policy_and_a_waiting_sweep_are_told_and_no_problem() -> None:
    state = watch_state(policy_problem="p.toml:3: no such key", waits="a build runs")
    health = health_of(state, TICKED_AT)
    assert health.healthy
    assert [note for note in health.notes if "p.toml:3" in note]
    assert [note for note in health.notes if "a build runs" in note]


def test_how_the_last_sweep_ended_is_told_where_it_was_not_as_it_should() -> None:
    health = health_of(watch_state(last_sweep=last_sweep(problem="over a limit")), TICKED_AT)
    assert health.healthy
    assert health.notes == ("the last sweep, at 2026-06-01T11:50:00Z: over a limit",)
    assert health_of(watch_state(last_sweep=last_sweep()), TICKED_AT).notes == ()


def test_events_that_are_refused_are_told_and_the_engine_is_not_away() -> None:
    refused = events(is_connected=False, disconnected_at=TICKED_AT - 7200, refusal="GET /events with 403")
    health = health_of(watch_state(events=refused), TICKED_AT)
    assert health.healthy
    assert health.notes == ("events are not followed: GET /events with 403",)


def test_it_is_a_line_of_json_without_what_a_terminal_would_obey() -> None:
    state = watch_state(events=events(ledger_problem="a\x1b[31m\nb"))
    line = health_of(state, TICKED_AT).as_json()
    document = msgspec.json.decode(line)
    assert line.count(b"\n") == 1
    assert document["healthy"] is False
    assert "\x1b" not in document["problems"][0]
