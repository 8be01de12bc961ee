"""Each object as a report has it."""

from collections.abc import Collection, Iterable, Mapping

from dockersweep.model.image_references import repository_of
from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Object, ObjectRef
from dockersweep.model.naming import name_of
from dockersweep.model.report import ReportedObject
from dockersweep.policy.disk_report.footprint import Footprint
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.use import why_so


def whole_sizes(survey: Survey) -> dict[int, int | None]:
    """Return the size of each object, that of a container with its log as far as that is known."""
    sizes = {node: survey.sizes.of_node(node, item) for node, item in _numbered(survey)}
    if survey.size_base == "lengths" and survey.inventory.engine.flavour == "docker":
        for node, item in _numbered(survey):
            if type(item) is Container and item.size_bytes is not None:
                sizes[node] = item.size_bytes + (item.log_bytes or 0)
    return sizes


def _numbered(survey: Survey) -> Iterable[tuple[int, Object]]:
    return zip(survey.layer_graph.of_objects(), survey.objects.values(), strict=True)


def reported_objects(
    survey: Survey, sizes: Mapping[int, int | None], going: Collection[ObjectRef], footprint: Footprint
) -> dict[int, ReportedObject]:
    """Return all objects, by their numbers in the layer graph; `going` are those that the policy would remove."""
    unused, now, own_bytes = survey.unused, survey.now, footprint.own_bytes
    found = {}
    for (ref, item), node in zip(survey.objects.items(), survey.layer_graph.of_objects(), strict=True):
        since = survey.since(ref, item)
        found[node] = ReportedObject(
            kind=ref.kind,
            id=ref.id,
            name=name_of(item),
            project=None if type(item) is BuildCacheRecord else item.project,
            repository=_repository(item) if type(item) is Image else None,
            size_bytes=sizes[node],
            own_bytes=own_bytes[node],
            in_use=ref not in unused,
            goes=ref in going,
            age_seconds=None if since is None else since.seconds(now),
            age_source=None if since is None else since.source,
            last_action=None if since is None else since.action,
            why=_why(ref, item, survey),
        )
    return found


def largest_first(objects: Iterable[ReportedObject]) -> tuple[ReportedObject, ...]:
    """Return objects in the order in which they are shown."""
    return tuple(sorted(objects, key=lambda one: (-(one.size_bytes or 0), one.kind, one.name, one.id)))


def _why(ref: ObjectRef, item: Object, survey: Survey) -> str:
    """Return why an object is in use or what lies about; what BuildKit calls regular is a step of a build."""
    if type(item) is BuildCacheRecord and item.type == "regular" and ref in survey.unused:
        return "step, shared" if item.shared else "step"
    return why_so(ref, item, survey)


def _repository(image: Image) -> str | None:
    reference = next(iter((*image.tags, *image.digests)), None)
    return None if reference is None else repository_of(reference)
