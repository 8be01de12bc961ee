"""The policy in force here, for the nodes of a swarm: they get it as a config object."""

import os
import shlex

from dockersweep.commands.policy_source import LARGEST_BYTES, find_policy, readable, source_of
from dockersweep.commands.trusted_file import read_trusted
from dockersweep.engine.api.swarm_jobs import LARGEST_CONFIG_BYTES
from dockersweep.errors import PolicyError


def policy_for_nodes(named: str | None) -> bytes | None:
    """Return the text of the policy file in force; None for the default policy.

    `named` is the value of --policy. Raises PolicyError where it is invalid, or no node could follow it.
    """
    path = find_policy(named, os.environ)
    if path is None:
        return None
    from dockersweep.policy.language.reading import read_policy_file

    text = read_trusted(path, "policy file", LARGEST_BYTES, PolicyError)
    source = source_of(path)
    policy = read_policy_file(text, source).valid_policy(f"dockersweep policy check {shlex.quote(readable(path))}")
    if policy.protections.name_files:
        raise PolicyError(
            f"{source} names files of this machine ([protect] compose_files or quadlets), "
            "which the nodes of a swarm do not have: give another one with --policy"
        )
    if len(text) > LARGEST_CONFIG_BYTES:
        raise PolicyError(f"{source} is larger than the 500 kB that a config of a swarm may have")
    return text
