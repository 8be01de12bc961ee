"""What the engine has by now."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dockersweep.engine.api.creations import Creations
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.model.inventory import Container, Kind, Volume
from dockersweep.model.naming import kind_of
from dockersweep.model.restoring import RESTORED_FROM, Present
from dockersweep.policy.restoring.planner import subnets_of


def present_objects(calls: Creations) -> tuple[Present, ListedObjects]:
    """Return what an engine has, as names for the plan, and as its lists."""
    containers, images = calls.containers(), calls.images()
    volumes, _ = calls.volumes()
    documents = calls.network_documents()
    present = Present(
        containers={container.name: container.id for container in containers},
        volumes=frozenset(volume.name for volume in volumes),
        networks={str(document.get("Name")): str(document.get("Id")) for document in documents},
        subnets={str(document.get("Name")): subnets_of(document) for document in documents},
        images=frozenset(image.id for image in images),
        tags={tag: image.id for image in images for tag in image.tags},
        restored_from=dict(_restored((*containers, *volumes), documents)),
    )
    return present, ListedObjects(containers=containers, images=images, volumes=volumes, build_cache=None)


def _restored(
    objects: Sequence[Container | Volume], networks: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[tuple[Kind, str], str]]:
    """Yield what has the label of `restore`, by kind and name, with the first word of it."""
    labelled: list[tuple[tuple[Kind, str], Mapping[str, str]]] = [
        ((kind_of(item), item.name), item.labels) for item in objects
    ]
    labelled += [(("network", str(document.get("Name"))), document.get("Labels") or {}) for document in networks]
    for key, labels in labelled:
        words = str(labels.get(RESTORED_FROM) or "").split()
        if words:
            yield key, words[0]
