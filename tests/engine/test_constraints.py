"""Constraints as swarmkit reads them."""

import pytest

from dockersweep.engine.jobs.constraints import allowed_by, parse_constraint
from dockersweep.errors import UsageError
from dockersweep.model.swarm import SwarmNode

NODE = SwarmNode(
    id="u0ke8cvkpspmccp4uyy5vccbf",
    hostname="Build1",
    address="10.0.3.7",
    role="worker",
    availability="active",
    state="ready",
    state_message="",
    labels={"disk": "large", "Zone": "a"},
    engine_labels={"gpu": "yes"},
    os="linux",
    architecture="x86_64",
)


@pytest.mark.parametrize(
    "text",
    [
        "node.role==worker",
        "node.role == WORKER ",
        "NODE.ROLE!=manager",
        "node.hostname==build1",
        "node.id==u0ke8cvkpspmccp4uyy5vccbf",
        "node.id!=other",
        "node.ip==10.0.3.7",
        "node.ip==10.0.0.0/16",
        "node.ip!=10.1.0.0/16",
        "node.platform.os==linux",
        "node.platform.arch!=aarch64",
        "node.labels.disk==Large",
        "node.labels.Zone==a",
        "node.labels.zone!=a",
        "Node.Labels.nothing!=x",
        "engine.labels.gpu==yes",
    ],
)
def test_a_node_meets_it(text: str) -> None:
    constraint = parse_constraint(text)
    assert allowed_by([constraint], [NODE]) == (NODE,)
    other = text.replace("==", "!=") if "==" in text else text.replace("!=", "==")
    assert allowed_by([constraint, parse_constraint(other)], [NODE]) == ()


@pytest.mark.parametrize("text", ["", "worker", "node.role=worker", "node.role==", "==worker", "node.role==a;b"])
def test_what_is_no_constraint_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="is not a constraint: write KEY==VALUE"):
        parse_constraint(text)


@pytest.mark.parametrize("text", ["node.rolle==worker", "labels.disk==large", "node.labels.==x"])
def test_a_key_that_no_node_has_is_told(text: str) -> None:
    """Swarm takes it, and starts nothing."""
    with pytest.raises(UsageError, match="has a key that swarms do not know"):
        parse_constraint(text)
