"""Whether a watcher sweeps now, and if it waits, what for: of what it knows at one instant, in seconds of one clock."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from dockersweep.model.policy import WatchSettings
from dockersweep.model.watching import ChildResult, SweepCause

Wait = Literal["settling", "backing-off", "no-engine"]
"""Why a sweep that is due does not begin: something was pulled, loaded or built a moment ago; the last sweep did not
help; the engine is away."""


class Situation(Struct, frozen=True, kw_only=True):
    """What decides whether to sweep now."""

    now: float
    is_connected: bool
    """Whether the engine is there."""
    rules_are_due: bool
    target_begins: bool
    """Whether any disk is known to be short of space."""
    due_since: float | None
    """Since when either is so, without a break; None for neither."""
    last_arrival: float | None
    """When the last pull, load, import, build or commit ended; None where none is known."""
    no_rules_before: float | None = None
    """Until when the rules are not tried again; None where they did not fail."""
    no_space_before: float | None = None
    """Until when no sweep is made for space; None where the last one helped."""


class Choice(Struct, frozen=True):
    """What a watcher does now."""

    sweeps: SweepCause | None = None
    waits: Wait | None = None
    """Why it does not sweep though it should; None where nothing is due."""
    until: float | None = None
    """When the wait ends at the latest; None where that is not known."""


NOTHING = Choice()


def choose(situation: Situation, settings: WatchSettings) -> Choice:
    """Return whether to sweep now. A sweep by the schedule carries out the target too, so it goes first."""
    now = situation.now
    due = list(_due(situation))
    if not due:
        return NOTHING
    if not situation.is_connected:
        return Choice(waits="no-engine")
    ready = [cause for cause, not_before in due if not_before <= now]
    if not ready:
        return Choice(waits="backing-off", until=min(not_before for _, not_before in due))
    settled_at = _settled_at(situation, settings)
    if settled_at > now:
        return Choice(waits="settling", until=settled_at)
    return Choice(sweeps=ready[0])


def _due(situation: Situation) -> Iterator[tuple[SweepCause, float]]:
    """Yield why to sweep, and when at the earliest."""
    if situation.rules_are_due:
        yield "schedule", situation.now if situation.no_rules_before is None else situation.no_rules_before
    if situation.target_begins:
        yield "space", situation.now if situation.no_space_before is None else situation.no_space_before


def _settled_at(situation: Situation, settings: WatchSettings) -> float:
    """Return when nothing has arrived for long enough, or it was waited for long enough."""
    if situation.last_arrival is None:
        return situation.now
    quiet_at = situation.last_arrival + settings.settle.seconds
    since = situation.now if situation.due_since is None else situation.due_since
    return min(quiet_at, since + settings.settle_at_most.seconds)


SOON_SECONDS = 5
"""How long no sweep is made for space after one that found enough; twice as long after each further one."""
_FOR_GOOD = (2, 4)
"""The exit statuses that a sweep would have again: something is wrong with its files, or it is over a limit."""


def pause_seconds(cause: SweepCause, result: ChildResult, settings: WatchSettings, found_enough: int) -> int | None:
    """Return how long no sweep is made for space after one; None for no pause.

    `found_enough` is how many in a row before it found that there was enough space: what an engine takes while it
    unpacks an image is free a moment later.
    """
    backoff = settings.backoff.seconds
    if result.exit_status or result.target_reached is False:
        return backoff
    if cause != "space":
        return None
    if not result.target_began:
        return min(backoff, SOON_SECONDS << min(found_enough, 20))
    return None if result.removed else backoff


def tries_rules_again(cause: SweepCause, result: ChildResult) -> bool:
    """Whether rules that were due are tried again after a while: the sweep could not begin, as another run was at work
    or the engine did not answer, and would not fail again in the same way."""
    if cause != "schedule" or result.has_outcome or not result.exit_status:
        return False
    return result.is_busy or result.exit_status not in _FOR_GOOD
