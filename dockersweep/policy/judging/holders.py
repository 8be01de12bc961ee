"""Who holds what: containers hold images, volumes and networks; images, networks and cache records hold their own kind.

Engines lose count at times (moby#41686, moby#38883), so every reference is counted here as well.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from posixpath import normpath

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.model.inventory import STOPPED_STATES, Container, Inventory, Kind, Mount, ObjectRef, Volume
from dockersweep.model.naming import image_name, short_id
from dockersweep.model.reason import HeldBy, Reason
from dockersweep.policy.judging.ages import Since, container_since, stopped_since
from dockersweep.policy.names.image_names import ImageNames


class Holder(Struct, frozen=True, gc=False):
    """One object that holds another."""

    by: ObjectRef
    about: HeldBy
    """What it does with what it holds, and its state."""
    reason: Reason
    """Why what it holds stays as long as it does."""
    until: datetime | None = None
    """When a stopped container last used what it holds; None for other holders and where it is not known."""
    of_project: bool = False
    """Whether it is a container of a compose project."""


class Holders(dict[ObjectRef, tuple[Holder, ...]]):
    """For every object that something holds, all its holders."""

    def __init__(self) -> None:
        super().__init__()
        self.own_kinds: set[Kind] = set()
        """The kinds of which any object holds another of them."""


def find_holders(inventory: Inventory, now: datetime) -> Holders:
    """Return what holds each object."""
    holds = Holders()
    # Dictionaries for their order: a thousand containers may hold one network, and each may be told twice.
    several: dict[ObjectRef, dict[Holder, None]] = {}
    for held, hold in _all_holders(inventory, now):
        if held.kind == hold.by.kind:
            holds.own_kinds.add(held.kind)
        if held not in holds:
            holds[held] = (hold,)
        elif held in several:
            several[held][hold] = None
        else:
            several[held] = dict.fromkeys((*holds[held], hold))
    holds.update((held, tuple(holders)) for held, holders in several.items())
    return holds


def _all_holders(inventory: Inventory, now: datetime) -> Iterator[tuple[ObjectRef, Holder]]:
    images = ImageNames(inventory.images)
    networks = {network.id: [network.id] for network in inventory.networks}
    for network in inventory.networks:
        if network.name != network.id:
            networks.setdefault(network.name, []).append(network.id)
    donors: dict[str, str] = {}
    if any(container.shares_with for container in inventory.containers):
        donors = {name: container.id for container in inventory.containers for name in (container.name, container.id)}
    mountpoints = {volume.mountpoint: volume for volume in inventory.volumes if volume.mountpoint}
    for container in inventory.containers:
        since = container_since(container)
        until = None if since is None else since.instant
        about = HeldBy(
            relation="uses",
            kind="container",
            id=container.id,
            name=container.name,
            state=container.state,
            stopped_seconds=_stopped_seconds(container, stopped_since(container) if container.uses else since, now),
        )
        hold = _holder(about, until, container.project is not None)
        for image_id in images.held_by(container):
            yield ObjectRef(kind="image", id=image_id), hold
        if container.mounts:
            yield from _images_mounted(container, images, hold)
            for name in volumes_mounted(container.mounts, mountpoints):
                yield ObjectRef(kind="volume", id=name), hold
        for named in container.networks:
            for network_id in networks.get(named, ()):
                yield ObjectRef(kind="network", id=network_id), hold
        for named in container.shares_with:
            if named in donors:
                yield (
                    ObjectRef(kind="container", id=donors[named]),
                    _holder(replace(about, relation="joins-namespaces")),
                )
    yield from _holders_of_own_kind(inventory)


def _holder(about: HeldBy, until: datetime | None = None, of_project: bool = False) -> Holder:
    reason = Reason(code="in-use", rule="hard protection", about=about)
    return Holder(ObjectRef(kind=about.kind, id=about.id), about, reason, until, of_project)


def _holders_of_own_kind(inventory: Inventory) -> Iterator[tuple[ObjectRef, Holder]]:
    for image in inventory.images:
        if image.parent_id:
            hold = _holder(HeldBy(relation="parent", kind="image", id=image.id, name=image_name(image)))
            yield ObjectRef(kind="image", id=image.parent_id), hold
    lenders = {network.name: network.id for network in inventory.networks}
    for network in inventory.networks:
        if network.config_from in lenders:
            about = HeldBy(relation="lends-configuration", kind="network", id=network.id, name=network.name)
            hold = _holder(about)
            yield ObjectRef(kind="network", id=lenders[network.config_from]), hold
    for record in inventory.build_cache or ():
        if record.parents:
            name = short_id(record.id)
            hold = _holder(HeldBy(relation="parent", kind="build-cache", id=record.id, name=name))
            for parent in record.parents:
                yield ObjectRef(kind="build-cache", id=parent), hold


def _images_mounted(container: Container, images: ImageNames, hold: Holder) -> Iterator[tuple[ObjectRef, Holder]]:
    """Yield the images that it mounts, or may mount: no engine refuses to remove them.

    An engine tells only the name by which an image was mounted. The tag may have moved since, and then any image
    without a tag may be the one; where the name leads nowhere, any image may.
    """
    for mount in container.mounts:
        if mount.type == "image":
            certain, possible = images.meant_by(mount.source or "")
            for image_id in certain:
                yield ObjectRef(kind="image", id=image_id), hold
            about = HeldBy(
                relation="may-mount",
                kind="container",
                id=container.id,
                name=container.name,
                mounted_as=mount.source or "",
            )
            perhaps = _holder(about, hold.until)
            for image_id in possible:
                yield ObjectRef(kind="image", id=image_id), perhaps


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


def stopped_seconds(container: Container, now: datetime) -> int | None:
    """Return how long ago a container stopped, or was created where it never ran; None where it runs."""
    return _stopped_seconds(container, stopped_since(container), now)


def _stopped_seconds(container: Container, since: Since | None, now: datetime) -> int | None:
    return None if since is None or container.state not in STOPPED_STATES else since.seconds(now)
