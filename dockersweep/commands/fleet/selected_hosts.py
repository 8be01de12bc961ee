"""The hosts that a command line selects, with what its flags say of how they are reached and swept."""

import os

from msgspec.structs import replace

from dockersweep.commands.fleet.fleet_hosts import NamedHosts, fleet_hosts
from dockersweep.commands.options import SeveralOptions
from dockersweep.fleet.hosts import Hosts, Rollout
from dockersweep.fleet.reading import failures_of
from dockersweep.fleet.selecting import Selection


def selected_hosts(several: SeveralOptions) -> Hosts:
    """Return the hosts; raises as `fleet_hosts`."""
    named = NamedHosts(
        hosts=several.hosts,
        contexts=several.contexts,
        all_contexts=several.all_contexts,
        fleet=several.fleet,
        tls=several.tls,
        selection=Selection(groups=several.group, only=several.only, without=several.but),
    )
    hosts = fleet_hosts(named, os.environ)
    return replace(
        hosts,
        parallel=several.parallel or hosts.parallel,
        connect_timeout_seconds=several.connect_timeout_seconds or hosts.connect_timeout_seconds,
        rollout=_rollout(several, hosts),
    )


def _rollout(several: SeveralOptions, hosts: Hosts) -> Rollout:
    """Return how the hosts are swept: the flags, else what the fleet file says."""
    rollout = hosts.rollout
    if several.canary is not None:
        rollout = replace(rollout, canary=several.canary)
    if several.max_failures is not None:
        rollout = replace(rollout, max_failures=failures_of(several.max_failures, len(hosts.hosts)))
    if several.splay_seconds is not None:
        rollout = replace(rollout, splay_seconds=several.splay_seconds)
    return rollout
