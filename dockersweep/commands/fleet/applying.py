"""`apply` of the plans of several hosts, as `plan` on these wrote them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from dockersweep.commands.fleet.asking import PlannedHosts
from dockersweep.commands.fleet.ending import exit_status
from dockersweep.commands.fleet.host_process import document_path
from dockersweep.commands.fleet.hosts_at_work import HostsAtWork, private_folder
from dockersweep.commands.fleet.sparing import spare_shared
from dockersweep.commands.fleet.verb_parts import parts_of
from dockersweep.commands.fleet.writing import write_fleet
from dockersweep.commands.fleet.written_fleet import WrittenFleet
from dockersweep.commands.gather import LARGEST_DOCUMENT_BYTES
from dockersweep.commands.options import ApplyOptions
from dockersweep.commands.running.permission import can_ask
from dockersweep.commands.trusted_file import read_trusted
from dockersweep.commands.write import Destination
from dockersweep.errors import DocumentError, RefusedError, UsageError
from dockersweep.fleet.folding import fold
from dockersweep.fleet.hosts import Host, Hosts
from dockersweep.fleet.sums import sums_of
from dockersweep.model.documents import is_of_several, read_document
from dockersweep.model.engine_address import tls_flags_of
from dockersweep.model.fleet import Fleet, FleetHost, HostSums
from dockersweep.model.plan import Plan


def apply_to_hosts(options: ApplyOptions, hosts: Hosts, allow_unreached: int) -> int:
    """Carry out the plans of a file on the hosts that flags or a fleet file name; return the exit status."""
    data = read_trusted(options.plan, "plan", LARGEST_DOCUMENT_BYTES, DocumentError)
    if not is_of_several(data):
        raise UsageError(f"{options.plan} is the plan of one engine: name one host, or make a plan of all of them")
    return apply_fleet_plan(data, options.plan, options, hosts, allow_unreached)


def apply_fleet_plan(
    data: bytes, where: str, options: ApplyOptions, hosts: Hosts | None = None, allow_unreached: int = 0
) -> int:
    """Carry out the plans in a document of several hosts, read from `where`; return the exit status.

    `hosts` each get the plan of their name; None is for all of the document, where it says that they are. Raises
    DocumentError for a document that holds no plans.
    """
    parts = parts_of(options)
    Destination(parts.output.path).check()
    fleet = read_document(data, Fleet, where)
    plans = [_plan_of(host, f"{where}, host {host.name}") for host in fleet.hosts]
    if not any(plans):
        raise DocumentError(f"{where} holds no plans: make one by `dockersweep plan` with several hosts")
    if hosts is None and any(host.swarm_node_id is not None for host in fleet.hosts):
        raise UsageError(
            f"{where} holds plans of the nodes of a swarm, and not how to reach these: take `dockersweep swarm sweep`, "
            "or name their engines by -H or --fleet"
        )
    if not (options.run.yes or can_ask()):
        raise RefusedError("there is no terminal to ask on; give --yes to carry out the plans of several hosts")
    if hosts is None:
        chosen = [(host, plan) for host, plan in zip(fleet.hosts, plans, strict=True) if plan is not None]
        hosts = Hosts(hosts=tuple(_host_of(host, plan) for host, plan in chosen))
    of_name = {host.name: (host, plan) for host, plan in zip(fleet.hosts, plans, strict=True)}
    missing = [host.name for host in hosts.hosts if host.name not in of_name]
    if missing:
        raise UsageError(f"{where} has no plan for {missing[0]}: it has those of {', '.join(list(of_name)[:10])}")
    begun = datetime.now(UTC)
    with (
        private_folder() as folder,
        private_folder() as saved,
        HostsAtWork(hosts.parallel, parts.engine.shows_progress) as at_work,
    ):
        of_hosts = _saved_in(saved, [of_name[host.name] for host in hosts.hosts])
        planned = PlannedHosts(spare_shared(of_hosts, saved), saved, hosts)
        planned.refuse_by_rollout()
        if planned.going and not options.run.yes:
            planned.ask("apply", fleet.finished_at, at_work, parts.detail)
        confirmed = replace(options, run=replace(options.run, yes=True))
        carried = planned.carry_out(parts, confirmed, folder, where, at_work)
        results = [carried.hosts[number] for number in range(len(hosts.hosts))]
        done = fold("apply", results, begun, datetime.now(UTC), allow_unreached, carried.rollout)
        write_fleet(WrittenFleet(done, folder), parts)
    return exit_status(done, at_work)


def _plan_of(host: FleetHost, where: str) -> Plan | None:
    data = bytes(host.document)
    return None if data == b"null" else read_document(data, Plan, where)


def _host_of(host: FleetHost, plan: Plan) -> Host:
    engine = plan.engine
    context = engine.context_flag
    return Host(
        name=host.name,
        host=engine.endpoint if context is None else None,
        context=context,
        groups=host.groups,
        tls=tls_flags_of(engine.tls_flags),
    )


def _saved_in(folder: str, chosen: Sequence[tuple[FleetHost, Plan | None]]) -> list[FleetHost]:
    """Write the plans to files of a folder, and return their hosts, summed up anew: a file may say anything."""
    hosts = []
    for number, (host, plan) in enumerate(chosen):
        if plan is not None:
            with open(document_path(folder, number), "wb") as file:
                file.write(bytes(host.document))
        hosts.append(replace(host, sums=HostSums() if plan is None else sums_of(plan)))
    return hosts
