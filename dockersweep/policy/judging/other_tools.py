"""Images that other tools hold in Podman's storage. No policy overrides that: only these tools can release them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from dockersweep.model.external import VOLUME_CONTAINER, ExternalContainer
from dockersweep.model.inventory import Inventory, ObjectRef
from dockersweep.model.reason import Fact, Reason, ToolUses
from dockersweep.policy.names.image_names import ImageNames

RULE = "protected"
_VOLUME_DRIVER = "image"
_READ_ONLY = Reason(code="read-only", rule=RULE, about=Fact(name="read-only-store"))


def held_by_other_tools(inventory: Inventory) -> dict[ObjectRef, tuple[Reason, ...]]:
    """Return the images that other tools or a read-only store hold, with the reasons to keep them."""
    # Dictionaries as ordered sets: one mount may be listed twice.
    reasons: defaultdict[str, dict[Reason, None]] = defaultdict(dict)
    for image in inventory.images:
        if image.read_only:
            reasons[image.id][_READ_ONLY] = None
    named = _named_by_volumes(inventory) if inventory.external is None else ()
    for image_id, about in (*_held(inventory.external or ()), *named):
        reasons[image_id][Reason(code="external", rule=RULE, about=about)] = None
    return {ObjectRef(kind="image", id=image_id): tuple(of_image) for image_id, of_image in reasons.items()}


def _held(external: Iterable[ExternalContainer]) -> Iterator[tuple[str, ToolUses]]:
    for container in external:
        if container.image_id is not None:
            name = container.name.removesuffix(VOLUME_CONTAINER) if container.tool == "volume" else container.name
            yield container.image_id, ToolUses(tool=container.tool, name=name)


def _named_by_volumes(inventory: Inventory) -> Iterator[tuple[str, ToolUses]]:
    """Where the containers behind image volumes are not listed, the options of a volume name its image. The tag may
    have moved since: then it may be any image without a tag, or any image at all where nothing has the name."""
    names = ImageNames(inventory.images)
    for volume in inventory.volumes:
        if volume.driver == _VOLUME_DRIVER:
            certain, perhaps = names.meant_by(volume.options.get("image", ""))
            for image_id in certain:
                yield image_id, ToolUses(tool="volume", name=volume.name)
            for image_id in perhaps:
                yield image_id, ToolUses(tool="volume", name=volume.name, is_certain=False)
