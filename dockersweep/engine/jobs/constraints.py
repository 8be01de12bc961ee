"""Which nodes the constraints of a service allow, as swarmkit reads them (manager/constraint/constraint.go).

The swarm decides by itself. This tells which nodes it leaves out because they are down or drained, and not because of a
constraint.
"""

import ipaddress
import re
from collections.abc import Iterable

from msgspec import Struct

from dockersweep.errors import UsageError
from dockersweep.model.swarm import SwarmNode

_CONSTRAINT = re.compile(r"\s*([a-z_][a-z0-9_.-]+)\s*(==|!=)\s*([a-z0-9:_\s.*()?+\[\]\\^$|/-]+)", re.IGNORECASE)
_NODE_LABELS, _ENGINE_LABELS = "node.labels.", "engine.labels."
KEYS = ("node.id", "node.hostname", "node.ip", "node.role", "node.platform.os", "node.platform.arch")


class Constraint(Struct, frozen=True):
    """One condition: a key, "==" or "!=", and a value."""

    key: str
    operator: str
    value: str

    def allows(self, node: SwarmNode) -> bool:
        """Return whether a node meets it."""
        if self.key == "node.ip":
            is_equal = _is_in(node.address, self.value)
        else:
            is_equal = _value(self.key, node).casefold() == self.value.casefold()
        return is_equal == (self.operator == "==")


def parse_constraint(text: str) -> Constraint:
    """Read a constraint. Raises UsageError where it cannot be read, or has a key that no node can meet."""
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        raise UsageError(f'"{text}" is not a constraint: write KEY==VALUE or KEY!=VALUE, like node.role==worker')
    key, operator, value = match[1], match[2], match[3].strip()
    for prefix in (_NODE_LABELS, _ENGINE_LABELS):
        # The name of a label is as it is written; all other keys are in any case.
        if key.lower().startswith(prefix) and len(key) > len(prefix):
            return Constraint(prefix + key[len(prefix) :], operator, value)
    if key.lower() not in KEYS:
        known = ", ".join((*KEYS, f"{_NODE_LABELS}NAME", f"{_ENGINE_LABELS}NAME"))
        raise UsageError(f'the constraint "{text}" has a key that swarms do not know: there are {known}')
    return Constraint(key.lower(), operator, value)


def allowed_by(constraints: Iterable[Constraint], nodes: Iterable[SwarmNode]) -> tuple[SwarmNode, ...]:
    """Return the nodes that meet all constraints."""
    wanted = tuple(constraints)
    return tuple(node for node in nodes if all(constraint.allows(node) for constraint in wanted))


def _value(key: str, node: SwarmNode) -> str:
    if key.startswith(_NODE_LABELS):
        return node.labels.get(key.removeprefix(_NODE_LABELS), "")
    if key.startswith(_ENGINE_LABELS):
        return node.engine_labels.get(key.removeprefix(_ENGINE_LABELS), "")
    values = {
        "node.id": node.id,
        "node.hostname": node.hostname,
        "node.role": node.role,
        "node.platform.os": node.os,
        "node.platform.arch": node.architecture,
    }
    return values[key]


def _is_in(address: str | None, value: str) -> bool:
    """Return whether an address is this one, or in this subnet."""
    try:
        return address is not None and ipaddress.ip_address(address) in ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
