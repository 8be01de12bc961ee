"""`apply` of the plans of several hosts, as `plan` on these wrote them."""

import os
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.commands.fleet.asking import PlannedHosts
from dockersweep.commands.fleet.ending import exit_status
from dockersweep.commands.fleet.fleet_hosts import NamedHosts, fleet_hosts
from dockersweep.commands.fleet.host_process import document_path
from dockersweep.commands.fleet.hosts_at_work import HostsAtWork
from dockersweep.commands.fleet.policies import with_policies
from dockersweep.commands.fleet.private_folder import private_folder
from dockersweep.commands.fleet.sparing import spare_shared
from dockersweep.commands.fleet.verb_parts import parts_of
from dockersweep.commands.fleet.writing import write_fleet
from dockersweep.commands.fleet.written_fleet import WrittenFleet
from dockersweep.commands.gather import LARGEST_DOCUMENT_BYTES
from dockersweep.commands.options import ApplyOptions, EngineOptions
from dockersweep.commands.running.permission import can_ask
from dockersweep.commands.trusted_file import read_trusted
from dockersweep.commands.write import Destination
from dockersweep.errors import DocumentError, RefusedError, UsageError
from dockersweep.fleet.folding import ERROR, fold
from dockersweep.fleet.hosts import Host, Hosts
from dockersweep.fleet.sums import sums_of
from dockersweep.model.documents import is_of_several, read_document
from dockersweep.model.engine_address import tls_flags_of
from dockersweep.model.fleet import Fleet, FleetHost
from dockersweep.model.naming import engine_identity
from dockersweep.model.plan import Plan
from dockersweep.words.lists import first_of

_MOST_NAMES = 10


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

    `hosts` each get the plan of their name or address; None is for all of the document, where it says that they are, or
    for the one that --host or --context names. Raises DocumentError for a document that holds no plans, or two of one
    name.
    """
    parts = parts_of(options)
    Destination(parts.output.path).check()
    saved_hosts = _read(data, where)
    if not (options.run.yes or can_ask()):
        raise RefusedError("there is no terminal to ask on; give --yes to carry out the plans of several hosts")
    if hosts is None and options.run.engine.names_engine:
        hosts = _named_by_flags(options.run.engine)
    if hosts is None:
        seconds = options.run.engine.connect_timeout_seconds
        hosts = Hosts(hosts=tuple(_host_of(saved, where) for saved in saved_hosts), connect_timeout_seconds=seconds)
    parts = with_policies(parts, hosts)
    chosen = [_saved_of(host, saved_hosts, where) for host in hosts.hosts]
    begun = datetime.now(UTC)
    with (
        private_folder() as folder,
        private_folder() as saved,
        HostsAtWork(hosts.parallel, parts.engine.shows_progress) as at_work,
    ):
        planned = PlannedHosts(spare_shared(_saved_in(saved, chosen), saved), saved, hosts)
        planned.refuse_by_rollout()
        if planned.going and not options.run.yes:
            planned.ask("apply", begun, at_work, parts.detail)
        confirmed = replace(options, run=replace(options.run, yes=True))
        carried = planned.carry_out(parts, confirmed, folder, where, at_work)
        results = [carried.hosts[number] for number in range(len(hosts.hosts))]
        done = fold("apply", results, begun, datetime.now(UTC), allow_unreached, carried.rollout)
        write_fleet(WrittenFleet(done, folder), parts)
    return exit_status(done, at_work)


class _Saved(Struct, frozen=True):
    """A host of the document, and its plan; None for none."""

    host: FleetHost
    plan: Plan | None


def _read(data: bytes, where: str) -> list[_Saved]:
    fleet = read_document(data, Fleet, where)
    names = Counter(host.name for host in fleet.hosts)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise DocumentError(f"{where} has {names[twice[0]]} hosts called {twice[0]}: it is not as it was written")
    saved = [_Saved(host, _plan_of(host, f"{where}, host {host.name}")) for host in fleet.hosts]
    if not any(of_host.plan for of_host in saved):
        raise DocumentError(f"{where} holds no plans: make one by `dockersweep plan` with several hosts")
    return saved


def _plan_of(host: FleetHost, where: str) -> Plan | None:
    data = bytes(host.document)
    return None if data == b"null" else read_document(data, Plan, where)


def _named_by_flags(engine: EngineOptions) -> Hosts:
    """Return the one host that --host or --context names."""
    named = NamedHosts(
        hosts=() if engine.host is None else (engine.host,),
        contexts=() if engine.context is None else (engine.context,),
        tls=engine.tls,
    )
    hosts = fleet_hosts(named, os.environ)
    return replace(hosts, connect_timeout_seconds=engine.connect_timeout_seconds)


def _saved_of(host: Host, saved_hosts: Sequence[_Saved], where: str) -> _Saved:
    """Return what the document has for a host: of its name, else of its address."""
    of_name = [saved for saved in saved_hosts if saved.host.name == host.name]
    matching = of_name or [saved for saved in saved_hosts if saved.host.address == host.address]
    if not matching:
        there_are = first_of([saved.host.name for saved in saved_hosts], _MOST_NAMES)
        raise UsageError(f"{where} has no plan for {host.name}: it has those of {there_are}")
    return matching[0]


def _host_of(saved: _Saved, where: str) -> Host:
    if saved.host.swarm_node_id is not None:
        raise UsageError(
            f"{where} holds plans of the nodes of a swarm, and not how to reach these: take `dockersweep swarm sweep`, "
            "or name their engines by -H or --fleet"
        )
    if saved.plan is None:
        return Host(name=saved.host.name, host=saved.host.address, groups=saved.host.groups)
    engine = saved.plan.engine
    context = engine.context_flag
    return Host(
        name=saved.host.name,
        host=engine.endpoint if context is None else None,
        context=context,
        groups=saved.host.groups,
        tls=tls_flags_of(engine.tls_flags),
    )


def _saved_in(folder: str, chosen: Sequence[_Saved]) -> list[FleetHost]:
    """Write the plans to files of a folder, and return their hosts, made anew: a file may say anything."""
    hosts = []
    for number, saved in enumerate(chosen):
        if saved.plan is not None:
            with open(document_path(folder, number), "wb") as file:
                file.write(bytes(saved.host.document))
        hosts.append(_made_anew(saved))
    return hosts


def _made_anew(saved: _Saved) -> FleetHost:
    host, plan = saved.host, saved.plan
    made = FleetHost(name=host.name, address=host.address, groups=host.groups, status="done", exit_status=0)
    if plan is None:
        is_failure = host.status in ("not-reached", "failed", "refused")
        message = host.message or "the file has no plan for it"
        return replace(
            made,
            status=host.status if is_failure else "failed",
            exit_status=host.exit_status or ERROR,
            message=f"when the plans were made: {message}",
        )
    return replace(
        made,
        engine_id=plan.engine.id,
        engine_identity=engine_identity(plan.engine),
        policy_source=plan.policy.source,
        sums=sums_of(plan),
    )
