"""How often a watcher tells that a sweep failed or missed its target: once, and again each day that it stays so.

After either it sweeps again within minutes, and nobody wants a mail for each.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from dockersweep.model.policy import NotifyOn, NotifySettings
from dockersweep.model.watching import ChildResult

REPEAT_SECONDS = 86_400.0
_LASTING: tuple[NotifyOn, ...] = ("failed", "target-missed")
"""What of the end of a sweep may last until the next one."""

Told = Mapping[NotifyOn, float]
"""What lasts -> when it was told, in seconds of the monotonic clock."""


def still_to_tell(settings: NotifySettings, told: Told, now: float) -> NotifySettings:
    """Return the settings for the next sweep, without what was told within a day."""
    left = tuple(event for event in settings.on if event not in told or now - told[event] >= REPEAT_SECONDS)
    return replace(settings, on=left)


def told_of_failure(told: Told, now: float) -> Told:
    """Return what is told after a failure was, of which nothing else is known."""
    return {**told, "failed": now}


def told_after(told: Told, result: ChildResult, now: float) -> Told:
    """Return what is told now, after a sweep that had `still_to_tell`; one that another run held up, or that broke off,
    has told nothing."""
    if result.is_busy or result.broke_off:
        return told
    lasting = [event for event in _LASTING if event in result.events]
    is_new = {event: event not in told or now - told[event] >= REPEAT_SECONDS for event in lasting}
    return {event: now if new else told[event] for event, new in is_new.items()}
