"""`swarm sweep`: the plans of all nodes first and one question, or none with --yes; then the nodes in waves."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from msgspec import Raw, Struct
from msgspec.structs import replace

from dockersweep.commands.fleet.asking import PlannedHosts
from dockersweep.commands.options import SwarmOptions
from dockersweep.commands.running.permission import can_ask
from dockersweep.commands.swarming.job import NodeJobs
from dockersweep.commands.swarming.kept_plan import ShownPlans, digest_of
from dockersweep.commands.swarming.run_id import new_run
from dockersweep.commands.swarming.signals import JobSignals
from dockersweep.errors import RefusedError
from dockersweep.fleet.hosts import Host, Hosts, Rollout
from dockersweep.fleet.reading import failures_of
from dockersweep.fleet.rollout import why_stop
from dockersweep.model.fleet import FleetHost, RolloutOutcome
from dockersweep.model.fleetfile import PARALLEL
from dockersweep.model.swarm import SwarmNode


class Swept(Struct, frozen=True):
    """What became of the nodes, by their ids, and how the rollout went."""

    hosts: dict[str, FleetHost]
    rollout: RolloutOutcome | None
    """None for a verb that removes nothing."""


def require_yes_or_terminal(options: SwarmOptions) -> None:
    """Raise RefusedError where nobody can be asked and nobody has said yes."""
    if not (options.yes or can_ask()):
        raise RefusedError("there is no terminal to ask on; give --yes to remove, or take `swarm plan` to look")


class NodeSweep:
    """A sweep of nodes that take tasks."""

    def __init__(self, jobs: NodeJobs, nodes: Sequence[SwarmNode], options: SwarmOptions, signals: JobSignals) -> None:
        self._jobs = jobs
        self._nodes = nodes
        self._parallel = options.parallel
        self._signals = signals
        failures = None if options.max_failures is None else failures_of(options.max_failures, len(nodes))
        self._rollout = Rollout(canary=options.canary, max_failures=failures)
        self._canaries = frozenset(jobs.names[node.id] for node in nodes[: options.canary])

    def unattended(self) -> Swept:
        """Let each node plan and remove in its turn."""
        return self._in_waves(self._nodes, {}, (), None)

    def asked(self) -> Swept:
        """Have all nodes plan, show that and ask; then carry out these plans and no others.

        Raises RefusedError where the rollout ends before it begins, and as `permission.ask`.
        """
        run = new_run()
        hosts = self._jobs.run(self._nodes, "plans", run, ("--keep-plan",))
        named = tuple(Host(name=self._jobs.names[node.id]) for node in self._nodes)
        planned = PlannedHosts([hosts[node.id] for node in self._nodes], "", Hosts(hosts=named, rollout=self._rollout))
        planned.refuse_by_rollout()
        if planned.going:
            planned.ask("sweep", datetime.now(UTC), self._signals)
        going = {host.swarm_node_id for host in planned.going}
        shown = ShownPlans(tuple(digest_of(bytes(host.document)) for host in planned.going))
        untouched = {host.swarm_node_id or "": _without_document(host) for host in planned.untouched.values()}
        nodes = [node for node in self._nodes if node.id in going]
        return self._in_waves(nodes, untouched, ("--of-plan", run), shown)

    def _in_waves(
        self, nodes: Sequence[SwarmNode], before: dict[str, FleetHost], flags: tuple[str, ...], shown: ShownPlans | None
    ) -> Swept:
        """Run the job on the nodes, the canaries first; `before` are nodes that are through already."""
        self._signals.lets_end = True
        results = dict(before)
        stopping = partial(why_stop, self._rollout, canaries=self._canaries)
        for wave in self._waves(nodes):
            if self._signals.signal is None and stopping(results.values()) is None:
                results |= self._jobs.run(wave, "nodes", flags=flags, shown=shown)
        left = [node for node in nodes if node.id not in results]
        stopped = stopping(results.values()) or "interrupted" if left else None
        results |= {node.id: replace(self._jobs.without_task(node), **_NOT_BEGUN) for node in left}
        outcome = RolloutOutcome(canary=self._rollout.canary, max_failures=self._rollout.max_failures, stopped=stopped)
        return Swept(results, outcome)

    def _waves(self, nodes: Sequence[SwarmNode]) -> list[Sequence[SwarmNode]]:
        """Return the nodes of each job. Without a limit of failures nothing but a signal could stop the rest."""
        first = [node for node in nodes if self._jobs.names[node.id] in self._canaries]
        others = [node for node in nodes if self._jobs.names[node.id] not in self._canaries]
        size = self._parallel or (len(others) if self._rollout.max_failures is None else PARALLEL)
        return [first, *(others[at : at + size] for at in range(0, len(others), max(size, 1)))]


_NOT_BEGUN = {"status": "not-begun", "exit_status": None, "message": None}


def _without_document(host: FleetHost) -> FleetHost:
    return replace(host, document=Raw(b"null"))
