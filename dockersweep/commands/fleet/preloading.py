"""Imports what the process of each host needs, once, before the first is forked: each would import it anew."""

import os
from collections.abc import Iterable, Iterator
from importlib import import_module

from dockersweep.engine.api.endpoint import Endpoint, resolve_endpoint
from dockersweep.fleet.hosts import Host
from dockersweep.model.fleet import FleetVerb

_OF_ALL = (
    "dockersweep.engine.api.client",
    "dockersweep.engine.api.connection",
    "dockersweep.engine.api.translate",
    "dockersweep.engine.reading.events",
    "dockersweep.engine.reading.own_folders",
    "dockersweep.engine.reading.scanner",
    "dockersweep.engine.reading.uses",
    "dockersweep.ledger",
    "dockersweep.policy.bytes.layer_holders",
    "dockersweep.words.documents",
)
_OF_REMOVALS = ("dockersweep.commands.running.opening", "dockersweep.commands.running.rounds")
_REMOVING: tuple[FleetVerb, ...] = ("sweep", "apply")
_OF_TABLES = ("dockersweep.report.formats.table", "tabulate")
_OF_NEAR = (
    "dockersweep.engine.disk.ahead",
    "dockersweep.engine.disk.container_records",
    "dockersweep.engine.disk.graphdriver",
    "dockersweep.engine.disk.image_mounts",
    "dockersweep.engine.disk.own_process",
    "dockersweep.engine.reading.measured_sizes",
    "dockersweep.engine.reading.recorded_containers",
)
"""For engines on this machine, whose folder is read."""
_OF_TLS = ("dockersweep.engine.api.tls_transport",)
_OF_SSH = ("dockersweep.engine.api.ssh_transport",)


def preload(verb: FleetVerb, hosts: Iterable[Host]) -> None:
    """Import what a verb needs on each of these hosts."""
    names = [*_OF_ALL, *(_OF_REMOVALS if verb in _REMOVING else ())]
    for host in hosts:
        names += _of_endpoint(resolve_endpoint(host.host, host.context, os.environ, host.tls))
    for name in dict.fromkeys(names):
        import_module(name)


def import_for_tables() -> None:
    """Import what lays out tables, which takes long, while the hosts are at work."""
    for name in _OF_TABLES:
        import_module(name)


def _of_endpoint(endpoint: Endpoint) -> Iterator[str]:
    if endpoint.socket is not None:
        yield from _OF_NEAR
    if endpoint.tls is not None:
        yield from _OF_TLS
    if endpoint.ssh is not None:
        yield from _OF_SSH
