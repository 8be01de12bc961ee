"""`dockersweep sweep`: plan, ask, and carry out."""

from dockersweep.commands import plan
from dockersweep.commands.gather import gather_policy, judge, require_build_cache
from dockersweep.commands.options import SweepOptions
from dockersweep.errors import RefusedError, UsageError
from dockersweep.policy.language.flags import flags_typed
from dockersweep.policy.language.kinds_removed import may_remove


def run(options: SweepOptions) -> int:
    """Plan; then only show the plan, or carry it out and write the outcome. Return the exit status."""
    if options.dry_run:
        return plan.run(options.plan)
    # Imported late: a dry run does not need them.
    from dockersweep.commands.running.opening import notified, open_execution
    from dockersweep.commands.running.permission import can_ask
    from dockersweep.commands.running.rounds import PlannedRun

    if not (options.run.yes or options.run.interactive or can_ask()):
        raise RefusedError("there is no terminal to ask on; give --yes to remove, or --dry-run to look")
    if options.plan.exit_code:
        raise UsageError("--exit-code tells what a plan holds: it goes with --dry-run")
    policy = gather_policy(options.policy)
    with notified(policy, options.run) as result, open_execution(options.run, result) as execution:
        survey = execution.scan(policy)
        require_build_cache(survey, may_remove(policy, "build-cache"), options.run.engine)
        made = judge(survey, policy, execution.ledger)
        return execution.carry_out(PlannedRun(made, policy, survey, policy.source, flags_typed(options.policy.flags)))
