"""What is never removed: first what no policy can override, then what the policy protects."""

from collections.abc import Iterable, Iterator
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
from dockersweep.model.plan import Reason, ReasonCode
from dockersweep.model.policy import Protections

SWARM_TASK = "com.docker.swarm.task.id"
_SHORT_NAMES = ("localhost/", "docker.io/library/", "docker.io/")


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
    if seen.unread is not None:
        yield _hard("unread", f"it could not be read in full: {seen.unread}")


def policy_protections(seen: Object, protections: Protections) -> Iterator[Reason]:
    """Yield a reason for every pattern of the policy that matches; one that matches protects."""
    if not isinstance(seen, BuildCacheRecord):
        for label in protections.labels:
            if has_label(seen.labels, label.pattern):
                yield Reason(
                    code="protected", rule="protection", text=f"has the label {label.pattern} ({label.source})"
                )
    for name in protections.names:
        if any(fnmatchcase(own, name.pattern) for own in _names(seen)):
            yield Reason(code="protected", rule="protection", text=f"its name matches {name.pattern} ({name.source})")
    if isinstance(seen, Image):
        for image in protections.images:
            if any(fnmatchcase(own, image.pattern) for own in _image_references(seen)):
                yield Reason(
                    code="protected", rule="protection", text=f"its reference matches {image.pattern} ({image.source})"
                )


def has_label(labels: dict[str, str], pattern: str) -> bool:
    """Whether the labels hold `key` or `key=value`; both sides may be globs."""
    key, separator, value = pattern.partition("=")
    return any(
        fnmatchcase(own_key, key) and (not separator or fnmatchcase(own_value, value))
        for own_key, own_value in labels.items()
    )


def _names(seen: Object) -> Iterable[str]:
    if isinstance(seen, Image):
        return _image_references(seen)
    return () if isinstance(seen, BuildCacheRecord) else (seen.name,)


def _image_references(image: Image) -> Iterator[str]:
    """Every way in which a person may write the image: tag, repository, either without Podman's prefix, or its id."""
    hexadecimal = image.id.removeprefix("sha256:")
    yield from (image.id, hexadecimal, hexadecimal[:12], *image.digests)
    for tag in (*image.tags, *(digest.partition("@")[0] for digest in image.digests)):
        for prefix in ("", *_SHORT_NAMES):
            if tag.startswith(prefix):
                short = tag.removeprefix(prefix)
                yield short
                if ":" in short.rpartition("/")[2]:
                    yield short.rpartition(":")[0]
