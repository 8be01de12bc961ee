"""The nodes of a swarm as hosts of a fleet."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from dockersweep.commands.options import SwarmVerb
from dockersweep.engine.jobs.watching import NodeAnswer
from dockersweep.errors import EngineError
from dockersweep.model.fleet import Fleet, FleetHost, FleetSums
from dockersweep.model.plan import Interval
from dockersweep.model.swarm import SwarmNode

_AVAILABILITY = {"drain": "drained", "pause": "paused"}


def host_of(answer: NodeAnswer) -> FleetHost:
    """Return the host that a node's answer tells of; one without a valid answer is not reached, or has failed."""
    if answer.document is None:
        problem = answer.problem or "did not answer"
        status = 1 if answer.has_begun else EngineError.exit_status
        return _without_document(answer.node, f"it {problem}", status, answer.seconds)
    try:
        host = msgspec.json.decode(answer.document, type=FleetHost)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        problem = f"its answer cannot be read: {error}; is its image of another version?"
        return _without_document(answer.node, problem, 1, answer.seconds)
    return replace(
        host,
        name=answer.node.hostname,
        address=answer.node.address or "",
        swarm_node_id=answer.node.id,
        seconds=answer.seconds,
    )


def unreached(node: SwarmNode) -> FleetHost:
    """Return the host of a node that gets no task now."""
    if node.state != "ready":
        why = f"it is {node.state}" + (f" ({node.state_message})" if node.state_message else "")
    else:
        why = f"it is {_AVAILABILITY.get(node.availability, node.availability)}: the swarm gives it no tasks"
    return _without_document(node, why, EngineError.exit_status, None)


def _without_document(node: SwarmNode, why: str, status: int, seconds: float | None) -> FleetHost:
    return FleetHost(
        name=node.hostname,
        address=node.address or "",
        status="not-reached" if status == EngineError.exit_status else "failed",
        swarm_node_id=node.id,
        exit_status=status,
        message=why,
        seconds=seconds,
    )


def folded(verb: SwarmVerb, hosts: Sequence[FleetHost], started: datetime) -> Fleet:
    """Return the document."""
    return Fleet(
        schema="dockersweep.fleet/1",
        verb=verb,
        started_at=started,
        finished_at=datetime.now(UTC),
        exit_status=max(host.exit_status or 0 for host in hosts),
        hosts=tuple(hosts),
        sums=FleetSums(hosts={}, engines=0, freed={}, total=Interval(low_bytes=0, high_bytes=0), used_bytes=None),
    )
