"""How the screen of --interactive does with 10,000 objects on layers that they share: its first paint once the plan is
known, imports included, the slowest tick, and the memory of all that.

The process has the inventory, the plan and the screen, and draws on no terminal.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import time
from collections.abc import Sequence

from dockersweep.model.plan import Plan
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.planning.planner import make_plan
from dockersweep.units import parse_age
from tests.bench.reporting import COUNT, full_inventory
from tests.bench.table import Row, write_table
from tests.rig.inventories import NOW

MOST_PAINT_SECONDS, MOST_TICK_SECONDS, MOST_BYTES = 0.5, 0.05, 150_000_000
COLUMNS, LINES = 80, 24
EVERYTHING = PolicyFlags(older_than=parse_age("0s"), all_images=True, named_volumes=True)


def _planned(count: int) -> tuple[Plan, Survey]:
    survey = Survey(full_inventory(count), NOW)
    return make_plan(survey, policy_from_flags(EVERYTHING)), survey


async def _measure(plan: Plan, survey: Survey, rounds: int) -> tuple[float, float]:
    """Return how long the first paint and the slowest tick take, in seconds."""
    begun = time.perf_counter()
    # The imports are a part of it.
    from dockersweep.commands.review.app import Actions, ReviewApp
    from dockersweep.policy.planning.choice import Choice

    actions = Actions(
        verb="sweep",
        ask=lambda made: "",
        explain=lambda ref, width: "",
        save=lambda made, path: "",
        save_as="",
        protect=lambda decision, path: "",
        policy_path="",
    )
    app = ReviewApp(Choice(plan, survey), actions)
    async with app.run_test(size=(COLUMNS, LINES)):
        painted = time.perf_counter() - begun
        ticks = []
        for _ in range(rounds):
            for line in [line for line in app.tree_lines if not line.branch.is_kept]:
                begun = time.perf_counter()
                app.tick(line)
                ticks.append(time.perf_counter() - begun)
    return painted, max(ticks)


def main(arguments: Sequence[str]) -> int:
    """Print the table, with the load; return 1 where an aim is missed."""
    options = _parser().parse_args(arguments)
    plan, survey = _planned(options.count)
    painted, tick = asyncio.run(_measure(plan, survey, options.rounds))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    rows = [
        Row("first paint", painted, aim=MOST_PAINT_SECONDS),
        Row("slowest tick", tick, aim=MOST_TICK_SECONDS),
        Row("peak memory", peak, aim=MOST_BYTES, unit="MB"),
    ]
    what = f"{len(plan.decisions)} objects, {len(plan.removals)} removals, {COLUMNS}x{LINES}"
    sys.stdout.write(f"{what}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors.\n\n")
    return write_table(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/bench/reviewing",
        description="Draw the screen of --interactive, tick all that it shows, and print a Markdown table; fails where "
        "an aim is missed.",
    )
    parser.add_argument("--count", type=int, default=COUNT, help=f"how many objects ({COUNT})")
    parser.add_argument("--rounds", type=int, default=5, help="how often all that is shown is ticked (5)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
