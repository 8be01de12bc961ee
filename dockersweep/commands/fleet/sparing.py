"""Volumes that several hosts may have stay, where not all of these would remove them."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from dockersweep.commands.fleet.host_process import LARGEST_BYTES, document_path
from dockersweep.files import read_named
from dockersweep.fleet.shared_volumes import kept_for_others, without_volumes
from dockersweep.fleet.sums import sums_of
from dockersweep.model.documents import read_document
from dockersweep.model.fleet import FleetHost
from dockersweep.model.plan import Plan
from dockersweep.words.documents import write_document


def spare_shared(planned: Sequence[FleetHost], folder: str) -> list[FleetHost]:
    """Return the hosts of plans, which are in files of a folder by their places, with these plans changed so that no
    volume goes that another host has and keeps, or may have."""
    if not any(host.sums.shareable_volumes for host in planned):
        return list(planned)
    numbers = [number for number, host in enumerate(planned) if host.status == "done" and host.same_as is None]
    plans = {planned[number].name: _read(folder, number) for number in numbers}
    silent = [host.name for host in planned if host.status != "done"]
    kept = kept_for_others(plans, silent)
    return [
        _spared(folder, number, host, plans[host.name], kept[host.name])
        if host.name in kept and number in numbers
        else host
        for number, host in enumerate(planned)
    ]


def _spared(folder: str, number: int, host: FleetHost, plan: Plan, kept: Mapping[str, str]) -> FleetHost:
    spared = without_volumes(plan, kept)
    with open(document_path(folder, number), "w", encoding="utf-8") as file:
        file.write(write_document(spared))
    notes = tuple(f"volume {volume} stays: {why}" for volume, why in kept.items())
    return replace(host, sums=sums_of(spared), notes=(*host.notes, *notes))


def _read(folder: str, number: int) -> Plan:
    path = document_path(folder, number)
    return read_document(read_named(path, LARGEST_BYTES), Plan, path)
