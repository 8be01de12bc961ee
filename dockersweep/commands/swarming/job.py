"""Jobs of `swarm`: each created with its policy, waited for, and removed, whatever happens."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from msgspec.structs import replace

from dockersweep.commands.options import SwarmOptions
from dockersweep.commands.progress import show_progress
from dockersweep.commands.swarming.hosts import host_of, host_without_task, names_of
from dockersweep.commands.swarming.kept_plan import SHOWN_PATH, ShownPlans
from dockersweep.commands.swarming.policy import NodePolicy
from dockersweep.commands.swarming.run_id import forget, forget_all_over, held, is_over, new_run
from dockersweep.commands.write import write_aside
from dockersweep.engine.api.swarm_jobs import RUN_LABEL, SECONDS_LABEL, ConfigFile, JobSpec, SwarmJobs
from dockersweep.engine.jobs.leftovers import remove_leftovers, remove_run
from dockersweep.engine.jobs.watching import JobLimits, Watch
from dockersweep.errors import EngineError
from dockersweep.model.fleet import FleetHost
from dockersweep.model.swarm import SwarmNode

SOCKET = "/var/run/docker.sock"
"""Of the engine, on every node."""
STATE_FOLDER = "/var/lib/dockersweep"
POLICY_PATH = "/etc/dockersweep/dockersweep.toml"
STOP_SECONDS = 120.0
"""How long a node may take to finish what it has begun, where its task is ended."""
ENDING_SECONDS = 600
"""How long after its time-out a run may still be about to end."""


class NodeJobs:
    """Runs verbs on nodes of a swarm, one job at a time."""

    def __init__(
        self,
        calls: SwarmJobs,
        options: SwarmOptions,
        image: str,
        policy: NodePolicy,
        allowed: Sequence[SwarmNode],
    ) -> None:
        """`allowed` are the nodes that meet the constraints."""
        self._calls = calls
        self._options = options
        self._image = image
        self._policy = policy.text
        self._digest = policy.digest
        self.may_remove_shareable = policy.may_remove_shareable
        self._allowed = allowed
        self.names = names_of(allowed)
        """The names of the nodes by their ids."""

    def remove_leftovers(self) -> None:
        """Remove the services and configs of runs that were killed."""
        self._calls.set_clock()
        removed = remove_leftovers(self._calls, is_over, self._calls.clock)
        forget_all_over()
        if removed:
            write_aside("dockersweep: removed what an earlier run that was killed had left in the swarm")

    def run(
        self, nodes: Sequence[SwarmNode], what: str, run: str | None = None, flags: Sequence[str] = (),
        shown: ShownPlans | None = None,
    ) -> dict[str, FleetHost]:  # fmt: skip
        """Run the verb on these nodes, and return what came of it by the ids of the nodes.

        `what` is what the progress calls it, `run` the id of the job, `flags` what its tasks are told besides, `shown`
        the plans that they may carry out. Raises UsageError for an image or a constraint that the swarm does not take,
        EngineError where the manager is lost.
        """
        if not nodes:
            return {}
        run, options = run or new_run(), self._options
        limits = JobLimits(
            timeout_seconds=options.timeout_seconds, engine_seconds=options.engine.engine_timeout_seconds
        )
        with held(run), self._removed_at_end(run):
            service = self._calls.create_job(self._spec(run, nodes, flags, shown))
            with show_progress(what, options.engine.shows_progress) as progress:
                answers = Watch(self._calls, service, run, nodes, limits).wait(progress)
        return {answer.node.id: self._named(host_of(answer)) for answer in answers}

    def without_task(self, node: SwarmNode) -> FleetHost:
        """Return the host of a node that gets no task."""
        return self._named(host_without_task(node))

    def _named(self, host: FleetHost) -> FleetHost:
        name = self.names.get(host.swarm_node_id or "", host.name)
        return replace(host, name=name, policy_sha256=self._digest)

    def _spec(self, run: str, nodes: Sequence[SwarmNode], flags: Sequence[str], shown: ShownPlans | None) -> JobSpec:
        labels = {RUN_LABEL: run, SECONDS_LABEL: str(int(self._options.timeout_seconds) + ENDING_SECONDS)}
        files = {
            POLICY_PATH: self._policy,
            SHOWN_PATH: None if shown is None else msgspec.json.encode(shown),
        }
        configs = []
        for number, (path, content) in enumerate(files.items()):
            if content is not None:
                name = f"dockersweep-{run}-{number}"
                configs.append(ConfigFile(self._calls.create_config(name, content, labels), name, path))
        policy = "default" if self._policy is None else POLICY_PATH
        words = (*self._options.words, *flags, "--policy", policy, "--format", "json", "--as-task", run)
        return JobSpec(
            name=f"dockersweep-{run}",
            labels=labels,
            image=self._image,
            arguments=words,
            constraints=self._constraints(nodes),
            socket=SOCKET,
            state_volume=self._options.volume,
            state_folder=STATE_FOLDER,
            configs=tuple(configs),
            user=self._options.user,
            groups=self._options.groups,
            stop_seconds=STOP_SECONDS,
        )

    def _constraints(self, nodes: Sequence[SwarmNode]) -> tuple[str, ...]:
        """Return the constraints that allow just these nodes, of those that take tasks: all of a job's must hold, so
        the others are named."""
        wanted = {node.id for node in nodes}
        if len(wanted) == 1:
            return (*self._options.constraints, f"node.id=={nodes[0].id}")
        others = [node.id for node in self._allowed if node.takes_tasks and node.id not in wanted]
        return (*self._options.constraints, *(f"node.id!={other}" for other in others))

    @contextmanager
    def _removed_at_end(self, run: str) -> Iterator[None]:
        try:
            yield
        finally:
            try:
                remove_run(self._calls, run)
                forget(run)
            except EngineError as error:
                left = f"the service dockersweep-{run} is left to the next run, as it cannot be removed"
                write_aside(f"dockersweep: {left}: {error}")


def is_looked_at() -> bool:
    """Whether a person at a terminal sees what comes of it."""
    return any(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
