"""Who holds what: containers hold images, volumes and networks; images, networks and cache records hold their own kind.

Engines lose count at times (moby#41686, moby#38883), so every reference is counted here as well.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from posixpath import normpath

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.model.inventory import KINDS, STOPPED_STATES, Container, Inventory, Kind, Mount, ObjectRef, Volume
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


class Holders(Mapping[ObjectRef, tuple[Holder, ...]]):
    """For every object that something holds, all its holders."""

    def __init__(self, of_kinds: Mapping[Kind, Mapping[str, tuple[Holder, ...]]], own_kinds: Collection[Kind]) -> None:
        """`of_kinds` has them by the kinds and ids of what they hold."""
        self._of_kinds = of_kinds
        self.own_kinds = own_kinds
        """The kinds of which any object holds another of them."""

    def of_kind(self, kind: Kind) -> Mapping[str, tuple[Holder, ...]]:
        """Return the holders of the objects of one kind, by the ids of these."""
        return self._of_kinds[kind]

    def __getitem__(self, ref: ObjectRef) -> tuple[Holder, ...]:
        return self._of_kinds[ref.kind][ref.id]

    def __iter__(self) -> Iterator[ObjectRef]:
        return (ObjectRef(kind=kind, id=own) for kind, held in self._of_kinds.items() for own in held)

    def __len__(self) -> int:
        return sum(map(len, self._of_kinds.values()))


_Held = tuple[Kind, str, Holder]
"""The kind and the id of an object, and what holds it."""


def find_holders(inventory: Inventory, now: datetime) -> Holders:
    """Return what holds each object."""
    found: dict[Kind, dict[str, tuple[Holder, ...]]] = {kind: {} for kind in KINDS}
    several: dict[tuple[Kind, str], list[Holder]] = {}
    own_kinds = set()
    for kind, own, hold in chain(_held_by_containers(inventory, now), _held_by_own_kind(inventory, now)):
        if kind == hold.by.kind:
            own_kinds.add(kind)
        of_kind = found[kind]
        if own not in of_kind:
            of_kind[own] = (hold,)
        else:
            several.setdefault((kind, own), [*of_kind[own]]).append(hold)
    for (kind, own), holders in several.items():
        found[kind][own] = _each_once(holders)
    return Holders(found, own_kinds)


def _each_once(holders: Sequence[Holder]) -> tuple[Holder, ...]:
    """A thousand containers may hold one network, and each may be told twice."""
    are_several = len({hold.by.id for hold in holders}) == len(holders)
    return tuple(holders if are_several else dict.fromkeys(holders))


def _held_by_containers(inventory: Inventory, now: datetime) -> Iterator[_Held]:
    images = ImageNames(inventory.images)
    networks = {network.id: [network.id] for network in inventory.networks}
    for network in inventory.networks:
        if network.name != network.id:
            networks.setdefault(network.name, []).append(network.id)
    mountpoints = {volume.mountpoint: volume for volume in inventory.volumes if volume.mountpoint}
    for container in inventory.containers:
        hold = _of_container(container, now)
        for image_id in images.held_by(container):
            yield "image", image_id, hold
        if container.mounts:
            for image_id, how in _images_mounted(container, images, hold):
                yield "image", image_id, how
            for name in volumes_mounted(container.mounts, mountpoints):
                yield "volume", name, hold
        for named in container.networks:
            for network_id in networks.get(named, ()):
                yield "network", network_id, hold


def _of_container(container: Container, now: datetime) -> Holder:
    since = container_since(container)
    until = None if since is None else since.instant
    return _holder(_uses(container, since, now), until, container.project is not None)


def _uses(container: Container, since: Since | None, now: datetime) -> HeldBy:
    return HeldBy(
        relation="uses",
        kind="container",
        id=container.id,
        name=container.name,
        state=container.state,
        stopped_seconds=_stopped_seconds(container, stopped_since(container) if container.uses else since, now),
    )


def _holder(about: HeldBy, until: datetime | None = None, of_project: bool = False) -> Holder:
    reason = Reason(code="in-use", rule="hard protection", about=about)
    return Holder(ObjectRef(kind=about.kind, id=about.id), about, reason, until, of_project)


def _held_by_own_kind(inventory: Inventory, now: datetime) -> Iterator[_Held]:
    joining = [container for container in inventory.containers if container.shares_with]
    if joining:
        yield from _joined(joining, inventory.containers, now)
    for image in inventory.images:
        if image.parent_id:
            about = HeldBy(relation="parent", kind="image", id=image.id, name=image_name(image))
            yield "image", image.parent_id, _holder(about)
    lenders = {network.name: network.id for network in inventory.networks}
    for network in inventory.networks:
        if network.config_from in lenders:
            about = HeldBy(relation="lends-configuration", kind="network", id=network.id, name=network.name)
            yield "network", lenders[network.config_from], _holder(about)
    for record in inventory.build_cache or ():
        if record.parents:
            hold = _holder(HeldBy(relation="parent", kind="build-cache", id=record.id, name=short_id(record.id)))
            for parent in record.parents:
                yield "build-cache", parent, hold


def _joined(joining: Iterable[Container], containers: Iterable[Container], now: datetime) -> Iterator[_Held]:
    """Yield the containers whose namespaces others join."""
    donors = {name: container.id for container in containers for name in (container.name, container.id)}
    for container in joining:
        about = replace(_uses(container, container_since(container), now), relation="joins-namespaces")
        for named in container.shares_with:
            if named in donors:
                yield "container", donors[named], _holder(about)


def _images_mounted(container: Container, images: ImageNames, hold: Holder) -> Iterator[tuple[str, Holder]]:
    """Yield the ids of the images that it mounts, or may mount, and how: no engine refuses to remove them.

    An engine tells only the name by which an image was mounted. The tag may have moved since, and then any image
    without a tag may be the one; where the name leads nowhere, any image may.
    """
    for mount in container.mounts:
        if mount.type == "image":
            certain, possible = images.meant_by(mount.source or "")
            for image_id in certain:
                yield image_id, hold
            about = HeldBy(
                relation="may-mount",
                kind="container",
                id=container.id,
                name=container.name,
                mounted_as=mount.source or "",
            )
            perhaps = _holder(about, hold.until)
            for image_id in possible:
                yield image_id, perhaps


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
