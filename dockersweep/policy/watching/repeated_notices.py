"""How often a watcher tells that a sweep failed or missed its target: once, and again each day that it stays so.

After either it sweeps again within minutes, and nobody wants a mail for each.
"""

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from dockersweep.model.policy import NotifyOn, NotifySettings
from dockersweep.model.watching import ChildResult

REPEAT_SECONDS = 86_400.0
SOME_FAILED = 3
"""The exit status of a run in which removals failed, or that missed its target."""

Told = Mapping[NotifyOn, float]
"""What lasts -> when it was told, in seconds of the monotonic clock."""


def lasting(result: ChildResult) -> Collection[NotifyOn]:
    """Return what of the end of a sweep may last until the next one."""
    events: list[NotifyOn] = []
    has_missed = result.target is not None and not result.target_reached
    if result.problem is not None or result.failed or result.exit_status not in (0, SOME_FAILED if has_missed else 0):
        events.append("failed")
    if has_missed:
        events.append("target-missed")
    return events


def still_to_tell(settings: NotifySettings, told: Told, now: float) -> NotifySettings:
    """Return the settings for the next sweep, without what was told within a day."""
    left = tuple(event for event in settings.on if event not in told or now - told[event] >= REPEAT_SECONDS)
    return replace(settings, on=left)


def told_after(told: Told, result: ChildResult, now: float) -> Told:
    """Return what is told now, after a sweep that had `still_to_tell`; one that another run held up tells nothing."""
    if result.is_busy:
        return told
    is_new = {event: event not in told or now - told[event] >= REPEAT_SECONDS for event in lasting(result)}
    return {event: now if new else told[event] for event, new in is_new.items()}
