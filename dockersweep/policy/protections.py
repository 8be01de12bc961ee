"""What is never removed: first what no policy can override, then what the policy protects."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from dockersweep.model.inventory import (
    STOPPED_STATES,
    BuildCacheRecord,
    Container,
    Image,
    Inventory,
    Network,
    Object,
    Volume,
)
from dockersweep.model.naming import objects_of
from dockersweep.model.plan import Reason, ReasonCode
from dockersweep.model.policy import Protection, Protections

SWARM_TASK = "com.docker.swarm.task.id"
# Docker takes as little as one digit; a pattern of letters a to f is more likely a name.
SHORTEST_ID = 6


def _hard(code: ReasonCode, text: str) -> Reason:
    return Reason(code=code, rule="hard protection", text=text)


def hard_protections(seen: Object, inventory: Inventory, is_held: bool) -> Iterator[Reason]:
    """Yield the reasons that no policy overrides, other than the objects that hold it.

    `is_held` tells whether any container, one that goes as well, holds it.
    """
    if isinstance(seen, Container):
        yield from _of_container(seen, inventory)
    elif isinstance(seen, Volume) and not seen.free_by_engine and not is_held:
        yield _hard("in-use", "the engine counts a use of it that no container shows")
    elif isinstance(seen, Volume) and inventory.engine.flavour == "podman":
        yield from _of_podman_volume(seen, inventory)
    elif isinstance(seen, Network) and seen.predefined:
        yield _hard("predefined", "made by the engine for itself")
    elif isinstance(seen, Network) and seen.scope != "local":
        yield _hard("swarm", f"its scope is {seen.scope or 'unknown'}: other nodes may use it")
    elif isinstance(seen, BuildCacheRecord) and seen.in_use:
        yield _hard("in-use", "a build uses it")


def _of_container(seen: Container, inventory: Inventory) -> Iterator[Reason]:
    if seen.id == inventory.own_container_id:
        yield _hard("in-use", "dockersweep itself runs in it")
    if seen.state not in STOPPED_STATES:
        yield _hard("in-use", f"it is {seen.state or 'in an unknown state'}")
    if SWARM_TASK in seen.labels:
        yield _hard("swarm", "part of a swarm task, which the swarm itself cleans up")
    if inventory.engine.flavour == "podman" and seen.name.endswith("-infra"):
        yield _hard("predefined", "the infra container of a pod, which goes with the pod")
    if seen.unread is not None:
        yield _hard("unread", f"it could not be read in full: {seen.unread}")


def _of_podman_volume(seen: Volume, inventory: Inventory) -> Iterator[Reason]:
    for other in inventory.volumes:
        if other.name != seen.name and other.name.startswith(seen.name):
            # It takes the beginning of a name for the name, where the name itself is just gone.
            yield _hard("predefined", f"Podman could remove {other.name} in its place")
            return


def policy_protections(seen: Object, protections: Protections) -> Iterator[Reason]:
    """Yield a reason for every pattern of the policy that matches; one that matches protects."""
    for label in protections.labels:
        if _is_labelled(seen, label):
            yield Reason(code="protected", rule="protection", text=f"has the label {label.pattern} ({label.source})")
    for name in protections.names:
        if _is_named(seen, name):
            yield Reason(code="protected", rule="protection", text=f"its name matches {name.pattern} ({name.source})")
    for image in protections.images:
        if _is_image(seen, image):
            text = f"its reference matches {image.pattern} ({image.source})"
            yield Reason(code="protected", rule="protection", text=text)


def idle_protections(inventory: Inventory, protections: Protections) -> Iterator[Protection]:
    """Yield the patterns that match nothing there is: mostly they are misspelt and protect nothing."""
    tests = ((protections.labels, _is_labelled), (protections.names, _is_named), (protections.images, _is_image))
    for patterns, test in tests:
        for pattern in patterns:
            if not any(test(seen, pattern) for seen in objects_of(inventory)):
                yield pattern


def _is_labelled(seen: Object, label: Protection) -> bool:
    return not isinstance(seen, BuildCacheRecord) and has_label(seen.labels, label.pattern)


def _is_named(seen: Object, name: Protection) -> bool:
    if isinstance(seen, Image):
        return _is_image(seen, name)
    if isinstance(seen, BuildCacheRecord):
        return False
    if isinstance(seen, Container) and _is_id(name.pattern, seen.id):
        return True
    return fnmatchcase(seen.name, name.pattern.removeprefix("/"))


def _is_image(seen: Object, image: Protection) -> bool:
    if not isinstance(seen, Image):
        return False
    pattern = image.pattern.removeprefix("sha256:")
    short = _without_registry(pattern)
    return _is_id(pattern, seen.id) or any(fnmatchcase(own, short) for own in _image_references(seen))


def _is_id(pattern: str, full_id: str) -> bool:
    digits = full_id.removeprefix("sha256:")
    return fnmatchcase(digits, pattern) or (len(pattern) >= SHORTEST_ID and digits.startswith(pattern))


def has_label(labels: dict[str, str], pattern: str) -> bool:
    """Whether the labels hold `key` or `key=value`; both sides may be globs."""
    key, separator, value = pattern.partition("=")
    return any(
        fnmatchcase(own_key, key) and (not separator or fnmatchcase(own_value, value))
        for own_key, own_value in labels.items()
    )


def _image_references(image: Image) -> Iterator[str]:
    """Every way in which a person may write the image: its digests, tags and repositories."""
    for digest in image.digests:
        yield _without_registry(digest)
    for tag in (*image.tags, *(digest.partition("@")[0] for digest in image.digests)):
        short = _without_registry(tag)
        yield short
        if ":" in short.rpartition("/")[2]:
            yield short.rpartition(":")[0]


def _without_registry(reference: str) -> str:
    """Docker leaves out docker.io/ and library/, Podman writes them and localhost/; people write either."""
    for prefix in ("localhost/", "docker.io/", "library/"):
        reference = reference.removeprefix(prefix)
    return reference
