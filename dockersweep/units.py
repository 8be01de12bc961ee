"""Ages, sizes and instants: read from text and written for people.

Sizes are bytes, shown in decimal units as docker shows them; instants are aware datetimes in UTC; an age is a
length of time that may contain calendar months.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from msgspec import Struct

from dockersweep.errors import UsageError

MINUTE, HOUR, DAY, WEEK = 60, 3_600, 86_400, 604_800
SECONDS_OF_UNIT = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
MONTHS_OF_UNIT = {"mo": 1, "y": 12}
_UNITS_OF_DURATION = (
    (365 * DAY, 2 * 365 * DAY, "years"),
    (30 * DAY, 101 * DAY, "months"),
    (DAY, 2 * DAY, "days"),
    (HOUR, 2 * HOUR, "hours"),
    (MINUTE, 2 * MINUTE, "minutes"),
)
"""(seconds of the unit, seconds from which it is used, name). Up to 100 days are days, like the limits beside them."""
NAME_OF_UNIT = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}
AGE_HELP = "a number and a unit, s, m, h, d, w, mo or y, like 24h, 7d, 2w, 3mo or 1d12h"

# Reproducible builds say 1970 or 1980, and engines write year 1 for "never": nothing really happened then.
LAST_UNKNOWN_INSTANT = datetime(1980, 1, 2, tzinfo=UTC)
LONGEST_TEXT = 40
LONGEST_AGE = timedelta(days=365_000)
SIZE_HELP = "a number and a unit, B, kB, MB, GB, TB or PB, or KiB, MiB, GiB, TiB or PiB, like 500MB or 20GB"
_POWER_OF_PREFIX = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


class Age(Struct, frozen=True, kw_only=True):
    """A length of time: whole calendar months plus seconds. `text` is how it was written."""

    months: int
    seconds: int
    text: str

    @property
    def is_zero(self) -> bool:
        """Whether this asks for no age at all."""
        return self.months == 0 and self.seconds == 0

    def before(self, now: datetime) -> datetime:
        """Return the instant this age before `now`; year 1 at the earliest."""
        try:
            if self.months:
                # Imported late: it takes as long as the rest of a small run, and only calendar ages need it.
                from dateutil.relativedelta import relativedelta

                now = now - relativedelta(months=self.months)
            return now - timedelta(seconds=self.seconds)
        except (OverflowError, ValueError):
            return datetime.min.replace(tzinfo=UTC)

    def after(self, instant: datetime) -> datetime:
        """Return when something that counts from `instant` is this old; year 9999 at the latest.

        With months, not always the inverse of `before`: a month after January 31 is February 28, but a month before
        that is January 28.
        """
        try:
            if self.months:
                from dateutil.relativedelta import relativedelta

                instant = instant + relativedelta(months=self.months)
            instant += timedelta(seconds=self.seconds)
            return instant
        except (OverflowError, ValueError):
            return datetime.max.replace(tzinfo=UTC)

    def words(self) -> str:
        """Return the age in words, as it was written: "24 hours", "3 months", "1 day 12 hours"."""
        parts = re.findall(r"([\d.]+)(mo|[smhdwy])", self.text)
        return " ".join(f"{number} {NAME_OF_UNIT[unit]}{'' if number == '1' else 's'}" for number, unit in parts)


def parse_age(text: str) -> Age:
    """Read an age like `24h`, `7d`, `2w`, `3mo`, `1.5h`, `1d12h` or `0s`.

    Raises UsageError that says what is wrong and what an age looks like.
    """
    problem = f'"{text}" is not an age'
    compact = text.replace(" ", "")
    if len(compact) > LONGEST_TEXT:
        raise UsageError(f'"{text[:LONGEST_TEXT]}..." is not an age; write {AGE_HELP}')
    if not compact:
        raise UsageError(f"an age is missing: write {AGE_HELP}")
    if compact.startswith("-"):
        raise UsageError(f"{problem}: it cannot be negative; write {AGE_HELP}")
    if re.fullmatch(r"[\d.]+", compact):
        raise UsageError(f"{problem}: it has no unit; write {AGE_HELP}")
    months = 0
    seconds = 0.0
    rest = compact
    while rest:
        part = re.match(r"(\d+(?:\.\d+)?)([^\d.]+)", rest)
        if part is None:
            raise UsageError(f"{problem}; write {AGE_HELP}")
        number, unit = part[1], part[2]
        if unit in SECONDS_OF_UNIT:
            seconds += float(number) * SECONDS_OF_UNIT[unit]
        elif unit in MONTHS_OF_UNIT:
            if "." in number:
                raise UsageError(f"{problem}: months and years are whole; write {AGE_HELP}")
            months += int(number) * MONTHS_OF_UNIT[unit]
        else:
            hint = " (m is minutes, mo is months)" if unit == "M" else ""
            raise UsageError(f'{problem}: there is no unit "{unit}"{hint}; write {AGE_HELP}')
        rest = rest[part.end() :]
    if seconds > LONGEST_AGE.total_seconds() or months > 12_000:
        raise UsageError(f"{problem} that a calendar holds; at most 1000y")
    # Less than a second is not "no age at all".
    return Age(months=months, seconds=math.ceil(seconds), text=compact)


def format_duration(seconds: float) -> str:
    """Return a length of time in a single unit: "5 seconds", "36 hours", "30 days".

    The number is at least 2 ("36 hours", not "1 day"), and up to 100 days are days, not weeks or months: an age beside
    a limit of nearly the same length can still be told apart.
    """
    seconds = max(0, int(seconds))
    for size, least, names in _UNITS_OF_DURATION:
        if seconds >= least:
            return f"{seconds // size} {names}"
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def format_size(size_bytes: int | None) -> str:
    """Return a size in decimal units with three digits: "0 B", "21.0 MB", "1.24 GB"; "unknown" for None."""
    if size_bytes is None:
        return "unknown"
    if -1000 < size_bytes < 1000:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in ("kB", "MB", "GB", "TB", "PB", "EB"):
        size /= 1000
        if -999.5 < size < 999.5 or unit == "EB":
            if -9.995 < size < 9.995:
                return f"{size:.2f} {unit}"
            return f"{size:.1f} {unit}" if -99.95 < size < 99.95 else f"{size:.0f} {unit}"
    raise AssertionError("the loop returns at its last unit")


def parse_size(text: str) -> int:
    """Read a size in bytes like `500MB`, `1.5 TB` or `20GiB`; kB are 1000 bytes, KiB 1024.

    Raises UsageError that says what is wrong and what a size looks like.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b\s*", text[:LONGEST_TEXT], re.IGNORECASE | re.ASCII)
    if match is None or len(text) > LONGEST_TEXT or (match[3] and not match[2]):
        raise UsageError(f'"{text[:LONGEST_TEXT]}" is not a size: write {SIZE_HELP}')
    size: Decimal = Decimal(match[1]) * (1024 if match[3] else 1000) ** _POWER_OF_PREFIX[match[2].lower()]
    if size >= 2**63:
        raise UsageError(f'"{text}" is more than any disk holds; write {SIZE_HELP}')
    return int(size.to_integral_value(ROUND_CEILING))


