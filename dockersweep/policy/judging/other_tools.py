"""What other tools hold in Podman's storage. No policy overrides it: only those tools, or a person, let go of it."""

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
    """Return why images stay that no container of the engine uses."""
    # Dictionaries for their order, as one mount may be told of an image twice.
    reasons: defaultdict[str, dict[Reason, None]] = defaultdict(dict)
    for image in inventory.images:
        if image.read_only:
            reasons[image.id][_READ_ONLY] = None
    named = _named_by_volumes(inventory) if inventory.external is None else ()
    for image_id, about in (*_held(inventory.external or ()), *named):
        reasons[image_id][Reason(code="external", rule=RULE, about=about)] = None
    return {ObjectRef(kind="image", id=image_id): tuple(of_image) for image_id, of_image in reasons.items()}


def _held(external: Iterable[ExternalContainer]) -> Iterator[tuple[str, ToolUses]]:
    for one in external:
        if one.image_id is not None:
            name = one.name.removesuffix(VOLUME_CONTAINER) if one.tool == "volume" else one.name
            yield one.image_id, ToolUses(tool=one.tool, name=name)


def _named_by_volumes(inventory: Inventory) -> Iterator[tuple[str, ToolUses]]:
    """Where the containers of volumes are not told, their options name the image as it was called then; its tag may
    have moved since, and then any image without a tag may be the one, or any at all where the name leads nowhere."""
    names = ImageNames(inventory.images)
    for volume in inventory.volumes:
        if volume.driver == _VOLUME_DRIVER:
            certain, perhaps = names.meant_by(volume.options.get("image", ""))
            for image_id in certain:
                yield image_id, ToolUses(tool="volume", name=volume.name)
            for image_id in perhaps:
                yield image_id, ToolUses(tool="volume", name=volume.name, is_certain=False)
