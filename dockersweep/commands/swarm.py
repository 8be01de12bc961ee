"""`dockersweep swarm`: a verb on every node of a swarm, as a global job."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dockersweep.commands.options import ScanOptions, SwarmOptions
from dockersweep.commands.write import Destination, write_aside
from dockersweep.errors import EngineError, UsageError

if TYPE_CHECKING:
    from dockersweep.commands.fleet.verb_parts import VerbParts
    from dockersweep.commands.swarming.job import NodeJobs
    from dockersweep.commands.swarming.signals import JobSignals
    from dockersweep.commands.swarming.sweep import Swept
    from dockersweep.engine.api.swarm_jobs import SwarmJobs
    from dockersweep.model.fleet import Fleet
    from dockersweep.model.swarm import SwarmNode

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
    if options.verb == "sweep":
        from dockersweep.commands.swarming.sweep import require_yes_or_terminal

        require_yes_or_terminal(options)
    from dockersweep.commands.fleet.verb_parts import parts_of

    parts = replace(parts_of(options.on_node), detail=options.detail)
    Destination(options.output.path).check()
    from dockersweep.commands.swarming.signals import KILLED_BY, JobSignals

    with JobSignals() as signals:
        try:
            fleet = _fleet(options, options.image, signals)
        except KeyboardInterrupt:
            if signals.signal in (None, signal.SIGINT):
                raise
            write_aside("dockersweep: interrupted")
            return KILLED_BY + (signals.signal or 0)
    _write(fleet, parts)
    return fleet.exit_status if signals.signal is None else KILLED_BY + signals.signal


def _fleet(options: SwarmOptions, image: str, signals: "JobSignals") -> "Fleet":
    from dockersweep.commands.swarming.job import NodeJobs
    from dockersweep.commands.swarming.policy import NodePolicy, policy_for_nodes
    from dockersweep.engine.jobs.constraints import allowed_by, parse_constraint
    from dockersweep.fleet.folding import fold

    constraints = [parse_constraint(text) for text in options.constraints]
    on_node = options.on_node
    policy = NodePolicy() if isinstance(on_node, ScanOptions) else policy_for_nodes(on_node.policy)
    started = datetime.now(UTC)
    with _manager(options) as calls:
        nodes = allowed_by(constraints, calls.nodes())
        if not nodes:
            raise UsageError("no node of the swarm meets all of --constraint; `docker node ls` lists the nodes")
        jobs = NodeJobs(calls, options, image, policy, nodes)
        jobs.remove_leftovers()
        came = _came_of(jobs, nodes, options, signals)
    ids = [node.id for node in nodes]
    hosts = [came.hosts.get(node.id) or jobs.without_task(node) for node in nodes]
    # Nodes that have joined since.
    hosts += [host for node_id, host in came.hosts.items() if node_id not in ids]
    return fold(options.verb, hosts, started, datetime.now(UTC), options.allow_unreached, came.rollout)


def _came_of(jobs: "NodeJobs", nodes: Sequence["SwarmNode"], options: SwarmOptions, signals: "JobSignals") -> "Swept":
    from dockersweep.commands.swarming.sweep import NodeSweep, Swept

    ready = [node for node in nodes if node.takes_tasks]
    if options.verb == "sweep":
        silent = [jobs.without_task(node) for node in nodes if not node.takes_tasks]
        sweep = NodeSweep(jobs, ready, silent, options, signals)
        # Volumes that several nodes may have go only where none of them keeps them: then the plans come first.
        return sweep.unattended() if options.yes and not jobs.may_remove_shareable else sweep.planned_first()
    from dockersweep.commands.swarming.job import is_looked_at

    return Swept(jobs.run(ready, "nodes", flags=("--is-looked-at",) if is_looked_at() else ()), None)


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


def _write(fleet: "Fleet", parts: "VerbParts") -> None:
    from dockersweep.commands.fleet.host_process import document_path
    from dockersweep.commands.fleet.private_folder import private_folder
    from dockersweep.commands.fleet.writing import write_fleet
    from dockersweep.commands.fleet.written_fleet import WrittenFleet
    from dockersweep.model.fleet import without_document

    with private_folder() as folder:
        for number, host in enumerate(fleet.hosts):
            if bytes(host.document) != b"null":
                with open(document_path(folder, number), "wb") as file:
                    file.write(bytes(host.document))
        hosts = tuple(without_document(host) for host in fleet.hosts)
        write_fleet(WrittenFleet(replace(fleet, hosts=hosts), folder), parts)
