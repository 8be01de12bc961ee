"""Instants in local time, for people; documents and spreadsheets have UTC."""

import re
from datetime import datetime

from dockersweep.units import format_instant, parse_instant

_INSTANT = re.compile(r"(?<![^\s(])[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z(?![^\s),;.:])")
"""Matches an instant that is a whole word, not part of a name."""


def local_time(instant: datetime) -> str:
    """Return an instant in the time zone of this process, with the zone: "2026-11-23 23:36:25 CET"."""
    try:
        return instant.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    except (OverflowError, ValueError, OSError):
        # Outside the range of the system's calendar.
        return format_instant(instant)


def local_date(instant: datetime) -> str:
    """Return the day of an instant in the time zone of this process: "2026-11-23"."""
    try:
        return instant.astimezone().strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return format_instant(instant)


def day_of(instant: datetime, now: datetime) -> str:
    """Return the day of an instant in the time zone of this process: "13 Dec", or in another year "3 Jan 2027"."""
    try:
        local, now = instant.astimezone(), now.astimezone()
    except (OverflowError, ValueError, OSError):
        return format_instant(instant)
    return f"{local.day} {local.strftime('%b')}" + (f" {local.year}" if local.year != now.year else "")


def in_local_time(sentence: str) -> str:
    """Return a sentence with its instants in local time. A text of one word is not a sentence but a name, and stays."""
    # Checked first, because few sentences contain an instant.
    return _INSTANT.sub(_localized, sentence) if "Z" in sentence and " " in sentence else sentence


def _localized(match: re.Match[str]) -> str:
    instant = parse_instant(match[0])
    return match[0] if instant is None else local_time(instant)
