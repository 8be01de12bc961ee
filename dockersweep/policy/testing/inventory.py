"""From the objects of a case to an inventory as a scan with a ledger would return it."""

from collections.abc import Iterable

from msgspec.structs import replace

from dockersweep.errors import PolicyError
from dockersweep.model.inventory import (
    BuildCacheRecord,
    Container,
    Engine,
    Image,
    Inventory,
    Network,
    Object,
    Refusal,
    Volume,
)
from dockersweep.model.naming import name_of, objects_of, ref_of
from dockersweep.model.policycase import CaseFile, ImageCase
from dockersweep.model.quantities import known_sum
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.judging.projects import with_projects, with_volumes_of_projects
from dockersweep.policy.judging.refusals import REFUSED_RUNS
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.testing.disks import disks_of
from dockersweep.policy.testing.objects import UNKNOWN, USUAL_SIZE, CaseObjects, case_name, service_of
from dockersweep.units import parse_size


def inventory_of(case: CaseFile, saved: Inventory | None) -> Inventory:
    """Return the inventory of a case: its own objects, added to the saved inventory that it names, if any.

    Raises PolicyError for an invalid value.
    """
    objects = CaseObjects(case)
    start = _with_services(_empty(case) if saved is None else saved, case)
    written = list(objects.pairs())
    known = {ref_of(item) for item in objects_of(start)}
    for table, item in written:
        if ref_of(item) in known:
            raise PolicyError(f"{case_name(table)} is in the saved inventory already: write [[expect]] for it instead")
    inventory = _with(start, [item for _, item in written])
    unused = Survey(inventory, case.now).unused
    inventory = _with(
        start,
        [objects.remembered(table, item, ref_of(item) not in unused) for table, item in written],
    )
    own = next((objects.id_of(table) for table in case.container if table.runs_dockersweep), start.own_container_id)
    refusals = tuple(_refusal(item, table.refused, case) for table, item in written if table.refused is not None)
    if saved is None or case.watched or not case.uses_are_seen:
        inventory = replace(inventory, watched=tuple(objects.spans()))
    inventory = replace(inventory, refusals=(*(start.refusals or ()), *refusals))
    inventory = replace(inventory, own_container_id=own)
    if case.disk is not None:
        main, *others = disks_of(case)
        inventory = replace(inventory, disk=main, other_disks=tuple(others))
    if saved is None:
        inventory = replace(inventory, storage=_storage(case, inventory), layers_bytes=_layers_bytes(case))
    return with_volumes_of_projects(with_projects(Survey(inventory, case.now)))


def _refusal(item: Object, text: str, case: CaseFile) -> Refusal:
    name, ref = name_of(item), ref_of(item)
    return Refusal(
        kind=ref.kind, id=ref.id, action="remove", name=name, text=text, runs=REFUSED_RUNS, refused_at=case.now
    )


def _empty(case: CaseFile) -> Inventory:
    is_podman = case.engine is not None and case.engine.flavour == "podman"
    return Inventory(
        schema="dockersweep.inventory/1",
        engine=Engine(
            endpoint="a policy test",
            endpoint_source="a policy test",
            id=None if is_podman else "policy-test",
            name=None,
            version="5.8.0" if is_podman else "28.5.2",
            api_version="1.41" if is_podman else "1.51",
            flavour="podman" if is_podman else "docker",
            image_store="overlay2" if case.engine is None else case.engine.image_store,
            root_dir=None,
        ),
        taken_at=case.now,
        own_container_id=None,
        containers=(),
        images=(),
        volumes=(),
        networks=(),
        build_cache=(),
        layers_bytes=None,
        warnings=(),
        marks=(),
        refusals=(),
    )


def _with_services(start: Inventory, case: CaseFile) -> Inventory:
    written = tuple(service_of(table) for table in case.service)
    if not case.services_are_seen:
        if written:
            raise PolicyError("services_are_seen = false: then the case cannot have a [[service]]")
        return replace(start, services=None)
    return replace(start, services=(*(start.services or ()), *written)) if written else start


def _with(start: Inventory, objects: Iterable[Object]) -> Inventory:
    objects = tuple(objects)
    records = tuple(item for item in objects if isinstance(item, BuildCacheRecord))
    cache_was_read = start.build_cache is not None or bool(records)
    return replace(
        start,
        containers=start.containers + tuple(item for item in objects if isinstance(item, Container)),
        images=start.images + tuple(item for item in objects if isinstance(item, Image)),
        volumes=start.volumes + tuple(item for item in objects if isinstance(item, Volume)),
        networks=start.networks + tuple(item for item in objects if isinstance(item, Network)),
        build_cache=(start.build_cache or ()) + records if cache_was_read else None,
    )


def _storage(case: CaseFile, inventory: Inventory) -> Storage | None:
    """Return the layers of images, and a part for each container without an image in the case. Without it, a container
    would count as one of a removed image, which frees an unknown amount."""
    parts: dict[str, Part] = {}
    for written, image in zip(case.image, inventory.images, strict=True):
        if written.layers:
            own = f"image:{image.id}"
            parts[own] = Part(id=own, high_bytes=0, needs=(_add_layers(written, parts),))
    for container in inventory.containers:
        if container.image_id is None:
            own = f"container:{container.id}"
            sizes = (container.size_bytes, container.log_bytes)
            parts[own] = Part(id=own, low_bytes=sum(size or 0 for size in sizes), high_bytes=known_sum(sizes))
    return Storage(base="lengths", parts=tuple(parts.values())) if parts else None


def _add_layers(image: ImageCase, parts: dict[str, Part]) -> str:
    """Add the layers of an image and return the top one; the same name above other layers is another layer."""
    below: tuple[str, ...] = ()
    chain = "layer:"
    for name, size in image.layers.items():
        chain = f"{chain}/{name}"
        layer = Part(id=chain, low_bytes=parse_size(size), high_bytes=parse_size(size), needs=below)
        if parts.setdefault(chain, layer) != layer:
            raise PolicyError(f"image {case_name(image)}: the layer {name} is of another size elsewhere in the case")
        below = (chain,)
    return chain


def _layers_bytes(case: CaseFile) -> int | None:
    """Return the size of all images together; None where it is not known how much they share."""
    parts: dict[str, Part] = {}
    for image in case.image:
        if image.layers:
            _add_layers(image, parts)
    unlayered = known_sum(_unshared_bytes(image) for image in case.image if not image.layers)
    return None if unlayered is None else unlayered + sum(part.low_bytes for part in parts.values())


def _unshared_bytes(image: ImageCase) -> int | None:
    """Return the size of an image without layers; None where that is unknown, or part of it is shared."""
    if image.size == UNKNOWN or image.shared is not None:
        return None
    return USUAL_SIZE if image.size is None else parse_size(image.size)
