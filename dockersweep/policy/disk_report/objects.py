"""The objects of a report."""

from collections.abc import Collection, Iterable, Mapping

from dockersweep.model.image_references import repository_of
from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Object, ObjectRef, Volume
from dockersweep.model.naming import name_of
from dockersweep.model.policy import Policy
from dockersweep.model.report import ReportedObject
from dockersweep.policy.disk_report.footprint import Footprint
from dockersweep.policy.judging.recovery import WaysBack
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.use import why_so


def whole_sizes(survey: Survey) -> dict[int, int | None]:
    """Return node -> size of each object; that of a container includes its log, if known."""
    sizes = {node: survey.sizes.of_node(node, item) for node, item in _numbered(survey)}
    if survey.size_base == "lengths" and survey.inventory.engine.flavour == "docker":
        for node, item in _numbered(survey):
            if type(item) is Container and item.size_bytes is not None:
                sizes[node] = item.size_bytes + (item.log_bytes or 0)
    return sizes


def _numbered(survey: Survey) -> Iterable[tuple[int, Object]]:
    return zip(survey.layer_graph.of_objects(), survey.objects.values(), strict=True)


def reported_objects(
    survey: Survey, policy: Policy, sizes: Mapping[int, int | None], going: Collection[ObjectRef], footprint: Footprint
) -> dict[int, ReportedObject]:
    """Return node in the layer graph -> object; `going` are the objects that the policy removes."""
    ways_back = WaysBack(survey, policy)
    unused, now, own_bytes = survey.unused, survey.now, footprint.own_bytes
    objects = {}
    for (ref, item), node in zip(survey.objects.items(), survey.layer_graph.of_objects(), strict=True):
        since = survey.since(ref, item)
        objects[node] = ReportedObject(
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
            driver=item.driver if type(item) is Volume else None,
            recovery=ways_back.of(item) if ref in going else None,
        )
    return objects


def largest_first(objects: Iterable[ReportedObject]) -> tuple[ReportedObject, ...]:
    """Return objects in display order."""
    return tuple(sorted(objects, key=lambda item: (-(item.size_bytes or 0), item.kind, item.name, item.id)))


def _why(ref: ObjectRef, item: Object, survey: Survey) -> str:
    """Return why an object is in use, or what is unused; a record that BuildKit calls "regular" is a build step."""
    if type(item) is BuildCacheRecord and item.type == "regular" and ref in survey.unused:
        return "step, shared" if item.shared else "step"
    return why_so(ref, item, survey)


def _repository(image: Image) -> str | None:
    reference = next(iter((*image.tags, *image.digests)), None)
    return None if reference is None else repository_of(reference)
