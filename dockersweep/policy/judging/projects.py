"""Which compose project an object belongs to, for certain or perhaps, and which projects used it last.

Labels are inherited: compose labels every image that it builds, a container has all labels of its image, and an image
those of what it was built from. So a label alone does not say that compose made an object. In doubt a project protects
(`protect.projects`), and nothing goes for it (`match.project`).
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from msgspec.structs import replace

from dockersweep.model.changed_objects import with_objects
from dockersweep.model.compose_labels import (
    adds_to,
    are_of_container,
    config_files_in,
    is_one_off,
    project_in,
    service_in,
    working_dir_in,
)
from dockersweep.model.image_references import repository_of
from dockersweep.model.inventory import Container, Image, Inventory, Network, Object, ObjectRef, Volume
from dockersweep.model.last_use import KnownProject, LastProject
from dockersweep.model.naming import has_made_up_name, ref_of
from dockersweep.policy.judging.image_bases import ImageBases
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.names.image_names import ImageNames

Labeled = TypeVar("Labeled", Container, Image)
Uses = dict[ObjectRef, dict[str, LastProject]]
"""The projects that use an object now, by its reference and the name of the project."""


def with_projects(survey: Survey) -> Inventory:
    """Return the inventory with the project of each container and image, the projects that use each object now, and
    those that have a container. What a saved inventory has of that stays: the ledger may have known more."""
    inventory = survey.inventory
    bases = _bases_where_labeled(survey)
    images = [] if bases is None else _labeled_images(inventory.images, bases)
    containers = _labeled_containers(inventory)
    if not images and not containers:
        return inventory
    changed: dict[ObjectRef, Object] = {ref_of(one): one for one in images}
    changed.update((ref_of(one), one) for one in containers)
    for ref, uses in _uses(survey, images, containers, bases).items():
        item = changed.get(ref) or survey.objects.get(ref)
        if isinstance(item, Image | Volume | Network) and not item.last_projects:
            changed[ref] = replace(item, last_projects=tuple(uses[name] for name in sorted(uses)))
    known = {one.project: one for one in (*_present(containers, inventory), *(inventory.projects or ()))}
    return replace(with_objects(inventory, changed), projects=tuple(known[name] for name in sorted(known)))


def with_volumes_of_projects(inventory: Inventory) -> Inventory:
    """Return the inventory with the project of each volume that nobody named: whose container mounted it last.

    A volume with a name has a label of its project, or was made by hand for whoever needs it. Docker before 29.0 does
    not always mark as anonymous what `Mounts` asks for without a name, as docker compose does.
    """
    changed: dict[ObjectRef, Object] = {}
    for volume in inventory.volumes:
        is_nameless = volume.anonymous or (has_made_up_name(volume.name) and not volume.labels)
        if is_nameless and volume.last_projects and project_in(volume.labels) is None:
            project = _sole_user(volume)
            if project != volume.project:
                changed[ref_of(volume)] = replace(volume, project=project)
    return with_objects(inventory, changed)


def _sole_user(volume: Volume) -> str | None:
    last = volume.last_projects[0]
    later = any(use.at > last.at and use.project != last.project for use in volume.uses)
    return last.project if len(volume.last_projects) == 1 and last.is_certain and not later else None


def _labeled_containers(inventory: Inventory) -> list[Container]:
    """Return the containers with a label of a project, each with what that says."""
    labeled = [one for one in inventory.containers if project_in(one.labels) is not None]
    if not labeled:
        return []
    images = {image.id: image for image in inventory.images}
    names = ImageNames(inventory.images)
    return [_with_project(one, _is_composes_own(one, [images[id_] for id_ in names.held_by(one)])) for one in labeled]


def _is_composes_own(container: Container, images: Sequence[Image]) -> bool:
    """Whether the label is the container's own. Of one whose image is gone only compose's other labels tell it."""
    if not images:
        return not container.image or are_of_container(container.labels)
    project = project_in(container.labels)
    return all(project_in(one.labels) != project or adds_to(container.labels, one.labels) for one in images)


def _bases_where_labeled(survey: Survey) -> ImageBases | None:
    """Return what depends on what, where any image has a label of a project."""
    images = survey.inventory.images
    if all(project_in(one.labels) is None for one in images):
        return None
    return ImageBases(images, survey.layer_graph)


def _labeled_images(images: Sequence[Image], bases: ImageBases) -> list[Image]:
    """Return the images with a label of a project, each with what that says."""
    return [
        one if one.maybe_project is not None else _with_project(one, _is_built_by_project(one, bases))
        for one in images
        if project_in(one.labels) is not None
    ]


def _is_built_by_project(image: Image, bases: ImageBases) -> bool:
    """Whether compose itself built an image, and not somebody `FROM` one that it built, or a commit of a container.

    What compose builds anew for a service, with a step more at its end, depends on what it built before, too: there the
    name tells that compose gives what has no other.
    """
    if are_of_container(image.labels):
        return False
    if _has_name_by_compose(image):
        return True
    if not bases.are_known(image):
        return False
    if next(bases.below(image, of_its_service=True), None) is not None:
        return False
    return all(_is_older(image, one) for one in bases.twins(image, of_its_service=True))


def _has_name_by_compose(image: Image) -> bool:
    """Whether it has the name of a service of its project: "shop-web", before compose 2 and by podman-compose
    "shop_web"."""
    project, service = project_in(image.labels), service_in(image.labels)
    names = {f"{project}-{service}", f"{project}_{service}"} if service else set()
    return any(repository_of(tag) in names for tag in image.tags)


def _is_older(image: Image, other: Image) -> bool:
    return image.built_at is not None and other.built_at is not None and image.built_at < other.built_at


def _with_project(item: Labeled, is_certain: bool) -> Labeled:
    project = project_in(item.labels)
    if is_certain:
        return replace(item, project=project, maybe_project=None)
    return replace(item, project=None, maybe_project=project)


def _uses(survey: Survey, images: Sequence[Image], containers: Sequence[Container], bases: ImageBases | None) -> Uses:
    """Return who uses what now: a container what it holds, and an image that a project built what it was built from."""
    found: Uses = {}
    owners = {one.id: one for one in containers}
    for ref, holders in survey.holders.items():
        for hold in holders:
            owner = owners.get(hold.by.id) if hold.about.relation == "uses" else None
            if owner is not None:
                _add(found, ref, _use(owner, owner.name, survey.inventory))
    for image in images:
        for base in _bases_of(image, bases):
            _add(found, ref_of(base), _use(image, None, survey.inventory))
    return found


def _bases_of(image: Image, bases: ImageBases | None) -> Iterator[Image]:
    """Yield the images that one may have been built from, but for those of the same service."""
    if bases is not None:
        yield from bases.below(image, of_its_service=False)
        yield from bases.twins(image, of_its_service=False)


def _use(owner: Container | Image, container: str | None, inventory: Inventory) -> LastProject:
    return LastProject(
        project=owner.project or owner.maybe_project or "",
        service=service_in(owner.labels),
        container=container,
        at=inventory.taken_at,
        is_certain=owner.project is not None,
    )


def _add(found: Uses, ref: ObjectRef, use: LastProject) -> None:
    """Add a use. Of several of one project what is certain is told, and a container before an image."""
    of_object = found.setdefault(ref, {})
    known = of_object.get(use.project)
    if known is None or (use.is_certain and not known.is_certain):
        of_object[use.project] = use


def _present(containers: Sequence[Container], inventory: Inventory) -> Iterator[KnownProject]:
    """Yield the projects that have containers now, each with the folder and files of the one created last."""
    by_project: dict[str, list[Container]] = {}
    for one in containers:
        if one.project is not None:
            by_project.setdefault(one.project, []).append(one)
    for project, own in by_project.items():
        told = max(own, key=lambda one: (bool(working_dir_in(one.labels)), _created(one), one.id))
        yield KnownProject(
            project=project,
            working_dir=working_dir_in(told.labels),
            config_files=config_files_in(told.labels),
            container_at=inventory.taken_at,
            has_services=not all(is_one_off(one.labels) for one in own),
        )


def _created(container: Container) -> float:
    return 0.0 if container.created_at is None else container.created_at.timestamp()
