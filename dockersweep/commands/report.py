"""`dockersweep report`: where the disk went."""

import argparse

from dockersweep.commands.gather import gather_picture, gather_policy
from dockersweep.commands.write import terminal_width, write_result
from dockersweep.policy.planner import make_plan
from dockersweep.policy.totals import kind_totals
from dockersweep.policy.use import describe_use
from dockersweep.report.disk_table import disk_table


def run(arguments: argparse.Namespace) -> int:
    """Write the report; return the exit status."""
    policy = gather_policy(arguments)
    picture = gather_picture(arguments)
    plan = make_plan(picture.inventory, policy, picture.now)
    uses = describe_use(picture.inventory, picture.now)
    totals, unused = kind_totals(picture.inventory, plan, uses)
    table = disk_table(picture.inventory, plan, uses, totals, unused, terminal_width(arguments.output))
    write_result(table, arguments.output)
    return 0
