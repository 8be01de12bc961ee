"""`swarm sweep`: the plans of all nodes first and one question, or none with --yes; then the nodes in waves."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.commands.fleet.asking import PlannedHosts
from dockersweep.commands.fleet.sparing import spared_hosts
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
from dockersweep.model.documents import read_document
from dockersweep.model.fleet import FleetHost, RolloutOutcome, without_document
from dockersweep.model.fleetfile import PARALLEL
from dockersweep.model.plan import Plan
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

    def __init__(
        self,
        jobs: NodeJobs,
        nodes: Sequence[SwarmNode],
        silent: Sequence[FleetHost],
        options: SwarmOptions,
        signals: JobSignals,
    ) -> None:
        """`silent` are the nodes of the run that take no task now."""
        self._jobs = jobs
        self._nodes = nodes
        self._silent = silent
        self._asks = not options.yes
        self._parallel = options.parallel
        self._signals = signals
        failures = None if options.max_failures is None else failures_of(options.max_failures, len(nodes))
        self._rollout = Rollout(canary=options.canary, max_failures=failures)
        self._canaries = frozenset(jobs.names[node.id] for node in nodes[: options.canary])

    def unattended(self) -> Swept:
        """Let each node plan and remove in its turn."""
        return self._in_waves(self._nodes, {}, (), None)

    def planned_first(self) -> Swept:
        """Have all nodes plan; show that and ask, without --yes; then carry out these plans and no others.

        Raises RefusedError where the rollout ends before it begins, and as `permission.ask`.
        """
        run = new_run()
        flags = ("--keep-plan", "--is-looked-at") if self._asks else ("--keep-plan",)
        hosts = self._jobs.run(self._nodes, "plans", run, flags)
        listed = [hosts[node.id] for node in self._nodes]
        spared = spared_hosts([*listed, *self._silent], lambda number: _plan_of(listed[number]))
        named = tuple(Host(name=host.name) for host in listed)
        shown = [spared[number].host if number in spared else host for number, host in enumerate(listed)]
        planned = PlannedHosts(shown, "", Hosts(hosts=named, rollout=self._rollout))
        planned.refuse_by_rollout()
        if planned.going and self._asks:
            planned.ask("sweep", datetime.now(UTC), self._signals)
        untouched = planned.untouched
        going = [number for number in range(len(listed)) if number not in untouched]
        plans = {digest_of(bytes(listed[at].document)): spared[at].volumes if at in spared else () for at in going}
        before = {self._nodes[number].id: without_document(host) for number, host in untouched.items()}
        nodes = [self._nodes[number] for number in going]
        swept = self._in_waves(nodes, before, ("--of-plan", run), ShownPlans(plans, self._asks))
        notes = {self._nodes[number].id: one.host.notes for number, one in spared.items()}
        noted = {key: replace(host, notes=notes.get(key, host.notes)) for key, host in swept.hosts.items()}
        return replace(swept, hosts=noted)

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


def _plan_of(host: FleetHost) -> Plan:
    return read_document(bytes(host.document), Plan, host.name)
