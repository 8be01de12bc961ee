"""The words of the page: names, percentages, rates and durations."""

import re
from typing import Literal

from dockersweep.model.report import ReportedObject, Severity
from dockersweep.units import DAY, format_size
from dockersweep.words.amounts import plural

Standing = Literal["in-use", "kept", "goes"]
"""The standing of an object: in use, unused but kept by the policy, or to be removed by it."""

STANDINGS: tuple[Standing, ...] = ("in-use", "kept", "goes")

NAME_OF_STANDING: dict[Standing, str] = {"in-use": "in use", "kept": "unused, kept", "goes": "reclaimable"}

NAME_OF_SEVERITY: dict[Severity, str] = {"critical": "Critical", "warning": "Warning", "note": "Note"}


def standing_of(item: ReportedObject) -> Standing:
    """Return the standing of an object; one that goes may be in use by something that goes with it."""
    if item.goes:
        return "goes"
    return "in-use" if item.in_use else "kept"


def together(text: str) -> str:
    """Return the text with non-breaking spaces between numbers and their units."""
    return re.sub(r"(?<=\d) (?=[kMGTPE]?B\b|%)", "\u00a0", text)


def percent(part_bytes: int, whole_bytes: int) -> str:
    """Return "46%"; "under 1%" and "over 99%" where rounding would give 0% or 100%."""
    share = 100 * part_bytes / whole_bytes if whole_bytes else 0.0
    if 0 < share < 1:
        return "under 1%"
    return "over 99%" if 99 < share < 100 else f"{share:.0f}%"


def fine_percent(percents: float) -> str:
    """Return a share that may be small: "0.1%", "46%", "under 0.1%"."""
    if percents < 0.1:
        return "under 0.1%"
    return f"{percents:.{1 if percents < 9.5 else 0}f}%"


def rate(bytes_per_day: int) -> str:
    """Return a growth rate, always by the day, so that all are comparable: "310 MB a day"."""
    return f"{format_size(bytes_per_day)} a day"


def days(count: float) -> str:
    """Return a number of days in words: "1 day", "43 days", "14 months", "3 years"."""
    if count < 1:
        return "less than a day"
    number, unit = _in_units(count)
    return f"{number} {unit}"


def days_between(least: float, most: float) -> str:
    """Return a range of days in words: "43 days", "43 to 96 days", "20 days to 14 months"."""
    low, high = days(least), days(most)
    if low == high:
        return low
    (number, unit), (_, other) = _in_units(least), _in_units(most)
    return f"{number} to {high}" if least >= 1 and unit == other else f"{low} to {high}"


def _in_units(days: float) -> tuple[int, str]:
    """Return days as a number and its unit: days up to 99, then months, then years."""
    if days <= 99:
        whole = round(days)
        return whole, "day" if whole == 1 else "days"
    return (round(days / 30.4), "months") if days < 730 else (round(days / 365), "years")


def span(seconds: int) -> str:
    """Return a duration: "45 days"; under two days in hours."""
    return plural(round(seconds / 3600), "hour") if seconds < 2 * DAY else days(seconds / DAY)
