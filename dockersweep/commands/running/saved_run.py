"""Carries out a saved plan: what of it is still permitted, and nothing else."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from dockersweep.commands.gather import gather_policy, require_build_cache
from dockersweep.commands.options import ApplyOptions
from dockersweep.commands.running.execution import RunResult
from dockersweep.commands.running.opening import notified, open_execution
from dockersweep.commands.running.permission import can_ask
from dockersweep.commands.running.rounds import PlannedRun
from dockersweep.errors import RefusedError
from dockersweep.model.inventory import Engine, ScanWarning
from dockersweep.model.naming import engine_identity, former_identity
from dockersweep.model.plan import Plan
from dockersweep.model.policy import ArchiveSettings, Policy
from dockersweep.policy.planning.saved_plan import what_may_go
from dockersweep.units import Age, format_duration, format_instant

_NEEDS_YES_LATER = "a later version will need --yes where there is no terminal to ask on, as sweep does; give it now"
CLOCKS_DIFFER = timedelta(minutes=5)
"""How far clocks may differ before a plan counts as one from the future."""


def run_saved(saved: Plan, where: str, options: ApplyOptions, by: str | None = None) -> int:
    """Compare a plan, read from `where`, with the present state, carry out what is still permitted, and write the
    outcome of every removal; return the exit status. `by` is what the records say of who asked for it; None for the
    plan."""
    if saved.foreseen_at is not None:
        when = format_instant(saved.foreseen_at)
        raise RefusedError(f"{where} is a plan as of {when}, only to look at; make one without --at")
    policy = gather_policy(options.policy)
    with notified(policy, options.run) as result:
        return _run_under(policy, saved, where, options, by, result)


def _run_under(
    policy: Policy, saved: Plan, where: str, options: ApplyOptions, by: str | None, result: RunResult
) -> int:
    if not policy.rules and policy.target is None:
        raise RefusedError(f"{policy.source} removes nothing, and so does a saved plan under it; see --policy")
    policy = replace(policy, archive=_archive(saved, policy, options))
    with open_execution(options.run, result) as execution:
        if not (options.run.yes or can_ask()):
            execution.warnings.append(ScanWarning(about="apply", text=_NEEDS_YES_LATER))
        _refuse_another(saved, execution.client.engine, where)
        survey = execution.scan(policy)
        _refuse_old(saved, options.max_age, survey.inventory.taken_at, where)
        if saved.limits.exceeded:
            raise RefusedError(
                f"when {where} was made it was over a limit of {saved.policy.source}: "
                f"{'; '.join(saved.limits.exceeded)}"
            )
        require_build_cache(
            survey, any(removal.kind == "build-cache" for removal in saved.removals), options.run.engine
        )
        # A plan made with --retry-refused keeps that: its maker has seen what the engine refused.
        policy = replace(policy, retry_refused=policy.retry_refused or saved.policy.retry_refused)
        permitted = what_may_go(saved, survey, policy, may_lose_ways_back=options.policy.flags.archive is False)
        by = by or f"the plan in {where} of {format_instant(saved.taken_at)}"
        # The ledger keeps tags in the engine's order.
        survey = permitted.survey.with_inventory(survey.inventory)
        planned = PlannedRun(
            permitted.plan, policy, survey, by, saved=saved, settled=permitted.settled, judged=permitted.survey
        )
        return execution.carry_out(planned)


def _archive(saved: Plan, policy: Policy, options: ApplyOptions) -> ArchiveSettings | None:
    """Return the archive of the policy in force, else the one that the plan was made with: what it said would be
    archived is archived, unless a flag says no."""
    return policy.archive if options.policy.flags.archive is False else policy.archive or saved.policy.archive


def _refuse_another(saved: Plan, engine: Engine, where: str) -> None:
    """Raise RefusedError for a plan for another engine. Podman makes up an id for each call: there machine or endpoint,
    root folder and name identify the engine."""
    identities = (engine_identity(engine), former_identity(engine))
    if engine_identity(saved.engine) not in identities or saved.engine.flavour != engine.flavour:
        raise RefusedError(f"{where} is a plan for {_words(saved.engine)}, and this is {_words(engine)}")


def _words(engine: Engine) -> str:
    name = f'the {engine.flavour} engine "{engine.name}" at {engine.endpoint}'
    return f"{name} (id {engine.id}, data in {engine.root_dir})" if engine.id else f"{name} (data in {engine.root_dir})"


def _refuse_old(saved: Plan, max_age: Age, now: datetime, where: str) -> None:
    if saved.taken_at < max_age.before(now):
        age = format_duration((now - saved.taken_at).total_seconds())
        raise RefusedError(f"{where} is {age} old, over {max_age.words()}; make a new plan, or raise --max-age")
    if saved.taken_at > now + CLOCKS_DIFFER:
        raise RefusedError(
            f"{where} was made at {format_instant(saved.taken_at)}, and the engine's clock says "
            f"{format_instant(now)}: it is no plan of this engine, or a clock is wrong"
        )
