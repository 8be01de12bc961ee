"""Reads when a watcher carries out the rules: `daily 04:00`, `every 6h` or `never`."""

import re

from dockersweep.errors import UsageError
from dockersweep.model.policy import Schedule
from dockersweep.units import parse_age

_HELP = "write daily and a time of the day, like daily 04:00, or every and a duration, like every 6h, or never"


def parse_schedule(text: str) -> Schedule:
    """Read a schedule; raises UsageError that says what is wrong and what a schedule looks like."""
    word, _, rest = " ".join(text.split()).partition(" ")
    if word == "never" and not rest:
        return Schedule(text="never")
    if word == "daily":
        time = re.fullmatch(r"(\d{1,2}):(\d{2})", rest, re.ASCII)
        if time is None or int(time[1]) > 23 or int(time[2]) > 59:
            raise UsageError(f'"{text}" has no time of the day: write one like daily 04:00')
        return Schedule(text=f"daily {int(time[1]):02}:{time[2]}", daily_minute=int(time[1]) * 60 + int(time[2]))
    if word != "every":
        raise UsageError(f'"{text}" is no schedule: {_HELP}')
    interval = parse_age(rest)
    if interval.months:
        raise UsageError(f'"{text}": months differ in length: write days, like every 30d')
    if interval.is_zero:
        raise UsageError(f'"{text}" would never end: write how much time is between two sweeps, like every 6h')
    return Schedule(text=f"every {interval.text}", every_seconds=interval.seconds)
