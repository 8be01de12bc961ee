"""The digests of the policies that hosts have, each policy read once."""

from collections.abc import Iterable

from msgspec.structs import replace

from dockersweep.commands.fleet.host_options import policy_path
from dockersweep.commands.gather import gather_policy, policy_digest
from dockersweep.commands.options import PolicyOptions
from dockersweep.fleet.hosts import Host


def policy_digests(hosts: Iterable[Host], options: PolicyOptions) -> dict[str | None, str]:
    """Return path -> digest of the policy in force there, with the changes of the flags; the path is None where the
    usual files are looked for. Raises PolicyError for the first that does not hold."""
    paths = dict.fromkeys(policy_path(host, options) for host in hosts)
    return {path: policy_digest(gather_policy(replace(options, path=path))) for path in paths}
