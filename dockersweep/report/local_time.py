"""Instants as people read them; documents and spreadsheets have UTC."""

import re
from datetime import datetime

from dockersweep.units import format_instant, parse_instant

_INSTANT = re.compile(r"(?<![^\s(])[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z(?![^\s),;.:])")
"""One that is a word of its own: in a name it is a part of that."""


def local_time(instant: datetime) -> str:
    """Return an instant in the time zone of this process, and which that is: "2026-11-23 23:36:25 CET"."""
    try:
        return instant.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    except (OverflowError, ValueError, OSError):
        # Further away than the calendar of the system goes.
        return format_instant(instant)


def in_local_time(sentence: str) -> str:
    """Return a sentence of a document with the instants in it as `local_time` has them; what is only an instant is no
    sentence, and mostly a name."""
    # Hardly any has one.
    return _INSTANT.sub(_localized, sentence) if "Z" in sentence and " " in sentence else sentence


def _localized(found: re.Match[str]) -> str:
    instant = parse_instant(found[0])
    return found[0] if instant is None else local_time(instant)
