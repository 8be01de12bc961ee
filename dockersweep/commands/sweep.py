"""`dockersweep sweep`: plan, ask, and carry out."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from dockersweep.commands import plan
from dockersweep.commands.gather import gather_policy, judge, require_build_cache
from dockersweep.commands.options import RunOptions, SweepOptions
from dockersweep.errors import RefusedError, UsageError
from dockersweep.model.policy import Policy
from dockersweep.policy.language.flags import flags_typed
from dockersweep.policy.language.kinds_removed import may_remove

if TYPE_CHECKING:
    from dockersweep.commands.running.execution import RunResult
    from dockersweep.policy.judging.survey import Survey


def run(options: SweepOptions) -> int:
    """Plan; then only show the plan, or carry it out and write the outcome. Return the exit status."""
    if options.dry_run:
        return plan.run(options.plan)
    # Imported late: a dry run does not need it.
    from dockersweep.commands.running.permission import can_ask

    if not (options.run.yes or options.run.interactive or can_ask()):
        raise RefusedError("there is no terminal to ask on; give --yes to remove, or --dry-run to look")
    if options.plan.exit_code:
        raise UsageError("--exit-code tells what a plan holds: it goes with --dry-run")
    return sweep(options.run, gather_policy(options.policy), flags_typed(options.policy.flags))


def sweep(
    options: RunOptions,
    policy: Policy,
    flags: str,
    on_scan: "Callable[[Survey, RunResult], None]" = lambda survey, result: None,
) -> int:
    """Plan and carry it out; return the exit status. `flags` are those that changed the policy; `on_scan` is called
    once the engine is scanned, with the result that the run fills in from then on."""
    from dockersweep.commands.running.opening import notified, open_execution
    from dockersweep.commands.running.rounds import PlannedRun

    with notified(policy, options) as result, open_execution(options, result) as execution:
        survey = execution.scan(policy)
        on_scan(survey, result)
        require_build_cache(survey, may_remove(policy, "build-cache"), options.engine)
        made = judge(survey, policy, execution.ledger)
        return execution.carry_out(PlannedRun(made, policy, survey, policy.source, flags))
