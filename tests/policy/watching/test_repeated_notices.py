"""A watcher tells what lasts once a day, and what is new at once."""

from __future__ import annotations

from collections.abc import Collection

from dockersweep.model.policy import NotifyOn, NotifySettings
from dockersweep.model.watching import ChildResult
from dockersweep.policy.watching.repeated_notices import REPEAT_SECONDS, Told, still_to_tell, told_after

SETTINGS = NotifySettings(urls=("json://a",), timeout_seconds=30)
REACHED = ChildResult(exit_status=0, events=("removed",))
MISSED = ChildResult(exit_status=3, events=("removed", "target-missed"))
REFUSED = ChildResult(exit_status=4, problem="over a limit", events=("failed",))
KILLED = ChildResult(exit_status=137, problem="its process was ended by signal 9", broke_off=True)
BUSY = ChildResult(exit_status=4, problem="another run", is_busy=True, events=("failed",))
FAILED_AND_MISSED = ChildResult(exit_status=3, events=("failed", "target-missed"))


def told_of(*results: tuple[float, ChildResult]) -> list[Collection[NotifyOn]]:
    """Return for each sweep, that ended so many seconds after the first, what its settings were about."""
    told: Told = {}
    asked: list[Collection[NotifyOn]] = []
    for at, result in results:
        asked.append(still_to_tell(SETTINGS, told, at).on)
        told = told_after(told, result, at)
    return asked


ALL = SETTINGS.on
NOT_MISSED = ("removed", "failed")


def test_a_target_that_stays_missed_is_told_once_a_day() -> None:
    sweeps = [(minutes * 60.0, MISSED) for minutes in range(0, 2 * 24 * 60, 10)]
    asked = told_of(*sweeps)
    assert [at for (at, _), on in zip(sweeps, asked, strict=True) if on == ALL] == [0.0, REPEAT_SECONDS]
    assert set(asked) == {ALL, NOT_MISSED}


def test_what_has_ended_is_told_again_when_it_comes_back() -> None:
    assert told_of((0, MISSED), (600, REACHED), (1200, MISSED), (1800, MISSED)) == [ALL, NOT_MISSED, ALL, NOT_MISSED]


def test_a_failure_is_told_beside_a_target_that_stays_missed() -> None:
    assert told_of((0, MISSED), (600, FAILED_AND_MISSED), (1200, FAILED_AND_MISSED)) == [ALL, NOT_MISSED, ("removed",)]


def test_another_run_at_work_neither_ends_nor_begins_anything() -> None:
    assert told_of((0, MISSED), (600, BUSY), (1200, MISSED)) == [ALL, NOT_MISSED, NOT_MISSED]
    assert told_of((0, BUSY), (600, REFUSED), (1200, REFUSED)) == [ALL, ALL, ("removed", "target-missed")]


def test_one_that_broke_off_has_told_nobody() -> None:
    assert told_of((0, KILLED), (600, REFUSED), (1200, REFUSED)) == [ALL, ALL, ("removed", "target-missed")]
    assert told_of((0, MISSED), (600, KILLED), (1200, MISSED)) == [ALL, NOT_MISSED, NOT_MISSED]
