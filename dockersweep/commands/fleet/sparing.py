"""Volumes that several hosts may have stay, where not all of these would remove them."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.commands.fleet.host_process import LARGEST_BYTES, document_path
from dockersweep.files import read_named
from dockersweep.fleet.folding import with_same_engines
from dockersweep.fleet.shared_volumes import kept_for_others, tells_of_volumes, without_volumes
from dockersweep.fleet.sums import sums_of
from dockersweep.model.documents import read_document
from dockersweep.model.fleet import FleetHost
from dockersweep.model.plan import Plan
from dockersweep.words.documents import write_document


class Spared(Struct, frozen=True):
    """A host on which volumes stay that its plan would remove."""

    host: FleetHost
    """With the sums of the plan below, and a note for each volume."""
    plan: Plan
    """Without these volumes."""
    volumes: tuple[str, ...]


def spare_shared(planned: Sequence[FleetHost], folder: str) -> list[FleetHost]:
    """Return the hosts of plans, which are in files of a folder by their places, with these plans changed so that no
    volume goes that another host has and keeps, or may have."""
    hosts = list(planned)
    for number, spared in spared_hosts(planned, lambda number: read_plan(folder, number)).items():
        _write(folder, number, spared.plan)
        hosts[number] = spared.host
    return hosts


def keep_volumes(folder: str, number: int, host: FleetHost, plan: Plan, kept: Mapping[str, str]) -> FleetHost:
    """Take volumes out of the plan of a host, each with the reason why it stays; return the host with what is left."""
    spared = _spared(host, plan, kept)
    _write(folder, number, spared.plan)
    return spared.host


def _write(folder: str, number: int, plan: Plan) -> None:
    with open(document_path(folder, number), "w", encoding="utf-8") as file:
        file.write(write_document(plan))


def spared_hosts(planned: Sequence[FleetHost], read: Callable[[int], Plan]) -> dict[int, Spared]:
    """Return the hosts on which volumes stay that another host has and keeps, or may have, by their places; `read`
    returns the plan of a place."""
    if not any(host.sums.shareable_volumes for host in planned):
        return {}
    planned = with_same_engines(planned)
    numbers = [number for number, host in enumerate(planned) if host.status == "done" and host.same_as is None]
    plans = {planned[number].name: read(number) for number in numbers}
    silent = [host.name for host in planned if host.status != "done" and host.same_as is None]
    silent += [name for name, plan in plans.items() if not tells_of_volumes(plan)]
    kept = kept_for_others(plans, silent)
    named = {number: planned[number] for number in numbers if planned[number].name in kept}
    return {number: _spared(host, plans[host.name], kept[host.name]) for number, host in named.items()}


def _spared(host: FleetHost, plan: Plan, kept: Mapping[str, str]) -> Spared:
    left = without_volumes(plan, kept)
    notes = tuple(f"volume {volume} stays: {why}" for volume, why in kept.items())
    return Spared(replace(host, sums=sums_of(left), notes=(*host.notes, *notes)), left, tuple(kept))


def read_plan(folder: str, number: int) -> Plan:
    """Return the plan of a host, by its place."""
    path = document_path(folder, number)
    return read_document(read_named(path, LARGEST_BYTES), Plan, path)
