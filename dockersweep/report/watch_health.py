"""Whether a watcher is healthy, and why not: what /healthz says."""

import msgspec
from msgspec import Struct

from dockersweep.model.watching import WatchState
from dockersweep.report.text import printable
from dockersweep.units import format_instant

STANDS_STILL_SECONDS = 120
"""After how long without a round the loop is taken to stand still; it goes round every few seconds."""
NOT_FOLLOWED_SECONDS = 60


class Health(Struct, frozen=True, kw_only=True):
    """The health of a watcher."""

    healthy: bool
    problems: tuple[str, ...]
    """Why it is not healthy, a sentence each."""
    notes: tuple[str, ...]
    """What somebody should look at, although the watcher is healthy."""

    def as_json(self) -> bytes:
        """Return it as a line of JSON."""
        return msgspec.json.encode(self) + b"\n"


def health_of(state: WatchState, monotonic_now: float) -> Health:
    """Return the health of a watcher. `monotonic_now` is in seconds of the clock of `ticked_at`."""
    problems = tuple(filter(None, (_loop(state, monotonic_now), _engine(state, monotonic_now), _ledger(state))))
    notes = tuple(filter(None, (_policy(state), _refusal(state), _waits(state), _last_sweep(state))))
    return Health(healthy=not problems, problems=problems, notes=notes)


def _loop(state: WatchState, now: float) -> str | None:
    stands_for = now - state.ticked_at
    if stands_for <= STANDS_STILL_SECONDS:
        return None
    return f"the watcher has stood still for {stands_for:.0f} seconds; restart it"


def _engine(state: WatchState, now: float) -> str | None:
    since = state.events.disconnected_at
    if state.events.is_answering or since is None or now - since <= NOT_FOLLOWED_SECONDS:
        return None
    return f"the engine at {printable(state.endpoint)} has been away for {now - since:.0f} seconds; is it running?"


def _ledger(state: WatchState) -> str | None:
    problem = state.events.ledger_problem
    return None if problem is None else f"events cannot be recorded: {printable(problem)}"


def _policy(state: WatchState) -> str | None:
    problem = state.policy_problem
    return None if problem is None else f"an earlier policy is in force, this one is refused: {printable(problem)}"


def _waits(state: WatchState) -> str | None:
    return None if state.waits is None else f"a sweep waits: {printable(state.waits)}"


def _last_sweep(state: WatchState) -> str | None:
    last = state.last_sweep
    if last is None or last.problem is None:
        return None
    return f"the last sweep, at {format_instant(last.started_at)}: {printable(last.problem)}"


def _refusal(state: WatchState) -> str | None:
    refusal = state.events.refusal
    return None if refusal is None else f"events are not followed: {printable(refusal)}"
