"""How soon a watcher removes something: from the moment when `docker load` has pushed a disk over the threshold."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.table import Row, write_table
from tests.rig.engines.disks import SmallDisk, have_own_mounts
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind, parser_with_engine
from tests.rig.engines.litter import Litter
from tests.rig.running_watcher import RunningWatcher

MOST_SECONDS = 3.0
ROUNDS = 5
_DISK_BYTES = 700 << 20
_IMAGE_BYTES = 60_000_000
_POLICY = """
version = 1
[target]
start_above = "60%"
stop_below = "50%"
older_than = "0s"
[watch]
sweep = "never"
settle = "0s"
backoff = "1s"
"""


def measure(engine: Engine, folder: Path, rounds: int) -> list[float]:
    """Return the seconds from the end of each load that was too much to the first removal."""
    policy = folder / "dockersweep.toml"
    policy.write_text(_POLICY)
    state = {"DOCKERSWEEP_STATE_DIR": str(folder / "state"), "DOCKERSWEEP_LOCK_DIR": str(folder)}
    watcher = RunningWatcher(
        "--policy", str(policy), "-H", engine.url, "--yes-first-time", environment={**engine.environment(), **state}
    )
    try:
        watcher.until("engine-there")
        # It looks for the disks first.
        time.sleep(3)
        litter, taken, number = Litter(engine), list[float](), 0
        while len(taken) < rounds:
            number += 1
            after = watcher.count
            litter.image(f"load:{number}", layers={f"l{number}": _IMAGE_BYTES})
            loaded_at = time.monotonic()
            if _is_over(engine):
                watcher.until("removal", after=after, status="removed")
                removals = [place for place, told in enumerate(watcher.events) if told["event"] == "removal"]
                first = next(place for place in removals if place >= after)
                # What an engine takes for a moment may have begun it before the load was over.
                taken.append(max(0.0, watcher.at[first] - loaded_at))
                watcher.until("sweep-ends", after=after)
        return taken
    finally:
        watcher.close()


def _is_over(engine: Engine) -> bool:
    stats = os.statvfs(engine.data_root)
    used = stats.f_blocks - stats.f_bfree
    return 100 * used >= 60 * (used + stats.f_bavail)


def main(arguments: Sequence[str]) -> int:
    """Print the table; return 1 where the aim is missed."""
    given = _parser().parse_args(arguments)
    have_own_mounts()
    disk = SmallDisk("", "ext4", _DISK_BYTES)
    with tempfile.TemporaryDirectory() as folder, Engine(kind(given.engine), disks=(disk,)) as engine:
        taken = measure(engine, Path(folder), given.rounds)
    load = os.getloadavg()[0]
    rows = [
        Row(f"the slowest of {len(taken)}, at a load of {load:.1f}", max(taken), aim=MOST_SECONDS),
        Row("the median", statistics.median(taken), aim=MOST_SECONDS),
    ]
    return write_table(rows)


def _parser() -> argparse.ArgumentParser:
    parser = parser_with_engine(
        "tests/bench/watch_space",
        "Fill the small disk of an engine by loads while a watcher looks at it. Prints a Markdown table, and fails "
        "where the aim is missed.",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
