"""`dockersweep apply`: carry out a saved plan, its removals and none other."""

import argparse
from datetime import datetime, timedelta

from msgspec.structs import replace

from dockersweep.commands.execution import open_execution
from dockersweep.commands.gather import LARGEST_DOCUMENT_BYTES, gather_policy, require_build_cache
from dockersweep.commands.rounds import Task
from dockersweep.commands.trusted_file import read_trusted
from dockersweep.errors import DocumentError, RefusedError
from dockersweep.model.documents import read_document
from dockersweep.model.inventory import Engine
from dockersweep.model.naming import engine_identity
from dockersweep.model.plan import Plan
from dockersweep.policy.saved_plan import what_may_go
from dockersweep.units import Age, format_duration, format_instant

CLOCKS_DIFFER = timedelta(minutes=5)
"""A clock may be so far off before a plan counts as one from the future."""


def run(arguments: argparse.Namespace) -> int:
    """Hold the plan against what is there now, carry out what may go, and tell what became of every removal."""
    where = "standard input" if arguments.plan == "-" else arguments.plan
    saved = read_document(read_trusted(arguments.plan, "plan", LARGEST_DOCUMENT_BYTES, DocumentError), Plan, where)
    policy = gather_policy(arguments)
    with open_execution(arguments) as execution:
        _refuse_another(saved, execution.client.engine, where)
        picture = execution.scan()
        _refuse_old(saved, arguments.max_age, picture.inventory.taken_at, where)
        if saved.limits.exceeded:
            raise RefusedError(
                f"nothing was removed: when {where} was made it was over a limit of {saved.policy.source}: "
                f"{'; '.join(saved.limits.exceeded)}"
            )
        require_build_cache(picture, any(one.kind == "build-cache" for one in saved.removals), arguments)
        # Who made the plan asked for it, and it says what the engine refused.
        policy = replace(policy, retry_refused=policy.retry_refused or saved.policy.retry_refused)
        permitted = what_may_go(saved, picture.inventory, policy, picture.now)
        by = f"the plan in {where} of {format_instant(saved.taken_at)}"
        return execution.carry_out(Task(permitted.plan, policy, picture, by, saved, permitted.settled))


def _refuse_another(saved: Plan, engine: Engine, where: str) -> None:
    """Podman makes up an id for each call: there the endpoint, the root folder and the name tell the engine."""
    if engine_identity(saved.engine) != engine_identity(engine) or saved.engine.flavour != engine.flavour:
        raise RefusedError(
            f"nothing was removed: {where} is a plan for {_words(saved.engine)}, and this is {_words(engine)}"
        )


def _words(engine: Engine) -> str:
    told = f'the {engine.flavour} engine "{engine.name}" at {engine.endpoint}'
    return f"{told} (id {engine.id}, data in {engine.root_dir})" if engine.id else f"{told} (data in {engine.root_dir})"


def _refuse_old(saved: Plan, max_age: Age, now: datetime, where: str) -> None:
    if saved.taken_at < max_age.before(now):
        age = format_duration((now - saved.taken_at).total_seconds())
        raise RefusedError(
            f"nothing was removed: {where} is {age} old, over {max_age.words()}; make a new plan, or raise --max-age"
        )
    if saved.taken_at > now + CLOCKS_DIFFER:
        raise RefusedError(
            f"nothing was removed: {where} was made at {format_instant(saved.taken_at)}, and the engine's clock says "
            f"{format_instant(now)}: it is no plan of this engine, or a clock is wrong"
        )
