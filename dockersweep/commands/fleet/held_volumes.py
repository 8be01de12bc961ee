"""A second look at volumes that several hosts may have, just before they go: a plan may be a day old."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from dockersweep.commands.fleet.host_options import HostVerbOptions
from dockersweep.commands.fleet.host_process import LARGEST_BYTES, HostTask, document_path
from dockersweep.commands.fleet.hosts_at_work import HostsAtWork
from dockersweep.commands.fleet.private_folder import private_folder
from dockersweep.commands.gather import gather_survey
from dockersweep.commands.options import ApplyOptions
from dockersweep.commands.write import write_result
from dockersweep.files import read_named
from dockersweep.model.documents import read_document
from dockersweep.model.fleet import FleetHost
from dockersweep.model.inventory import Inventory
from dockersweep.model.plan import Plan
from dockersweep.words.documents import write_document


def why_they_stay(at_work: HostsAtWork, tasks: Sequence[HostTask], plans: Mapping[int, Plan]) -> dict[str, str]:
    """Return volume -> why it stays, of the shareable volumes in the plans of hosts: a container mounts it that no plan
    removes, or a host does not tell. `tasks` are those of all hosts of the run, `plans` are by their numbers."""
    with private_folder() as folder:
        looks = [replace(task, run=_write_inventory, summed=None, folder=folder) for task in tasks]
        hosts = at_work.run("looking again", looks)
        inventories = {
            look.number: _inventory(folder, look.number, host) for look, host in zip(looks, hosts, strict=True)
        }
    names = {task.number: task.host.name for task in tasks}
    silent = [names[number] for number, inventory in inventories.items() if inventory is None]
    volumes = {step.name for plan in plans.values() for step in plan.removals if step.kind == "volume"}
    if silent:
        return dict.fromkeys(volumes, f"{silent[0]} did not tell whether it uses it")
    kept: dict[str, str] = {}
    for number, inventory in inventories.items():
        for volume in volumes & _mounted(inventory, plans.get(number)):
            kept.setdefault(volume, f"{names[number]} uses it by now")
    return kept


def _write_inventory(options: HostVerbOptions) -> int:
    assert isinstance(options, ApplyOptions)
    engine = replace(options.run.engine, reads_sizes=False, uses_ledger=False)
    write_result(write_document(gather_survey(engine).inventory), options.run.output.path)
    return 0


def _inventory(folder: str, number: int, host: FleetHost) -> Inventory | None:
    if host.status != "done":
        return None
    path = document_path(folder, number)
    inventory = read_document(read_named(path, LARGEST_BYTES), Inventory, path)
    return None if any(warning.about == "volumes" for warning in inventory.warnings) else inventory


def _mounted(inventory: Inventory | None, plan: Plan | None) -> set[str]:
    going = set() if plan is None else {step.id for step in plan.removals if step.kind == "container"}
    containers = () if inventory is None else inventory.containers
    return {
        mount.volume
        for container in containers
        if container.id not in going
        for mount in container.mounts
        if mount.volume is not None
    }
