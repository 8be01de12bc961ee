"""What other tools hold in Podman's storage. No policy overrides it: only those tools, or a person, let go of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from dockersweep.model.inventory import VOLUME_CONTAINER, ExternalContainer, ExternalTool, Inventory
from dockersweep.model.plan import Reason
from dockersweep.policy.references import ImageNames

RULE = "protected"
_TOOLS: Mapping[ExternalTool, str] = {
    "podman build": "a container of a build",
    "CRI-O": "a container of CRI-O",
    "other": "a container of another tool (podman ps --all --external)",
}
_VOLUME_DRIVER = "image"


def held_by_other_tools(inventory: Inventory) -> dict[str, tuple[Reason, ...]]:
    """Return why images stay that no container of the engine uses, by their ids."""
    # Dictionaries for their order, as one mount may be told of an image twice.
    reasons: defaultdict[str, dict[Reason, None]] = defaultdict(dict)
    for image in inventory.images:
        if image.read_only:
            text = "in a read-only store (additionalimagestores); it cannot be removed here"
            reasons[image.id][Reason(code="read-only", rule=RULE, text=text)] = None
    named = _named_by_volumes(inventory) if inventory.external is None else ()
    for image_id, text in (*_held(inventory.external or ()), *named):
        reasons[image_id][Reason(code="external", rule=RULE, text=text)] = None
    return {image_id: tuple(told) for image_id, told in reasons.items()}


def measured_bytes(inventory: Inventory) -> tuple[int, ...]:
    """Return what the containers of other tools take that are counted with the writable layers: those that were
    measured, which a mounted image never is."""
    return tuple(one.size_bytes for one in inventory.external or () if one.size_bytes is not None)


def _held(external: Iterable[ExternalContainer]) -> Iterator[tuple[str, str]]:
    return ((one.image_id, _use(one)) for one in external if one.image_id is not None)


def _use(one: ExternalContainer) -> str:
    if one.tool == "image mount":
        # Others mount images like that too; the command without an argument lists all.
        return "mounted on the host (podman image mount lists it)"
    if one.tool == "volume":
        return _use_by_volume(one.name.removesuffix(VOLUME_CONTAINER))
    return f"used by {one.name}, {_TOOLS[one.tool]}"


def _use_by_volume(name: str) -> str:
    return f"used by volume {name} (driver image)"


def _named_by_volumes(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Where the containers of volumes are not told, their options name the image as it was called then; its tag may
    have moved since, and then any image without a tag may be the one, or any at all where the name leads nowhere."""
    names = ImageNames(inventory.images)
    for volume in inventory.volumes:
        if volume.driver == _VOLUME_DRIVER:
            certain, perhaps = names.meant_by(volume.options.get("image", ""))
            for image_id in certain:
                yield image_id, _use_by_volume(volume.name)
            for image_id in perhaps:
                yield image_id, f"may be used by volume {volume.name} (driver image)"
