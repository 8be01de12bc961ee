"""Engines tell of events by the second: what must not be of one second with what was before waits for the next."""

from __future__ import annotations

import time


def next_second() -> None:
    """Return early in the next second of the clock."""
    time.sleep(1.02 - time.time() % 1.0)