def parse_percent(text: str) -> float:
    """Read a share like `60%` or `12.5 %`; raises UsageError where it is none, or over 100%."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", text[:LONGEST_TEXT], re.ASCII)
    if match is None or len(text) > LONGEST_TEXT or float(match[1]) > 100:
        raise UsageError(f'"{text[:LONGEST_TEXT]}" is not a share: write a number from 0 to 100 and %, like 60%')
    return float(match[1])


def format_instant(instant: datetime) -> str:
    """Return an instant as RFC 3339 in UTC, in whole seconds: "2026-11-23T22:36:25Z"."""
    try:
        return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return instant.isoformat()


def known_instant(instant: datetime | None) -> datetime | None:
    """Return the instant, or None where it stands for "never" or "not recorded" (at or before 1980-01-02)."""
    return None if instant is None or instant <= LAST_UNKNOWN_INSTANT else instant


def parse_instant(text: str | None) -> datetime | None:
    """Read an RFC 3339 instant as engines write it, with up to nine digits of a second.

    Returns None where it is missing, empty (Podman), "never", or in a form that no engine is known to write.
    """
    if not text:
        return None
    try:
        # It reads six digits of a second, and ignores the others.
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    try:
        return known_instant(instant.astimezone(UTC))
    except OverflowError:
        return None
