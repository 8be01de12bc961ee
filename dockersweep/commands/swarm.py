"""`dockersweep swarm`: a verb on every node of a swarm, as a global job."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dockersweep.commands.options import SwarmOptions
from dockersweep.commands.write import Destination
from dockersweep.errors import EngineError, UsageError
from dockersweep.model.fleet import Fleet

if TYPE_CHECKING:
    from dockersweep.engine.api.swarm_jobs import SwarmJobs

NO_REMOVALS_SECONDS = 0.0


def run(options: SwarmOptions) -> int:
    """Run the verb on the nodes, write what they answered, and return the worst exit status."""
    if options.as_task is not None:
        from dockersweep.commands.swarming.task import run_as_task

        return run_as_task(options, options.as_task)
    if options.image is None:
        raise UsageError(
            "give --image: the image of dockersweep that every node has, or can pull; "
            "share/container/Containerfile in its sources builds one"
        )
    destination = Destination(options.output.path)
    destination.check()
    fleet = _fleet(options, options.image)
    destination.write(_text(fleet, options))
    return fleet.exit_status


def _fleet(options: SwarmOptions, image: str) -> Fleet:
    from dockersweep.commands.swarming.hosts import folded, host_of, unreached
    from dockersweep.commands.swarming.job import SwarmJob
    from dockersweep.commands.swarming.policy import policy_for_nodes
    from dockersweep.engine.jobs.constraints import allowed_by, parse_constraint

    constraints = [parse_constraint(text) for text in options.constraints]
    policy = policy_for_nodes(options.policy)
    started = datetime.now(UTC)
    with _manager(options) as calls:
        nodes = allowed_by(constraints, calls.nodes())
        if not nodes:
            raise UsageError("no node of the swarm meets all of --constraint; `docker node ls` lists the nodes")
        job = SwarmJob(calls, options, image, policy)
        job.remove_leftovers()
        answers = job.run([node for node in nodes if node.takes_tasks])
    hosts = {answer.node.id: host_of(answer) for answer in answers}
    return folded(options.verb, [hosts.get(node.id) or unreached(node) for node in nodes], started)


@contextmanager
def _manager(options: SwarmOptions) -> Iterator["SwarmJobs"]:
    """Connect to the engine. Raises UsageError where it is no manager of a swarm."""
    from dockersweep.engine.api.connection import Connection
    from dockersweep.engine.api.endpoint import resolve_endpoint
    from dockersweep.engine.api.swarm_jobs import SwarmJobs

    engine = options.engine
    endpoint = resolve_endpoint(engine.host, engine.context, os.environ, engine.tls)
    connection = Connection(endpoint, engine.engine_timeout_seconds)
    try:
        calls = SwarmJobs(connection, NO_REMOVALS_SECONDS)
        if calls.swarm_role != "manager":
            is_in = "is a worker of a swarm" if calls.swarm_role == "worker" else "is in no swarm"
            if calls.swarm_role == "unknown":
                is_in = "is in a swarm, but locked or not working"
            raise UsageError(
                f"the engine at {endpoint.url} {is_in}: run it on a manager, or name one, like -H ssh://root@manager"
            )
        if not calls.quirks.has_swarm_jobs:
            raise EngineError(
                f"the engine at {endpoint.url} is Docker {calls.quirks.version}, which has no jobs in swarms: "
                "update the managers to Docker 20.10 or newer"
            )
        yield calls
    finally:
        connection.close()


def _text(fleet: Fleet, options: SwarmOptions) -> str:
    from dockersweep.words.documents import write_document

    return write_document(fleet)
