"""A verb on several hosts: on each as on it alone, side by side; then one document of all."""

import os
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from dockersweep.commands.fleet.host_options import HostVerbOptions
from dockersweep.commands.fleet.looking import look_at_hosts
from dockersweep.commands.fleet.policies import with_policies
from dockersweep.commands.fleet.preloading import preload
from dockersweep.commands.fleet.selected_hosts import selected_hosts
from dockersweep.commands.fleet.verb_parts import parts_of
from dockersweep.commands.options import ApplyOptions, HistoryOptions, Options, SeveralOptions, SweepOptions
from dockersweep.commands.write import Destination
from dockersweep.errors import UsageError
from dockersweep.fleet.hosts import Hosts


def run_on_hosts(options: Options, several: SeveralOptions, run: Callable[[Any], int]) -> int:
    """Carry out a verb on several hosts, and write what became of it; return the worst exit status.

    `run` carries it out on one engine. Raises UsageError, before any host is asked, for what does not go with several.
    """
    if isinstance(options, HistoryOptions):
        return run(replace(options, endpoints=_endpoints(selected_hosts(several))))
    assert isinstance(options, HostVerbOptions)
    parts = parts_of(options)
    if several.fleet is not None and _is_same_file(several.fleet, parts.output.path):
        raise UsageError(f"--fleet and --output both name {several.fleet}: the result would replace the fleet file")
    Destination(parts.output.path).check()
    hosts = selected_hosts(several)
    parts = with_policies(parts, hosts)
    preload(parts.name, hosts.hosts)
    if isinstance(options, ApplyOptions):
        from dockersweep.commands.fleet.applying import apply_to_hosts

        return apply_to_hosts(options, hosts, several.allow_unreached)
    if isinstance(options, SweepOptions) and not options.dry_run:
        from dockersweep.commands.fleet.sweeping import sweep_hosts

        return sweep_hosts(parts, options, hosts, run, several.allow_unreached)
    return look_at_hosts(parts, options, hosts, run, several.allow_unreached)


def _is_same_file(fleet: str, output: str | None) -> bool:
    return output not in (None, "-") and os.path.realpath(fleet) == os.path.realpath(output or "")


def _endpoints(hosts: Hosts) -> tuple[str, ...]:
    from dockersweep.engine.api.endpoint import resolve_endpoint

    return tuple(resolve_endpoint(host.host, host.context, os.environ, host.tls).url for host in hosts.hosts)
