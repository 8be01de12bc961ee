"""Removals on several hosts: canaries first, then the others, as far as the rollout goes."""

from collections.abc import Sequence
from typing import NamedTuple

from dockersweep.commands.fleet.host_process import HostTask
from dockersweep.commands.fleet.hosts_at_work import HostsAtWork
from dockersweep.fleet.hosts import Hosts
from dockersweep.fleet.rollout import why_stop
from dockersweep.model.fleet import FleetHost, RolloutOutcome


class Carried(NamedTuple):
    """What became of the hosts, by their numbers, and how the rollout went."""

    hosts: dict[int, FleetHost]
    rollout: RolloutOutcome


def canary_names(hosts: Hosts) -> frozenset[str]:
    """Return the names of the hosts that go first, alone."""
    return frozenset(host.name for host in hosts.hosts[: hosts.rollout.canary])


def carry_out(
    at_work: HostsAtWork, tasks: Sequence[HostTask], hosts: Hosts, former: Sequence[FleetHost], splay_seconds: float
) -> Carried:
    """Carry out tasks that remove something; `former` are hosts of the run that did not end well before their turn."""
    canaries = canary_names(hosts)
    results: dict[int, FleetHost] = {}

    def stopping(finished: Sequence[FleetHost]) -> str | None:
        before = [host for host in results.values() if host.status != "not-begun"]
        return why_stop(hosts.rollout, [*former, *before, *finished], canaries)

    first = [task for task in tasks if task.host.name in canaries]
    others = [task for task in tasks if task.host.name not in canaries]
    for stage in (first, others):
        of_stage = at_work.run("removing", stage, stopping, splay_seconds)
        results |= {task.number: host for task, host in zip(stage, of_stage, strict=True)}
    left = any(host.status == "not-begun" for host in results.values())
    return Carried(results, _outcome(hosts, stopping(()) if left else None, left, at_work))


def _outcome(hosts: Hosts, stopped: str | None, left: bool, at_work: HostsAtWork) -> RolloutOutcome:
    if left and stopped is None and at_work.signal is not None:
        stopped = "interrupted"
    return RolloutOutcome(canary=hosts.rollout.canary, max_failures=hosts.rollout.max_failures, stopped=stopped)
