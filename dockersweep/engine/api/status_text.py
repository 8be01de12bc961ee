"""Reads how and when a container ended from the list's status text: "Exited (137) 3 weeks ago"."""

import re
from typing import NamedTuple

_MINUTE, _HOUR = 60, 3600
_EXITED = re.compile(
    r"Exited \((-?\d{1,10})\) (?:About an? |Less than a )?(?:(\d{1,6}) )?(second|minute|hour|day|week|month|year)s? ago"
)
_STEPS = {"second": 1, "minute": _MINUTE, "hour": _HOUR, "day": 24 * _HOUR, "week": 168 * _HOUR, "month": 720 * _HOUR}
_YEAR = 8760 * _HOUR
_ROUNDED = ("hour", "day", "week", "month")
"""These units are computed from hours, rounded to the nearest."""


class Ended(NamedTuple):
    """How a container ended, as far as a list shows it."""

    exit_code: int
    least_seconds: float
    """It ended at least this long ago."""
    most_seconds: float
    """It ended less than this long ago."""


def read_ended(status: str) -> Ended | None:
    """Return how and when a container ended; None if the status does not say.

    The words are those of HumanDuration in duration.go of docker/go-units, which Podman uses too.
    """
    match = _EXITED.fullmatch(status)
    if match is None:
        return None
    code, number, unit = int(match[1]), match[2], match[3]
    if "Less than" in status:
        return Ended(code, 0, 1)
    count = 1 if number is None else int(number)
    if unit == "year":
        return Ended(code, count * _YEAR, (count + 1) * _YEAR)
    step = _STEPS[unit]
    early = _HOUR / 2 if unit in _ROUNDED else 0
    least = count * step - early
    # "About an hour" begins at sixty minutes.
    return Ended(code, max(least, _HOUR) if unit == "hour" else least, (count + 1) * step - early)
