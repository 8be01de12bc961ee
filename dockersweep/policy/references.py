"""Who holds what: containers hold images, volumes and networks; images, networks and cache records hold their own kind.

Engines lose count at times (moby#41686, moby#38883), so every reference is counted here as well.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import takewhile
from posixpath import normpath

from msgspec import Struct

from dockersweep.model.inventory import STOPPED_STATES, Container, Image, Inventory, Mount, Volume
from dockersweep.model.naming import image_name, ref_of, short_id
from dockersweep.model.plan import ObjectRef
from dockersweep.policy.ages import Since, container_since
from dockersweep.units import format_duration


class Hold(Struct, frozen=True, gc=False):
    """One object that holds another."""

    by: ObjectRef
    text: str
    """For a person: "used by container web-1 (exited 2 hours ago)"."""
    until: datetime | None = None
    """When a stopped container last used what it holds; None for other holders and where it is not known."""


Holds = Mapping[ObjectRef, tuple[Hold, ...]]


def find_holds(inventory: Inventory, now: datetime) -> Holds:
    """Return, for every object that something holds, all its holders."""
    holds: dict[ObjectRef, tuple[Hold, ...]] = {}
    # Dictionaries for their order: a thousand containers may hold one network, and each may be told twice.
    several: dict[ObjectRef, dict[Hold, None]] = {}
    for held, hold in _all_holds(inventory, now):
        if held not in holds:
            holds[held] = (hold,)
        elif held in several:
            several[held][hold] = None
        else:
            several[held] = dict.fromkeys((*holds[held], hold))
    holds.update((held, tuple(holders)) for held, holders in several.items())
    return holds


def _all_holds(inventory: Inventory, now: datetime) -> Iterator[tuple[ObjectRef, Hold]]:
    images = ImageNames(inventory.images)
    networks = defaultdict(set)
    for network in inventory.networks:
        networks[network.id].add(network.id)
        networks[network.name].add(network.id)
    donors = {name: container.id for container in inventory.containers for name in (container.name, container.id)}
    mountpoints = {volume.mountpoint: volume for volume in inventory.volumes if volume.mountpoint}
    for container in inventory.containers:
        since = container_since(container)
        told = f"container {container.name} ({_state_words(container, since, now)})"
        hold = Hold(ref_of(container), f"used by {told}", None if since is None else since.instant)
        for image_id in images.held_by(container):
            yield ObjectRef(kind="image", id=image_id), hold
        yield from images.mounted_by(container, hold)
        for name in volumes_mounted(container.mounts, mountpoints):
            yield ObjectRef(kind="volume", id=name), hold
        for named in container.networks:
            for network_id in networks.get(named, ()):
                yield ObjectRef(kind="network", id=network_id), hold
        for named in container.shares_with:
            if named in donors:
                yield ObjectRef(kind="container", id=donors[named]), Hold(hold.by, f"{told} joins its namespaces")
    yield from _holds_of_own_kind(inventory)


def _holds_of_own_kind(inventory: Inventory) -> Iterator[tuple[ObjectRef, Hold]]:
    for image in inventory.images:
        if image.parent_id:
            hold = Hold(ref_of(image), f"parent of image {image_name(image)}")
            yield ObjectRef(kind="image", id=image.parent_id), hold
    lenders = {network.name: network.id for network in inventory.networks}
    for network in inventory.networks:
        if network.config_from in lenders:
            hold = Hold(ref_of(network), f"lends its configuration to network {network.name}")
            yield ObjectRef(kind="network", id=lenders[network.config_from]), hold
    for record in inventory.build_cache or ():
        if record.parents:
            hold = Hold(ref_of(record), f"parent of build-cache record {short_id(record.id)}")
            for parent in record.parents:
                yield ObjectRef(kind="build-cache", id=parent), hold


class ImageNames:
    """Finds the images that a container or a volume names."""

    def __init__(self, images: tuple[Image, ...]) -> None:
        self._images = images
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        for image in images:
            for name in (image.id, *image.tags, *image.digests):
                self._by_name[name].append(image.id)

    @cached_property
    def _by_digits(self) -> list[tuple[str, str]]:
        return sorted((image.id.removeprefix("sha256:"), image.id) for image in self._images)

    @cached_property
    def _untagged(self) -> dict[str, None]:
        return {image.id: None for image in self._images if not image.tags}

    def held_by(self, container: Container) -> Collection[str]:
        """Return the ids of the images that it was made of."""
        return self._by_name.get(container.image_id or "") or self._named(container.image)

    def mounted_by(self, container: Container, hold: Hold) -> Iterator[tuple[ObjectRef, Hold]]:
        """Yield the images that it mounts, or may mount: no engine refuses to remove them.

        An engine tells only the name by which an image was mounted. The tag may have moved since, and then any image
        without a tag may be the one; where the name leads nowhere, any image may.
        """
        for mount in container.mounts:
            if mount.type == "image":
                certain, possible = self.meant_by(mount.source or "")
                for image_id in certain:
                    yield ObjectRef(kind="image", id=image_id), hold
                text = f"may be what container {container.name} mounts as {mount.source}"
                perhaps = Hold(hold.by, text, hold.until)
                for image_id in possible:
                    yield ObjectRef(kind="image", id=image_id), perhaps

    def meant_by(self, reference: str) -> tuple[Collection[str], Iterable[str]]:
        """Return the ids of the images that a reference names now, and of those that it may have named once."""
        named = dict.fromkeys(self._named(reference))
        possible = self._untagged if named else (image.id for image in self._images)
        return named, (image_id for image_id in possible if image_id not in named)

    def _named(self, reference: str) -> Collection[str]:
        """Return the ids of the images that a person can mean by a reference."""
        if not reference:
            return ()
        for spelling in (reference, f"{reference}:latest"):
            for prefix in ("", "localhost/", "docker.io/library/", "docker.io/"):
                if prefix + spelling in self._by_name:
                    return self._by_name[prefix + spelling]
        return self.beginning_with(reference.removeprefix("sha256:"))

    def beginning_with(self, digits: str) -> Sequence[str]:
        """Return the ids of the images whose digits begin so."""
        rest = range(bisect_left(self._by_digits, (digits, "")), len(self._by_digits))
        beginning = takewhile(lambda place: self._by_digits[place][0].startswith(digits), rest)
        return [self._by_digits[place][1] for place in beginning]


def volumes_mounted(mounts: Iterable[Mount], mountpoints: Mapping[str, Volume]) -> Iterator[str]:
    """Yield the names of the volumes that mounts use; `mountpoints` are those of all volumes."""
    for mount in mounts:
        if mount.volume:
            yield mount.volume
        elif mount.type == "bind" and mount.source:
            # A bind mount of a folder inside a volume is a use that no engine counts.
            path = normal_path(mount.source)
            while path not in mountpoints and "/" in path:
                path = path.rpartition("/")[0]
            if path in mountpoints:
                yield mountpoints[path].name


def normal_path(path: str) -> str:
    """Return an absolute path without dots and doubled slashes; normpath leaves two at the beginning, as POSIX does."""
    return normpath(f"/{path.lstrip('/')}")


def describe_state(container: Container, now: datetime) -> str:
    """Return the state of a container for people: "running", "exited 2 hours ago", "created 3 days ago"."""
    return _state_words(container, container_since(container), now)


def _state_words(container: Container, since: Since | None, now: datetime) -> str:
    if since is None or container.state not in STOPPED_STATES:
        return container.state
    return f"{container.state} {format_duration((now - since.instant).total_seconds())} ago"
