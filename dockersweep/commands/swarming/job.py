"""A job of `swarm`: created with its policy, waited for, and removed, whatever happens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dockersweep.commands.options import SwarmOptions
from dockersweep.commands.progress import show_progress
from dockersweep.commands.swarming.run_id import forget, held, is_over, new_run
from dockersweep.commands.write import write_aside
from dockersweep.engine.api.swarm_jobs import RUN_LABEL, SECONDS_LABEL, ConfigFile, JobSpec, SwarmJobs
from dockersweep.engine.jobs.leftovers import remove_leftovers, remove_run
from dockersweep.engine.jobs.watching import JobLimits, NodeAnswer, Watch
from dockersweep.errors import EngineError
from dockersweep.model.swarm import SwarmNode

SOCKET = "/var/run/docker.sock"
"""Of the engine, on every node."""
STATE_FOLDER = "/var/lib/dockersweep"
POLICY_PATH = "/etc/dockersweep/dockersweep.toml"
STOP_SECONDS = 120.0
"""How long a node may take to finish what it has begun, where its task is ended."""
ENDING_SECONDS = 600
"""How long after its time-out a run may still be about to end."""


class SwarmJob:
    """Runs one verb on nodes of a swarm."""

    def __init__(self, calls: SwarmJobs, options: SwarmOptions, image: str, policy: bytes | None) -> None:
        """`policy` is the text of a policy file; None for the default policy."""
        self._calls = calls
        self._options = options
        self._image = image
        self._policy = policy

    def remove_leftovers(self) -> None:
        """Remove the services and configs of runs that were killed."""
        self._calls.set_clock()
        removed = remove_leftovers(self._calls, is_over, self._calls.clock)
        for run in removed:
            forget(run)
        if removed:
            write_aside("dockersweep: removed the service of an earlier run that was killed")

    def run(self, nodes: Sequence[SwarmNode]) -> tuple[NodeAnswer, ...]:
        """Return what came of the verb on each node that takes tasks. Raises EngineError where the manager is lost."""
        if not nodes:
            return ()
        run, options = new_run(), self._options
        limits = JobLimits(
            timeout_seconds=options.timeout_seconds, engine_seconds=options.engine.engine_timeout_seconds
        )
        with held(run), self._removed_at_end(run):
            service = self._calls.create_job(self._spec(run))
            with show_progress("nodes", options.engine.shows_progress) as progress:
                return Watch(self._calls, service, run, nodes, limits).wait(progress, lambda: False)

    def _spec(self, run: str) -> JobSpec:
        labels = {RUN_LABEL: run, SECONDS_LABEL: str(int(self._options.timeout_seconds) + ENDING_SECONDS)}
        configs, policy = [], "default"
        if self._policy is not None:
            name, policy = f"dockersweep-{run}-policy", POLICY_PATH
            configs = [ConfigFile(self._calls.create_config(name, self._policy, labels), name, policy)]
        words = (*self._options.words, "--policy", policy, "--format", "json", "--as-task", run)
        return JobSpec(
            name=f"dockersweep-{run}",
            labels=labels,
            image=self._image,
            arguments=words,
            constraints=self._options.constraints,
            socket=SOCKET,
            state_volume=self._options.volume,
            state_folder=STATE_FOLDER,
            configs=tuple(configs),
            variables={},
            user=self._options.user,
            groups=self._options.groups,
            stop_seconds=STOP_SECONDS,
        )

    @contextmanager
    def _removed_at_end(self, run: str) -> Iterator[None]:
        try:
            yield
        finally:
            try:
                remove_run(self._calls, run)
            except EngineError as error:
                write_aside(
                    f"dockersweep: the next run removes the service dockersweep-{run}, as this one cannot: {error}"
                )
