"""Which compose project an object belongs to, for certain or perhaps, and which projects used it last.

Labels are inherited: compose labels every image that it builds, a container has all labels of its image, and an image
those of its base. So a label alone does not prove that compose made an object. In doubt `protect.projects` protects
the object, and `match.project` does not match it.
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
"""Object -> project name -> how that project uses it now."""


def with_projects(survey: Survey) -> Inventory:
    """Return the inventory with the project of each container and image, the projects that use each object now, and
    those that have a container. What a saved inventory already has of these is kept: the ledger may have known more."""
    inventory = survey.inventory
    bases = _bases_where_labeled(survey)
    images = [] if bases is None else _labeled_images(inventory.images, bases)
    containers = _labeled_containers(inventory)
    if not images and not containers:
        return inventory
    changed: dict[ObjectRef, Object] = {ref_of(image): image for image in images}
    changed.update((ref_of(container), container) for container in containers)
    for ref, uses in _uses(survey, images, containers, bases).items():
        item = changed.get(ref) or survey.objects.get(ref)
        if isinstance(item, Image | Volume | Network) and not item.last_projects:
            changed[ref] = replace(item, last_projects=tuple(uses[name] for name in sorted(uses)))
    projects = (*_present(containers, inventory), *(inventory.projects or ()))
    known = {project.project: project for project in projects}
    return replace(with_objects(inventory, changed), projects=tuple(known[name] for name in sorted(known)))


def with_volumes_of_projects(inventory: Inventory) -> Inventory:
    """Return the inventory with the project of each unnamed volume: that of the container that last mounted it.

    A named volume has a label of its project, or was created by hand for anybody. Docker before 29.0 does not always
    mark a volume as anonymous that was requested in `Mounts` without a name, as docker compose does.
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
    """Return the containers with a project label, each with its certain or possible project."""
    labeled = [container for container in inventory.containers if project_in(container.labels) is not None]
    if not labeled:
        return []
    images = {image.id: image for image in inventory.images}
    names = ImageNames(inventory.images)
    return [
        _with_project(container, _is_composes_own(container, [images[id_] for id_ in names.held_by(container)]))
        for container in labeled
    ]


def _is_composes_own(container: Container, images: Sequence[Image]) -> bool:
    """Whether compose itself labeled a container. If its image is gone, only compose's other labels can prove it."""
    if not images:
        return not container.image or are_of_container(container.labels)
    project = project_in(container.labels)
    return all(project_in(image.labels) != project or adds_to(container.labels, image.labels) for image in images)


def _bases_where_labeled(survey: Survey) -> ImageBases | None:
    """Return the bases of images, None where no image has a project label."""
    images = survey.inventory.images
    if all(project_in(image.labels) is None for image in images):
        return None
    return ImageBases(images, survey.layer_graph)


def _labeled_images(images: Sequence[Image], bases: ImageBases) -> list[Image]:
    """Return the images with a project label, each with its certain or possible project."""
    return [
        image if image.maybe_project is not None else _with_project(image, _is_built_by_project(image, bases))
        for image in images
        if project_in(image.labels) is not None
    ]


def _is_built_by_project(image: Image, bases: ImageBases) -> bool:
    """Whether compose itself built an image, rather than somebody `FROM` one of its images, or a commit of a container.

    Layers cannot tell where compose rebuilt a service with one more step at the end; its default name can.
    """
    if are_of_container(image.labels):
        return False
    if _has_name_by_compose(image):
        return True
    if not bases.are_known(image):
        return False
    if next(bases.below(image, of_its_service=True), None) is not None:
        return False
    return all(_is_older(image, twin) for twin in bases.twins(image, of_its_service=True))


def _has_name_by_compose(image: Image) -> bool:
    """Whether it has the default name of its service: "shop-web", or "shop_web" before compose 2 and in
    podman-compose."""
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
    """Return the uses of now: containers of projects use what they hold, and images of projects their bases."""
    uses: Uses = {}
    owners = {container.id: container for container in containers}
    for ref, holders in survey.holders.items():
        for hold in holders:
            owner = owners.get(hold.by.id) if hold.about.relation == "uses" else None
            if owner is not None:
                _add(uses, ref, _use(owner, owner.name, survey.inventory))
    for image in images:
        for base in _bases_of(image, bases):
            _add(uses, ref_of(base), _use(image, None, survey.inventory))
    return uses


def _bases_of(image: Image, bases: ImageBases | None) -> Iterator[Image]:
    """Yield the possible bases of an image, except those of its own service."""
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


def _add(uses: Uses, ref: ObjectRef, use: LastProject) -> None:
    """Add a use. Of one project's uses a certain one wins, then the first: containers come before images."""
    of_object = uses.setdefault(ref, {})
    known = of_object.get(use.project)
    if known is None or (use.is_certain and not known.is_certain):
        of_object[use.project] = use


def _present(containers: Sequence[Container], inventory: Inventory) -> Iterator[KnownProject]:
    """Yield the projects that have containers now, each with the folder and files of its newest container."""
    by_project: dict[str, list[Container]] = {}
    for container in containers:
        if container.project is not None:
            by_project.setdefault(container.project, []).append(container)
    for project, own in by_project.items():
        newest = max(
            own, key=lambda container: (bool(working_dir_in(container.labels)), _created(container), container.id)
        )
        yield KnownProject(
            project=project,
            working_dir=working_dir_in(newest.labels),
            config_files=config_files_in(newest.labels),
            container_at=inventory.taken_at,
            has_services=not all(is_one_off(container.labels) for container in own),
        )


def _created(container: Container) -> float:
    return 0.0 if container.created_at is None else container.created_at.timestamp()
