"""What the engine has by now."""

from dockersweep.engine.api.creations import Creations
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.model.restoring import Present
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
    )
    return present, ListedObjects(containers=containers, images=images, volumes=volumes, build_cache=None)
