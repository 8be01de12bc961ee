"""Who holds what: containers hold images, volumes and networks; images, networks and cache records hold their own kind.

Engines lose count at times (moby#41686, moby#38883), so references are counted here too.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import chain
from posixpath import normpath

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.model.inventory import KINDS, STOPPED_STATES, Container, Kind, Mount, Network, ObjectRef, Volume
from dockersweep.model.listed import Listed, Listing
from dockersweep.model.naming import image_name, short_id
from dockersweep.model.reason import HeldBy, Reason
from dockersweep.policy.judging.ages import Since, container_since, stopped_since
from dockersweep.policy.names.image_names import ImageNames


class Holder(Struct, frozen=True, gc=False):
    """One object that holds another."""

    place: int
    """The index of the holder among its kind."""
    about: HeldBy
    """Which object it is, how it uses the held object, and its state."""
    until: datetime | None = None
    """When a stopped container last used the held object; None for other holders and where that is not known."""
    of_project: bool = False
    """Whether it is a container of a compose project."""

    @property
    def by(self) -> ObjectRef:
        """The holder."""
        return ObjectRef(kind=self.about.kind, id=self.about.id)

    @property
    def reason(self) -> Reason:
        """Why the held object is kept as long as this holder is."""
        return Reason(code="in-use", rule="hard protection", about=self.about)


class Holders(Mapping[ObjectRef, tuple[Holder, ...]]):
    """Held object -> all its holders."""

    def __init__(self, listing: Listing, held: Iterable["_Held"]) -> None:
        """`held` is one pair after the other; an object has its holders in that order."""
        self._listing = listing
        self._by_place: dict[Kind, list[tuple[Holder, ...]]] = {
            kind: [()] * len(listing.of_kind(kind)) for kind in KINDS
        }
        self._not_listed: dict[ObjectRef, tuple[Holder, ...]] = {}
        self.own_kinds: set[Kind] = set()
        """The kinds that have an object held by another of the same kind."""
        self._add_all(held)

    def _add_all(self, held: Iterable["_Held"]) -> None:
        places = {kind: self._listing.of_kind(kind).places for kind in KINDS}
        several: dict[tuple[Kind, int], list[Holder]] = {}
        not_listed: defaultdict[ObjectRef, list[Holder]] = defaultdict(list)
        for kind, own, alone in held:
            if kind == alone[0].about.kind:
                self.own_kinds.add(kind)
            place, of_kind = places[kind].get(own), self._by_place[kind]
            if place is None:
                not_listed[ObjectRef(kind=kind, id=own)] += alone
            elif not of_kind[place]:
                of_kind[place] = alone
            else:
                several.setdefault((kind, place), [*of_kind[place]]).extend(alone)
        for (kind, place), holders in several.items():
            self._by_place[kind][place] = _each_once(holders)
        self._not_listed.update((ref, _each_once(holders)) for ref, holders in not_listed.items())

    def of_kind(self, kind: Kind) -> Sequence[tuple[Holder, ...]]:
        """Return the holders of each object of one kind, by its place; empty where nothing holds it."""
        return self._by_place[kind]

    def of(self, ref: ObjectRef) -> tuple[Holder, ...]:
        """Return the holders of an object; empty where nothing holds it."""
        place = self._listing.place(ref)
        return self._not_listed.get(ref, ()) if place is None else self._by_place[ref.kind][place]

    def __getitem__(self, ref: ObjectRef) -> tuple[Holder, ...]:
        holders = self.of(ref)
        if not holders:
            raise KeyError(ref)
        return holders

    def __iter__(self) -> Iterator[ObjectRef]:
        for kind, of_kind in self._by_place.items():
            listed = self._listing.of_kind(kind)
            yield from (listed.ref(place) for place, holders in enumerate(of_kind) if holders)
        yield from self._not_listed

    def __len__(self) -> int:
        return sum(1 for _ in self)


_Held = tuple[Kind, str, tuple[Holder]]
"""The kind and the id of an object, and one holder in a tuple: most have one only, and all that it holds share it."""


def find_holders(listing: Listing, now: datetime) -> Holders:
    """Return the holders of every object."""
    return Holders(listing, chain(_held_by_containers(listing, now), _held_by_own_kind(listing, now)))


def _each_once(holders: Sequence[Holder]) -> tuple[Holder, ...]:
    """Drop duplicates; a thousand containers may hold one network, and each may come twice."""
    if len(holders) == 2 and holders[0].about.id != holders[1].about.id:
        return tuple(holders)
    are_several = len({hold.about.id for hold in holders}) == len(holders)
    return tuple(holders if are_several else dict.fromkeys(holders))


def _held_by_containers(listing: Listing, now: datetime) -> Iterator[_Held]:
    inventory = listing.inventory
    names = ImageNames(inventory.images)
    images, networks = listing.of_kind("image").places, _NetworkNames(listing.of_kind("network"))
    mountpoints = {volume.mountpoint: volume for volume in inventory.volumes if volume.mountpoint}
    for place, container in enumerate(listing.of_kind("container").items):
        alone = (_of_container(place, container, now),)
        if container.image_id in images:
            yield "image", container.image_id, alone
        else:
            yield from (("image", image_id, alone) for image_id in names.held_by(container))
        for mount in container.mounts:
            if mount.volume:
                yield "volume", mount.volume, alone
            elif mount.type == "image":
                yield from (("image", image_id, how) for image_id, how in _mounted(mount, container, names, alone))
            else:
                yield from (("volume", name, alone) for name in volumes_mounted((mount,), mountpoints))
        for named in container.networks:
            for network_id in networks.named(named):
                yield "network", network_id, alone


class _NetworkNames:
    """Finds networks by id or name, as containers refer to them."""

    def __init__(self, listed: Listed) -> None:
        self._ids = listed.places
        self._networks: Sequence[Network] = listed.items

    def named(self, name: str) -> Sequence[str]:
        """Return the ids of the networks with this id or name."""
        by_name = self._by_name.get(name, ())
        return (name, *by_name) if name in self._ids else by_name

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[str]]:
        ids_of: dict[str, tuple[str, ...]] = {}
        for network in self._networks:
            if network.name != network.id:
                ids_of[network.name] = (*ids_of.get(network.name, ()), network.id)
        return ids_of


def _of_container(place: int, container: Container, now: datetime) -> Holder:
    since = container_since(container)
    until = None if since is None else since.instant
    return Holder(place, _uses(container, since, now), until, container.project is not None)


def _uses(container: Container, since: Since | None, now: datetime) -> HeldBy:
    return HeldBy(
        relation="uses",
        kind="container",
        id=container.id,
        name=container.name,
        state=container.state,
        stopped_seconds=_stopped_seconds(container, stopped_since(container) if container.uses else since, now),
    )


def _held_by_own_kind(listing: Listing, now: datetime) -> Iterator[_Held]:
    if any(container.shares_with for container in listing.inventory.containers):
        yield from _joined(listing.of_kind("container").items, now)
    for place, image in enumerate(listing.of_kind("image").items):
        if image.parent_id:
            about = HeldBy(relation="parent", kind="image", id=image.id, name=image_name(image))
            yield "image", image.parent_id, (Holder(place, about),)
    networks: Sequence[Network] = listing.of_kind("network").items
    lenders = {network.name: network.id for network in networks}
    for place, network in enumerate(networks):
        if network.config_from in lenders:
            about = HeldBy(relation="lends-configuration", kind="network", id=network.id, name=network.name)
            yield "network", lenders[network.config_from], (Holder(place, about),)
    for place, record in enumerate(listing.of_kind("build-cache").items):
        if record.parents:
            about = HeldBy(relation="parent", kind="build-cache", id=record.id, name=short_id(record.id))
            alone = (Holder(place, about),)
            for parent in record.parents:
                yield "build-cache", parent, alone


def _joined(containers: Sequence[Container], now: datetime) -> Iterator[_Held]:
    """Yield the containers whose namespaces others join, each with the one that joins."""
    donors = {name: container.id for container in containers for name in (container.name, container.id)}
    for place, container in enumerate(containers):
        for named in container.shares_with:
            if named in donors:
                about = replace(_uses(container, container_since(container), now), relation="joins-namespaces")
                yield "container", donors[named], (Holder(place, about),)


def _mounted(
    mount: Mount, container: Container, images: ImageNames, alone: tuple[Holder]
) -> Iterator[tuple[str, tuple[Holder]]]:
    """Yield the ids of the images that it mounts, or may mount, and how: no engine refuses to remove them.

    An engine reports only the name by which an image was mounted. The tag may have moved since, and then it may be any
    image without a tag; where nothing has the name, any image.
    """
    certain, possible = images.meant_by(mount.source or "")
    for image_id in certain:
        yield image_id, alone
    about = HeldBy(
        relation="may-mount",
        kind="container",
        id=container.id,
        name=container.name,
        mounted_as=mount.source or "",
    )
    perhaps = (Holder(alone[0].place, about, alone[0].until),)
    for image_id in possible:
        yield image_id, perhaps


def volumes_mounted(mounts: Iterable[Mount], mountpoints: Mapping[str, Volume]) -> Iterator[str]:
    """Yield the names of the volumes that mounts use; `mountpoints` is mountpoint -> volume, of all volumes."""
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
