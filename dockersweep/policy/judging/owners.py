"""The compose project and service that an object belongs to: what people know it by."""

from collections.abc import Mapping
from functools import lru_cache

from dockersweep.model.compose_labels import are_any_of_compose, config_files_in, service_in
from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Object, Volume
from dockersweep.model.last_use import KnownProject
from dockersweep.model.reason import OfProject

_NONE: Mapping[str, KnownProject] = {}
MANY = 10_000
"""How many services are cached: objects of one service share the answer."""


def owner_of(item: Object, known: Mapping[str, KnownProject] = _NONE) -> OfProject | None:
    """Return the project and service that an object belongs to, or may belong to; None where there is none.

    `known` has the projects of which more is known than the object's labels say.
    """
    if type(item) is BuildCacheRecord:
        return None
    if item.project is not None:
        known_files = known[item.project].config_files if item.project in known else ()
        has_labels = are_any_of_compose(item.labels)
        service = service_in(item.labels) if has_labels else None
        files = config_files_in(item.labels) if has_labels else ()
        lost_its_tag = type(item) is Image and not item.tags
        return _of(item.project, service or _service_of_last(item), files or known_files, lost_its_tag)
    if isinstance(item, Container | Image) and item.maybe_project is not None:
        return OfProject(project=item.maybe_project, service=service_in(item.labels), how="doubtful")
    return None


@lru_cache(MANY)
def _of(project: str, service: str | None, files: tuple[str, ...], lost_its_tag: bool) -> OfProject:
    return OfProject(project=project, service=service, files=files, how="certain", lost_its_tag=lost_its_tag)


def last_user_of(item: Object) -> OfProject | None:
    """Return the project that last used an object that belongs to none."""
    if isinstance(item, BuildCacheRecord | Container) or not item.last_projects:
        return None
    last = max(item.last_projects, key=lambda use: (use.at, use.project))
    return OfProject(project=last.project, service=last.service, how="used-last")


def _service_of_last(item: Object) -> str | None:
    """Return the service of its own project that last used a volume: volumes have no service label."""
    if type(item) is not Volume or not item.last_projects:
        return None
    return next((use.service for use in item.last_projects if use.project == item.project), None)
