"""What the list of containers says of an end: "Exited (137) 3 weeks ago"."""

import re
from typing import NamedTuple

_MINUTE, _HOUR = 60, 3600
_EXITED = re.compile(
    r"Exited \((-?\d{1,10})\) (?:About an? |Less than a )?(?:(\d{1,6}) )?(second|minute|hour|day|week|month|year)s? ago"
)
_STEPS = {"second": 1, "minute": _MINUTE, "hour": _HOUR, "day": 24 * _HOUR, "week": 168 * _HOUR, "month": 720 * _HOUR}
_YEAR = 8760 * _HOUR
_ROUNDED = ("hour", "day", "week", "month")
"""What is counted in hours that are rounded to the nearest."""


class Ended(NamedTuple):
    """How a container ended, as far as a list tells."""

    exit_code: int
    least_seconds: float
    """How long ago it was, at the least."""
    most_seconds: float
    """It was less than that ago."""


def read_ended(status: str) -> Ended | None:
    """Return what a status says of the end; None where it says nothing of it.

    The words are those of HumanDuration in duration.go of docker/go-units, which Podman uses too.
    """
    match = _EXITED.fullmatch(status)
    if match is None:
        return None
    code, told, unit = int(match[1]), match[2], match[3]
    if "Less than" in status:
        return Ended(code, 0, 1)
    count = 1 if told is None else int(told)
    if unit == "year":
        return Ended(code, count * _YEAR, (count + 1) * _YEAR)
    step = _STEPS[unit]
    early = _HOUR / 2 if unit in _ROUNDED else 0
    least = count * step - early
    # An hour is told from sixty minutes on.
    return Ended(code, max(least, _HOUR) if unit == "hour" else least, (count + 1) * step - early)
