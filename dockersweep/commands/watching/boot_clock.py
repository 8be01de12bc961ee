"""The clock of a watcher."""

import time


def now_seconds() -> float:
    """Return a clock that nobody sets, and that counts while the machine sleeps."""
    # Only Linux has it.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
