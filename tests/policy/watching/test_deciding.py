"""Whether a watcher sweeps now, and what it waits for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.model.policyfile import WatchTable
from dockersweep.model.watching import ChildResult, SweepCause
from dockersweep.policy.language.watch_checks import watch_of
from dockersweep.policy.watching.deciding import Choice, Situation, choose, pause_seconds, tries_rules_again
from tests.rig.examples import examples

SETTINGS = watch_of(WatchTable(settle="2m", settle_at_most="20m", backoff="10m"))
NOW = 100_000.0
ARRIVING = {"target_begins": True, "last_arrival": NOW}


def situation(**changes: object) -> Situation:
    base: dict[str, object] = {
        "now": NOW, "is_connected": True, "rules_are_due": False, "target_begins": False, "due_since": NOW,
        "last_arrival": None,
    }  # fmt: skip
    return Situation(**{**base, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "choice"),
    [
        ({}, Choice()),
        ({"is_connected": False}, Choice()),
        ({"target_begins": True}, Choice(sweeps="space")),
        ({"rules_are_due": True}, Choice(sweeps="schedule")),
        # One sweep does for both.
        ({"rules_are_due": True, "target_begins": True}, Choice(sweeps="schedule")),
        ({"target_begins": True, "is_connected": False}, Choice(waits="no-engine")),
        # Nothing arrived for two minutes.
        ({"target_begins": True, "last_arrival": NOW - 120}, Choice(sweeps="space")),
        ({"target_begins": True, "last_arrival": NOW - 119}, Choice(waits="settling", until=NOW + 1)),
        ({"rules_are_due": True, "last_arrival": NOW}, Choice(waits="settling", until=NOW + 120)),
        # A host on which something always arrives is swept all the same.
        (
            {"target_begins": True, "last_arrival": NOW, "due_since": NOW - 1199},
            Choice(waits="settling", until=NOW + 1),
        ),
        ({"target_begins": True, "last_arrival": NOW, "due_since": NOW - 1200}, Choice(sweeps="space")),
        # The last sweep did not help.
        ({"target_begins": True, "no_space_before": NOW + 60}, Choice(waits="backing-off", until=NOW + 60)),
        ({"target_begins": True, "no_space_before": NOW}, Choice(sweeps="space")),
        ({"rules_are_due": True, "target_begins": True, "no_space_before": NOW + 60}, Choice(sweeps="schedule")),
        # The rules could not be carried out a moment ago.
        ({"rules_are_due": True, "no_rules_before": NOW + 60}, Choice(waits="backing-off", until=NOW + 60)),
        ({"rules_are_due": True, "target_begins": True, "no_rules_before": NOW + 60}, Choice(sweeps="space")),
        (
            {"rules_are_due": True, "target_begins": True, "no_rules_before": NOW + 60, "no_space_before": NOW + 30},
            Choice(waits="backing-off", until=NOW + 30),
        ),
    ],
)
def test_what_is_done(changes: dict[str, object], choice: Choice) -> None:
    assert choose(situation(**changes), SETTINGS) == choice


SECONDS = st.floats(NOW - 5000, NOW + 5000)
SITUATIONS = st.builds(
    Situation,
    now=st.just(NOW),
    is_connected=st.booleans(),
    rules_are_due=st.booleans(),
    target_begins=st.booleans(),
    due_since=st.floats(NOW - 5000, NOW),
    last_arrival=st.none() | st.floats(NOW - 5000, NOW),
    no_rules_before=st.none() | SECONDS,
    no_space_before=st.none() | SECONDS,
)


@given(SITUATIONS)
@examples(200)
def test_it_sweeps_for_what_is_due_and_waits_never_longer_than_it_says(now: Situation) -> None:
    choice = choose(now, SETTINGS)
    assert choice.sweeps is None or choice.waits is None
    assert choice.sweeps != "schedule" or now.rules_are_due
    assert choice.sweeps != "space" or now.target_begins
    if choice.until is not None:
        later = Situation(
            now=choice.until,
            is_connected=now.is_connected,
            rules_are_due=now.rules_are_due,
            target_begins=now.target_begins,
            due_since=now.due_since,
            last_arrival=now.last_arrival,
            no_rules_before=now.no_rules_before,
            no_space_before=now.no_space_before,
        )
        # When a pause after a failure is over, something may still have to settle.
        assert choose(later, SETTINGS).waits in (None, "settling" if choice.waits == "backing-off" else None)


def result(**changes: object) -> ChildResult:
    base: dict[str, object] = {
        "exit_status": 0, "has_outcome": True, "removed": 3, "target_began": True, "target_reached": True,
    }  # fmt: skip
    return ChildResult(**{**base, **changes})  # type: ignore[arg-type]


NO_OUTCOME = {"has_outcome": False, "removed": 0, "target_began": False, "target_reached": None}
FOUND_ENOUGH = {"removed": 0, "target_began": False, "target_reached": None}


@pytest.mark.parametrize(
    ("cause", "changes", "found_enough", "pause"),
    [
        ("space", {}, 0, None),
        ("space", {"target_reached": None}, 0, None),
        ("space", {"target_reached": False, "exit_status": 3}, 0, 600),
        # Nothing may go, or not enough.
        ("space", {"removed": 0, "target_reached": None}, 0, 600),
        ("space", {**NO_OUTCOME, "exit_status": 4}, 0, 600),
        # The engine has unpacked its image by now; but what statvfs tells and a sweep finds may differ for ever.
        ("space", FOUND_ENOUGH, 0, 5),
        ("space", FOUND_ENOUGH, 3, 40),
        ("space", FOUND_ENOUGH, 1000, 600),
        ("schedule", FOUND_ENOUGH, 0, None),
        ("schedule", {"removed": 0, "target_reached": False, "exit_status": 3}, 0, 600),
    ],
)
def test_for_how_long_no_sweep_is_made_for_space(
    cause: SweepCause, changes: dict[str, object], found_enough: int, pause: int | None
) -> None:
    assert pause_seconds(cause, result(**changes), SETTINGS, found_enough) == pause


@pytest.mark.parametrize(
    ("cause", "changes", "again"),
    [
        ("schedule", {}, False),
        ("schedule", {"exit_status": 3}, False),
        ("schedule", {**NO_OUTCOME, "exit_status": 5}, True),
        ("schedule", {**NO_OUTCOME, "exit_status": 1}, True),
        ("schedule", {**NO_OUTCOME, "exit_status": 4}, False),
        ("schedule", {**NO_OUTCOME, "exit_status": 4, "is_busy": True}, True),
        ("space", {**NO_OUTCOME, "exit_status": 5}, False),
    ],
)
def test_which_rules_are_tried_again(cause: SweepCause, changes: dict[str, object], again: bool) -> None:
    assert tries_rules_again(cause, result(**changes)) == again
