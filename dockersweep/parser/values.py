"""Readers of flag values: each turns text into a value, or raises an error to which argparse adds the flag."""

import argparse
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from dockersweep.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from dockersweep.units import Age

Value = TypeVar("Value")


def age(text: str) -> "Age":
    """Read an age, like 10d or 3mo."""
    from dockersweep.units import parse_age

    return _read(parse_age, text)


def size(text: str) -> int:
    """Read a size, like 5GB."""
    from dockersweep.units import parse_size

    return _read(parse_size, text)


def percent(text: str) -> float:
    """Read a share, like 50% or 50."""
    from dockersweep.units import parse_percent

    return _read(parse_percent, f"{text}%" if re.fullmatch(r"[0-9.]+", text) else text)


def count(text: str) -> int:
    """Read a number of objects."""
    if not re.fullmatch(r"\d{1,12}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f'"{text}" is not a number: write one like 500')
    return int(text)


def count_from_one(text: str) -> int:
    """Read a number that is not zero."""
    number = count(text)
    if not number:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return number


def count_or_percent(text: str) -> str:
    """Check a number of hosts, or a share of them, like 3 or 10%; the share is of the hosts that are selected later."""
    if text.endswith("%"):
        percent(text)
    elif not re.fullmatch(r"\d{1,12}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of hosts: write 0 or more, or a share like 10%')
    return text


def run_number(text: str) -> "int | str":
    """Read the number of a run, or `verify`."""
    if text == "verify":
        return text
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f'"{text}" is neither a run number nor "verify"')
    return int(text)


def archive_folder(text: str) -> str:
    """Read the folder of an archive; what has no slash is more likely an operand that follows the flag."""
    if "/" not in text:
        raise argparse.ArgumentTypeError(f'"{text}" is not a path: write ./{text} for a folder here')
    if not text.isprintable():
        raise argparse.ArgumentTypeError("the path has control characters: name a folder without them")
    return text


def new_name(text: str) -> str:
    """Read the name that an object is to get."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f'"{text}" is not a name: write letters, digits, and _ . - in between')
    return text


def timeout(text: str) -> "Age":
    """Read a duration that is not zero, and has no months."""
    duration = age(text)
    if duration.months or not duration.seconds:
        raise argparse.ArgumentTypeError(f'"{text}" is no time-out: write seconds, minutes, hours or days, like 15m')
    return duration


def interval(text: str) -> "Age":
    """Read how often something is done: a duration that is not zero, and has no months."""
    duration = age(text)
    if duration.months or not duration.seconds:
        raise argparse.ArgumentTypeError(f'"{text}" is no interval: write seconds, minutes or hours, like 5s')
    return duration


def wait(text: str) -> "Age":
    """Read a duration, which may be zero, and has no months."""
    duration = age(text)
    if duration.months:
        raise argparse.ArgumentTypeError(f'"{text}" is long to wait: write seconds, minutes, hours or days, like 10m')
    return duration


def later(text: str) -> "Age | datetime":
    """Read a future time: an age after a plus, or a date or time (UTC unless it names a zone)."""
    from datetime import UTC, datetime

    if text.startswith("+"):
        return age(text[1:])
    try:
        date = datetime.fromisoformat(text)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f'"{text}" is neither an age with a plus, like +7d, nor a date, like 2026-12-24 or 2026-12-24T18:30'
        ) from None


def selection_filter(text: str) -> tuple[str, str]:
    """Read a filter of `scan`, like label=team=web."""
    from dockersweep.policy.judging.selection import parse_filter

    return _read(parse_filter, text)


def _read(parse: Callable[[str], Value], text: str) -> Value:
    """Turn our error into argparse's, which adds the flag."""
    try:
        return parse(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
