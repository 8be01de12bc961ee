"""The policy in force here, for the nodes of a swarm: they get it as a config object."""

import os
import shlex

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.commands.gather import gather_policy, policy_digest
from dockersweep.commands.options import PolicyOptions
from dockersweep.commands.policy_source import LARGEST_BYTES, NO_FILE, find_policy, readable, source_of
from dockersweep.commands.trusted_file import read_trusted
from dockersweep.commands.write import write_aside
from dockersweep.engine.api.swarm_jobs import LARGEST_CONFIG_BYTES
from dockersweep.errors import PolicyError
from dockersweep.fleet.shared_volumes import may_remove_shareable
from dockersweep.model.policy import Policy


class NodePolicy(Struct, frozen=True):
    """What the nodes get of the policy."""

    text: bytes | None = None
    """Of the policy file; None for the default policy."""
    digest: str | None = None
    """Of what it says with the changes of the flags; None for a verb without a policy."""
    may_remove_shareable: bool = False
    """Whether it may remove volumes that several nodes may have."""


def policy_for_nodes(options: PolicyOptions) -> NodePolicy:
    """Return the policy in force. Raises PolicyError where it is invalid, or no node could follow it, and UsageError
    where the flags do not fit it."""
    path = find_policy(options.path, os.environ)
    if path is None:
        return _node_policy(None, gather_policy(replace(options, path=NO_FILE)))
    from dockersweep.policy.language.flags import policy_from_flags
    from dockersweep.policy.language.reading import read_policy_file

    text = read_trusted(path, "policy file", LARGEST_BYTES, PolicyError)
    source = source_of(path)
    reading = read_policy_file(text, source)
    policy = reading.valid_policy(f"dockersweep policy check {shlex.quote(readable(path))}")
    if policy.protections.name_files:
        raise PolicyError(
            f"{source} names files of this machine ([protect] compose_files or quadlets), "
            "which the nodes of a swarm do not have: give another one with --policy"
        )
    if policy.notify is not None:
        from dockersweep.policy.language.toml_writing import written_toml

        # All who may look at the swarm's configs would see its passwords, and a node's container has no such program.
        text = written_toml({key: table for key, table in reading.tables.items() if key != "notify"}).encode()
        write_aside("note: the nodes tell nobody how it ended: [notify] does not go to them")
    if len(text) > LARGEST_CONFIG_BYTES:
        raise PolicyError(f"{source} is larger than the 500 kB that a config of a swarm may have")
    return _node_policy(text, policy_from_flags(options.flags, policy))


def _node_policy(text: bytes | None, policy: Policy) -> NodePolicy:
    return NodePolicy(text, policy_digest(policy), may_remove_shareable(policy))
