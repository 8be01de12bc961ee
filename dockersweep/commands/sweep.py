"""`dockersweep sweep`: plan, ask, and carry out."""

import argparse

from dockersweep.commands import plan
from dockersweep.commands.execution import open_execution
from dockersweep.commands.gather import gather_policy, judge, require_build_cache
from dockersweep.commands.permission import can_ask
from dockersweep.commands.rounds import Task
from dockersweep.errors import RefusedError, UsageError
from dockersweep.policy.kinds_removed import may_remove


def run(arguments: argparse.Namespace) -> int:
    """Plan; then show the plan only, or carry it out and write what became of it. Return the exit status."""
    if arguments.dry_run:
        return plan.run(arguments)
    if not (arguments.yes or can_ask()):
        raise RefusedError(
            "nothing was removed: there is no terminal to ask on; give --yes to remove, or --dry-run to look"
        )
    if arguments.exit_code:
        raise UsageError("--exit-code tells what a plan holds: it goes with --dry-run")
    policy = gather_policy(arguments)
    with open_execution(arguments) as execution:
        picture = execution.scan()
        require_build_cache(picture, may_remove(policy, "build-cache"), arguments)
        made = judge(picture, policy, execution.memory)
        return execution.carry_out(Task(made, policy, picture, policy.source))
