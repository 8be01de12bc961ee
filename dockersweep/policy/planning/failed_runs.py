"""Marks removals that have failed in several runs in a row."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from dockersweep.model.attempt import Attempt, attempt_of
from dockersweep.model.outcome import Outcome
from dockersweep.units import format_instant

TELLING_RUNS = 3


def with_failed_runs(
    outcomes: Iterable[Outcome], before: Mapping[Attempt, tuple[int, datetime]]
) -> tuple[Outcome, ...]:
    """Return outcomes with the number of runs in a row in which they failed. `before` has, for each attempt, how many
    runs directly before this one failed, and since when."""
    return tuple(_with_runs(outcome, before) if outcome.status == "failed" else outcome for outcome in outcomes)


def _with_runs(outcome: Outcome, before: Mapping[Attempt, tuple[int, datetime]]) -> Outcome:
    runs, since = before.get(attempt_of(outcome), (0, None))
    runs += 1
    if runs < TELLING_RUNS or since is None:
        return replace(outcome, failed_runs=runs)
    detail = f"failed in {runs} runs in a row, since {format_instant(since)}: {outcome.detail}"
    return replace(outcome, failed_runs=runs, detail=detail)
