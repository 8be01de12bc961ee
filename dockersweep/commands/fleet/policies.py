"""The policies of hosts, each read once."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from dockersweep.commands.fleet.host_options import policy_path
from dockersweep.commands.fleet.verb_parts import VerbParts
from dockersweep.commands.gather import gather_policy
from dockersweep.commands.options import PolicyOptions
from dockersweep.errors import UsageError
from dockersweep.fleet.hosts import Host, Hosts
from dockersweep.model.policy import Policy
from dockersweep.words.lists import first_of

_MOST_NAMES = 5


def policies_of(hosts: Iterable[Host], options: PolicyOptions) -> dict[str | None, Policy]:
    """Return path -> the policy in force there, with the changes of the flags; the path is None where the usual files
    are looked for.

    Raises UsageError for --policy beside hosts that have a policy of their own, and for a policy that does not hold or
    does not go with the flags, with the hosts that have it.
    """
    names: dict[str | None, list[str]] = {}
    for host in hosts:
        if host.policy is not None and options.path is not None:
            raise UsageError(
                f"--policy would replace the policy that the fleet file has for {host.name}: leave it out, or leave "
                f"out that host with --not {host.name}"
            )
        names.setdefault(policy_path(host, options), []).append(host.name)
    return {path: _policy(replace(options, path=path), of_hosts) for path, of_hosts in names.items()}


def with_policies(parts: VerbParts, hosts: Hosts) -> VerbParts:
    """Return the parts of a verb with the policies of its hosts; raises as `policies_of`."""
    return parts if parts.policy is None else replace(parts, policies=policies_of(hosts.hosts, parts.policy))


def _policy(options: PolicyOptions, hosts: Sequence[str]) -> Policy:
    try:
        return gather_policy(options)
    except UsageError as error:
        raise UsageError(f"for {first_of(hosts, _MOST_NAMES)}: {error}") from None
