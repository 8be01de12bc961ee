"""States of a watcher, for what is made of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dockersweep.model.watching import EventState, LastSweep, WatchedDisk, WatchState

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BOX = "unix:///run/test.sock"
TICKED_AT = 5000.0
"""When the loop went round last, on the monotonic clock."""


def events(**fields: Any) -> EventState:
    """Events that come in."""
    told: dict[str, Any] = {
        "is_connected": True, "received": 120, "recorded": 100, "complete_until": NOW - timedelta(seconds=3), **fields,
    }  # fmt: skip
    return EventState(**told)


def last_sweep(**fields: Any) -> LastSweep:
    """A sweep for space that did what it was for."""
    told: dict[str, Any] = {
        "cause": "space", "started_at": NOW - timedelta(minutes=10), "finished_at": NOW - timedelta(minutes=9),
        "exit_status": 0, "removed": 7, "freed_bytes": 5_000_000, "target_reached": True, "run": 12, **fields,
    }  # fmt: skip
    return LastSweep(**told)


def watch_state(**fields: Any) -> WatchState:
    """A watcher that has just started, and is well."""
    told: dict[str, Any] = {
        "started_at": NOW - timedelta(hours=1), "endpoint": BOX, "events": events(),
        "ticked_at": TICKED_AT, **fields,
    }  # fmt: skip
    return WatchState(**told)


def busy_watch_state() -> WatchState:
    """A watcher of which everything is known."""
    return watch_state(
        events=events(gaps=2, gap_seconds=90.5),
        disks=(
            WatchedDisk(name="/var/lib/docker", total_bytes=1000, free_bytes=100, begins=True),
            WatchedDisk(name="/srv", total_bytes=500, free_bytes=400, begins=None),
        ),
        sweeping="space",
        waits="a build ran 20 seconds ago",
        next_sweep_at=NOW + timedelta(hours=4),
        last_sweep=last_sweep(),
        sweeps={("space", 0): 3, ("space", 137): 1, ("space", 1): 1, ("schedule", 3): 2, ("schedule", 143): 1},
    )
