"""Instants as people read them; documents and spreadsheets have UTC."""

from datetime import datetime

from dockersweep.units import format_instant


def local_time(instant: datetime) -> str:
    """Return an instant in the time zone of this process, and which that is: "2026-11-23 23:36:25 CET"."""
    try:
        return instant.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    except (OverflowError, ValueError, OSError):
        # Further away than the calendar of the system goes.
        return format_instant(instant)
