"""Each object as a report has it."""

from collections.abc import Collection, Mapping

from dockersweep.model.inventory import BuildCacheRecord, Image, Inventory, Object
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import ObjectRef
from dockersweep.model.report import ReportedObject
from dockersweep.model.use import Use
from dockersweep.policy.disk_report.footprint import Footprint
from dockersweep.policy.image_names import repository_of
from dockersweep.policy.sizes import size_base


def whole_sizes(inventory: Inventory, uses: Collection[Use]) -> dict[ObjectRef, int | None]:
    """Return the size of each object, that of a container with its log as far as that is known."""
    sizes = {ObjectRef(kind=use.kind, id=use.id): use.size_bytes for use in uses}
    if size_base(inventory) == "lengths" and inventory.engine.flavour == "docker":
        for container in inventory.containers:
            if container.size_bytes is not None:
                sizes[ref_of(container)] = container.size_bytes + (container.log_bytes or 0)
    return sizes


def reported_objects(
    inventory: Inventory,
    uses: Collection[Use],
    going: Collection[ObjectRef],
    sizes: Mapping[ObjectRef, int | None],
    footprint: Footprint,
) -> tuple[ReportedObject, ...]:
    """Return all objects, the largest first; `going` are those that the policy would remove."""
    seen = {ref_of(one): one for one in objects_of(inventory)}
    found = []
    for use in uses:
        ref = ObjectRef(kind=use.kind, id=use.id)
        found.append(
            ReportedObject(
                kind=use.kind,
                id=use.id,
                name=use.name,
                project=project_of(seen[ref]),
                repository=_repository(seen[ref]),
                size_bytes=sizes[ref],
                own_bytes=footprint.own_bytes(ref),
                in_use=use.in_use,
                goes=ref in going,
                age_seconds=use.age_seconds,
                age_source=use.age_source,
                why=_why(use),
            )
        )
    return tuple(sorted(found, key=lambda one: (-(one.size_bytes or 0), one.kind, one.name, one.id)))


def _why(use: Use) -> str:
    """Return why an object is in use or what lies about; what BuildKit calls regular is a step of a build."""
    if use.kind != "build-cache" or use.in_use:
        return use.why
    return "step" + use.why.removeprefix("regular") if use.why.startswith("regular") else use.why


def project_of(seen: Object) -> str | None:
    """Return the compose project of an object; build cache has none."""
    return None if isinstance(seen, BuildCacheRecord) else seen.project


def _repository(seen: Object) -> str | None:
    if not isinstance(seen, Image):
        return None
    reference = next(iter((*seen.tags, *seen.digests)), None)
    return None if reference is None else repository_of(reference)
