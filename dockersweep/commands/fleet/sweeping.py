"""`sweep` on several hosts: at a terminal all are planned first, and one question is asked; else each plans and removes
in its turn, unless it may remove what another host uses."""

from datetime import UTC, datetime
from functools import partial

from msgspec.structs import replace

from dockersweep.commands.fleet.acquaintance import refuse_strange
from dockersweep.commands.fleet.asking import PlannedHosts
from dockersweep.commands.fleet.carrying_out import Carried, carry_out
from dockersweep.commands.fleet.claims import claim
from dockersweep.commands.fleet.ending import exit_status
from dockersweep.commands.fleet.host_process import HostTask
from dockersweep.commands.fleet.hosts_at_work import HostsAtWork
from dockersweep.commands.fleet.private_folder import private_folder
from dockersweep.commands.fleet.sparing import spare_shared
from dockersweep.commands.fleet.tasks import Run, tasks_of
from dockersweep.commands.fleet.verb_parts import VerbParts
from dockersweep.commands.fleet.writing import write_fleet
from dockersweep.commands.fleet.written_fleet import WrittenFleet
from dockersweep.commands.options import ApplyOptions, SweepOptions
from dockersweep.commands.running.permission import can_ask
from dockersweep.errors import RefusedError
from dockersweep.fleet.folding import fold
from dockersweep.fleet.hosts import Hosts
from dockersweep.fleet.shared_volumes import may_remove_shareable
from dockersweep.model.inventory import Engine
from dockersweep.model.plan import Plan
from dockersweep.units import parse_age

_MAX_AGE = parse_age("1h")
"""Of the plans that the question was about; a later yes is refused anyway."""


def sweep_hosts(parts: VerbParts, options: SweepOptions, hosts: Hosts, run: Run, allow_unreached: int) -> int:
    """Sweep each host, and write what came of it; return the exit status.

    Raises RefusedError where nobody confirms it, or the rollout ends before it begins.
    """
    if not (options.run.yes or can_ask()):
        raise RefusedError("there is no terminal to ask on; give --yes to remove, or --dry-run to look")
    begun = datetime.now(UTC)
    with (
        private_folder() as folder,
        HostsAtWork(hosts.parallel, parts.engine.shows_progress) as at_work,
    ):
        if options.run.yes and not any(map(may_remove_shareable, parts.policies.values())):
            carried = _each_in_turn(parts, options, hosts, run, folder, at_work)
        else:
            with private_folder() as plans:
                carried = _planned_first(parts, options, hosts, run, folder, plans, at_work)
        results = [carried.hosts[number] for number in range(len(hosts.hosts))]
        fleet = fold("sweep", results, begun, datetime.now(UTC), allow_unreached, carried.rollout)
        write_fleet(WrittenFleet(fleet, folder), parts)
    return exit_status(fleet, at_work)


def _each_in_turn(
    parts: VerbParts, options: SweepOptions, hosts: Hosts, run: Run, folder: str, at_work: HostsAtWork
) -> Carried:
    tasks = [
        replace(task, on_answer=partial(_admit, folder, task), is_watched=False)
        for task in tasks_of(hosts, parts, options, folder, run)
    ]
    return carry_out(at_work, tasks, hosts, (), _splay_seconds(options, hosts))


def _admit(folder: str, task: HostTask, engine: Engine) -> None:
    """Raise for an engine that another host has already, or that nobody knows in its place."""
    claim(folder, task.host.name, engine)
    refuse_strange(task.uses_ledger, engine)


def _planned_first(
    parts: VerbParts, options: SweepOptions, hosts: Hosts, run: Run, folder: str, plans: str, at_work: HostsAtWork
) -> Carried:
    dry = replace(options, dry_run=True)
    tasks = tasks_of(hosts, replace(parts, summed=Plan), dry, plans, run)
    if options.run.yes:
        tasks = [replace(task, on_answer=partial(_admit, plans, task), is_watched=False) for task in tasks]
    planned = PlannedHosts(spare_shared(at_work.run("planning", tasks), plans), plans, hosts)
    if options.run.yes and planned.why_stopped is not None:
        return planned.stopped
    planned.refuse_by_rollout()
    confirmed = replace(options.run, yes=True)
    if not options.run.yes:
        if planned.going:
            planned.ask("sweep", datetime.now(UTC), at_work, parts.detail)
        # A yes to the question is a look at each of these engines.
        confirmed = replace(confirmed, yes_first_time=True)
    to_apply = ApplyOptions(run=confirmed, policy=options.policy, plan="", max_age=_MAX_AGE)
    return planned.carry_out(parts, to_apply, folder, None, at_work, _splay_seconds(options, hosts))


def _splay_seconds(options: SweepOptions, hosts: Hosts) -> float:
    return 0.0 if can_ask() or not options.run.yes else hosts.rollout.splay_seconds or 0.0
