"""What a watcher tells of the end of its sweeps, and of what comes then."""

import time

import pytest

from dockersweep.commands.watching.sweeps import Sweeps
from dockersweep.commands.watching.watch_log import WatchLog
from dockersweep.model.policyfile import WatchTable
from dockersweep.model.watching import ChildResult, SweepCause
from dockersweep.policy.language.watch_checks import watch_of
from tests.commands.watching.test_children import options

SETTINGS = watch_of(WatchTable())
NO_ENGINE = ChildResult(exit_status=5, problem="the engine is away")
REFUSED = ChildResult(exit_status=4, problem="over a limit")
BUSY = ChildResult(exit_status=4, problem="process 7 is at work on the engine", is_busy=True)
MISSED = ChildResult(
    exit_status=3, has_outcome=True, removed=1, target_began=True, target_reached=False, target="81% used"
)
DONE = ChildResult(exit_status=0, has_outcome=True, removed=1)
KILLED = ChildResult(exit_status=143, problem="its process was ended by signal 15", broke_off=True)

THEN = ("; tried again from ", "; no sweep for space before ")


def lines_of(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return capfd.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("cause", "result", "then"),
    [
        ("schedule", NO_ENGINE, "; tried again from "),
        ("schedule", BUSY, "; tried again from "),
        # Carried out when they are due the next time.
        ("schedule", REFUSED, ""),
        ("schedule", DONE, ""),
        ("schedule", MISSED, "; no sweep for space before "),
        ("space", NO_ENGINE, "; tried again from "),
        ("space", REFUSED, "; tried again from "),
        ("space", MISSED, "; no sweep for space before "),
        ("space", DONE, ""),
    ],
)
def test_what_comes_after_a_sweep_is_told(
    cause: SweepCause, result: ChildResult, then: str, capfd: pytest.CaptureFixture[str]
) -> None:
    sweeps = Sweeps(options(), WatchLog("text"))
    sweeps._sweep_ended(cause, result, SETTINGS)
    [line] = lines_of(capfd)
    assert [words for words in THEN if words in line] == ([then] if then else [])


def test_a_changed_policy_ends_what_an_earlier_one_came_to(capfd: pytest.CaptureFixture[str]) -> None:
    sweeps = Sweeps(options(), WatchLog("text"))
    sweeps._sweep_ended("space", NO_ENGINE, SETTINGS)
    sweeps._sweep_ended("schedule", BUSY, SETTINGS)
    now = time.monotonic()
    assert sweeps.pause_for_space(None) is not None
    assert (sweeps.no_rules_before or 0) > now
    sweeps.begin_anew()
    assert sweeps.pause_for_space(None) is None
    # They are still to be carried out.
    assert sweeps.no_rules_before is not None
    assert sweeps.no_rules_before <= time.monotonic()
    # What comes of the next one is told, though it ends as one before.
    capfd.readouterr()
    sweeps._sweep_ended("schedule", BUSY, SETTINGS)
    assert len(lines_of(capfd)) == 1


def test_a_sweep_by_a_policy_that_has_changed_meanwhile_makes_no_pause() -> None:
    sweeps = Sweeps(options(), WatchLog("text"))
    sweeps.sweeping = "space"
    sweeps.begin_anew()
    sweeps._sweep_ended("space", MISSED, SETTINGS)
    assert sweeps.no_space_before is None


@pytest.mark.parametrize(
    ("result", "problem"), [(MISSED, "the target is missed"), (REFUSED, "over a limit"), (DONE, None)]
)
def test_how_the_last_one_ended_is_known_where_it_was_not_as_it_should(
    result: ChildResult, problem: str | None
) -> None:
    sweeps = Sweeps(options(), WatchLog("text"))
    sweeps._sweep_ended("space", result, SETTINGS)
    assert sweeps.last is not None
    told = sweeps.last.problem
    assert told is None if problem is None else told is not None and problem in told


def test_what_a_signal_ended_with_the_watcher_is_not_said_to_be_tried_again(capfd: pytest.CaptureFixture[str]) -> None:
    sweeps = Sweeps(options(), WatchLog("text"))
    sweeps.stop(15)
    sweeps._sweep_ended("space", KILLED, SETTINGS)
    [line] = lines_of(capfd)
    assert line.endswith("sweep for space ended: its process was ended by signal 15")
