"""Verbs that remove nothing, on several hosts: all at once."""

from collections.abc import Sequence
from datetime import UTC, datetime

from dockersweep.commands.fleet.ending import exit_status
from dockersweep.commands.fleet.host_options import HostVerbOptions
from dockersweep.commands.fleet.hosts_at_work import HostsAtWork
from dockersweep.commands.fleet.private_folder import private_folder
from dockersweep.commands.fleet.sparing import spare_shared
from dockersweep.commands.fleet.tasks import Run, tasks_of
from dockersweep.commands.fleet.verb_parts import VerbParts
from dockersweep.commands.fleet.writing import write_fleet
from dockersweep.commands.fleet.written_fleet import WrittenFleet
from dockersweep.errors import UnknownObjectError
from dockersweep.fleet.folding import fold
from dockersweep.fleet.hosts import Hosts
from dockersweep.model.fleet import FleetHost
from dockersweep.model.plan import Plan


def look_at_hosts(parts: VerbParts, options: HostVerbOptions, hosts: Hosts, run: Run, allow_unreached: int) -> int:
    """Carry out the verb on each host, and write what came of it; return the exit status."""
    begun = datetime.now(UTC)
    with (
        private_folder() as folder,
        HostsAtWork(hosts.parallel, parts.engine.shows_progress) as at_work,
    ):
        results = at_work.run(parts.name, tasks_of(hosts, parts, options, folder, run))
        if parts.summed is Plan:
            results = spare_shared(results, folder)
        fleet = fold(parts.name, results, begun, datetime.now(UTC), allow_unreached)
        if parts.name == "explain":
            _require_one(fleet.hosts)
        write_fleet(WrittenFleet(fleet, folder), parts)
    return exit_status(fleet, at_work)


def _require_one(hosts: Sequence[FleetHost]) -> None:
    """Raise UnknownObjectError if no host has the object that `explain` is asked for, and all were asked."""
    messages = [host.message for host in hosts if host.status == "done" and host.message is not None]
    if len(messages) == len(hosts):
        raise UnknownObjectError(f"on none of {len(hosts)} hosts: {messages[0]}")
