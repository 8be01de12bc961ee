"""The policies of hosts, each read once."""

from collections.abc import Iterable

from msgspec.structs import replace

from dockersweep.commands.fleet.host_options import policy_path
from dockersweep.commands.gather import gather_policy
from dockersweep.commands.options import PolicyOptions
from dockersweep.fleet.hosts import Host
from dockersweep.model.policy import Policy


def policies_of(hosts: Iterable[Host], options: PolicyOptions) -> dict[str | None, Policy]:
    """Return path -> the policy in force there, with the changes of the flags; the path is None where the usual files
    are looked for. Raises PolicyError for the first that does not hold."""
    paths = dict.fromkeys(policy_path(host, options) for host in hosts)
    return {path: gather_policy(replace(options, path=path)) for path in paths}
