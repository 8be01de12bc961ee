"""The nodes of a swarm as hosts of a fleet."""

from collections import Counter
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from dockersweep.engine.jobs.watching import NodeAnswer
from dockersweep.fleet.folding import ERROR, UNREACHED
from dockersweep.model.fleet import FleetHost
from dockersweep.model.swarm import SwarmNode

_AVAILABILITY = {"drain": "drained", "pause": "paused"}
_ID_SHOWN = 12


def names_of(nodes: Iterable[SwarmNode]) -> dict[str, str]:
    """Return the names of nodes by their ids: the host name, and where several have it the beginning of the id too."""
    listed = tuple(nodes)
    counts = Counter(node.hostname for node in listed)
    return {
        node.id: node.hostname if counts[node.hostname] == 1 else f"{node.hostname} ({node.id[:_ID_SHOWN]})"
        for node in listed
    }


def host_of(answer: NodeAnswer) -> FleetHost:
    """Return the host that a node's answer tells of; one without a valid answer is not reached, or has failed."""
    node = answer.node
    if answer.document is None:
        return _without_document(answer)
    try:
        host = msgspec.json.decode(answer.document, type=FleetHost)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        problem = f"its answer cannot be read: {error}; is its image of another version?"
        return replace(_unreached(node, problem), status="failed", exit_status=ERROR, seconds=answer.seconds)
    return replace(host, name=node.hostname, address=node.address or "", swarm_node_id=node.id)


def host_without_task(node: SwarmNode) -> FleetHost:
    """Return the host of a node that the swarm gives no task now."""
    if node.state != "ready":
        return _unreached(node, f"it is {node.state}" + (f" ({node.state_message})" if node.state_message else ""))
    availability = _AVAILABILITY.get(node.availability, node.availability)
    return _unreached(node, f"it is {availability}: the swarm gives it no tasks")


def _without_document(answer: NodeAnswer) -> FleetHost:
    problem = f"it {answer.problem or 'did not answer'}"
    if answer.has_begun and not answer.has_crashed:
        problem += "; its container was running, and only the ledger on the node tells what it did"
    host = replace(_unreached(answer.node, problem), seconds=round(answer.seconds, 3))
    if not answer.has_begun:
        return host
    return replace(host, status="failed", exit_status=ERROR if answer.has_crashed else UNREACHED)


def _unreached(node: SwarmNode, why: str) -> FleetHost:
    return FleetHost(
        name=node.hostname,
        address=node.address or "",
        status="not-reached",
        swarm_node_id=node.id,
        exit_status=UNREACHED,
        message=why,
    )
