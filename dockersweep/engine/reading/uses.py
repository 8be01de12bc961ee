"""Derives the last uses of existing objects from an engine's events. Pure: makes no requests."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal, NamedTuple

from msgspec.structs import replace

from dockersweep.engine.api.lists import ARCHIVING_LABEL
from dockersweep.engine.reading.events import EventReading, nanos_of
from dockersweep.engine.reading.image_names import ImageNames
from dockersweep.model.compose_labels import project_in, service_in
from dockersweep.model.event_reading import EngineEvent, Held, NoticedUses
from dockersweep.model.inventory import Container, Inventory, ObjectRef
from dockersweep.model.last_use import PastUse, UseAction, last_of

# Podman has exec, mount and init where Docker has other words or none. Removals are not uses: destroy, remove, untag,
# delete, prune.
_OF_CONTAINER: dict[str, UseAction] = {
    "create": "created", "start": "started", "restart": "started", "unpause": "started", "die": "exited",
    "stop": "exited", "exec_start": "ran a command", "exec": "ran a command", "archive-path": "copied files",
    "extract-to-dir": "copied files", "copy": "copied files", "export": "exported", "commit": "committed",
}  # fmt: skip
_WITHOUT_HELD: tuple[UseAction, ...] = ("exported", "committed")
"""These actions do not use the container's volumes and networks."""
_OF_VOLUME: dict[str, UseAction] = {"mount": "mounted", "unmount": "unmounted"}
_OF_NETWORK: dict[str, UseAction] = {"connect": "connected", "disconnect": "disconnected"}
_OF_IMAGE: dict[str, UseAction] = {
    "pull": "pulled", "load": "loaded", "loadfromarchive": "loaded", "import": "imported", "tag": "tagged",
    "create": "built", "build": "built", "save": "saved", "push": "pushed", "mount": "mounted", "unmount": "unmounted",
}  # fmt: skip


_REMOVED = ("destroy", "remove")
"""The actions of Docker and Podman when a volume or a network is removed."""

TOLD: dict[str, frozenset[str]] = {
    "container": frozenset(_OF_CONTAINER),
    "volume": frozenset((*_OF_VOLUME, *_REMOVED)),
    "network": frozenset((*_OF_NETWORK, *_REMOVED)),
    "image": frozenset(_OF_IMAGE),
}
"""By type, the actions that tell of uses, or which object of a name is meant; without what follows a colon."""

Use = tuple[ObjectRef, PastUse]
_HeldKind = Literal["volume", "network"]


class _User(NamedTuple):
    """A container that uses objects; it may be gone."""

    name: str | None
    project: str | None
    service: str | None


def noticed_in(
    reading: EventReading, inventory: Inventory, pending: tuple[EngineEvent, ...] = ()
) -> tuple[Inventory, NoticedUses | None]:
    """Return the inventory with the warnings of a reading, and the uses of existing objects by its events and those
    that a watcher recorded before; None if there was nothing to read."""
    warned = replace(inventory, warnings=(*inventory.warnings, *reading.warnings))
    if reading.position is None:
        # The engine's refusal must not hide what is known of it.
        known = NoticedUses(position=None, watched=None, uses=uses_of(pending, inventory), pending=pending)
        return warned, known if pending else None
    watched = reading.watched
    if watched is not None and inventory.engine.flavour == "podman" and _has_gone_container(reading.events, inventory):
        watched = replace(watched, of_held=False)
    ends = nanos_of(reading.position.ends_at)
    # The clock may have been set back since.
    events = (event._replace(at_nanos=min(event.at_nanos, ends)) for event in pending)
    uses = uses_of((*reading.events, *events), inventory)
    return warned, NoticedUses(position=reading.position, watched=watched, uses=uses, pending=pending)


def _has_gone_container(events: Iterable[EngineEvent], inventory: Inventory) -> bool:
    """Return whether a container ran that is gone. Podman's events do not name a container's volumes, nor the networks
    it starts with (tried on 5.8 and 6.1; events_container_create_inspect_data adds them only to the log)."""
    present = {container.id for container in inventory.containers}
    return any(
        event.type == "container" and event.action in _OF_CONTAINER and event.id not in present for event in events
    )


def uses_of(events: Iterable[EngineEvent], inventory: Inventory) -> dict[ObjectRef, tuple[PastUse, ...]]:
    """Return the last uses of each existing object, as `last_of` does."""
    uses_by_ref: dict[ObjectRef, list[PastUse]] = {}
    in_order = sorted(events, key=lambda event: event.at_nanos, reverse=True)
    for ref, use in _Uses(in_order, inventory).all():
        uses_by_ref.setdefault(ref, []).append(use)
    return {ref: last_of(uses) for ref, uses in uses_by_ref.items()}


class _Uses:
    """The uses of an inventory's objects in a sequence of events. There may be many objects and no events, so objects
    are only looked up when an event needs them."""

    def __init__(self, events: Sequence[EngineEvent], inventory: Inventory) -> None:
        """The newest event must come first."""
        self._events, self._inventory = events, inventory
        self._former: set[tuple[str, str]] = set()
        """Volumes and networks that a removal was seen of: older events are about a former one of the same name."""
        self._own = {event.id for event in events if ARCHIVING_LABEL in event.attributes}
        """Containers of dockersweep itself, whose events are no uses."""
        if inventory.own_container_id is not None:
            self._own.add(inventory.own_container_id)

    @cached_property
    def _containers(self) -> dict[str, Container]:
        return {container.id: container for container in self._inventory.containers}

    @cached_property
    def _volumes(self) -> frozenset[str]:
        return frozenset(volume.name for volume in self._inventory.volumes)

    @cached_property
    def _networks(self) -> dict[str, str]:
        """Their ids, by name and by id; without predefined ones."""
        own = [network for network in self._inventory.networks if not network.predefined]
        return {key: network.id for network in own for key in (network.name, network.id)}

    @cached_property
    def _images(self) -> ImageNames:
        return ImageNames(self._inventory.images, self._events)

    @cached_property
    def _event_users(self) -> dict[str, _User]:
        """The containers that have events."""
        by_id = [(event.id, event.attributes) for event in self._events if event.type == "container"]
        return {container_id: _user(attributes.get("name"), attributes) for container_id, attributes in by_id}

    @cached_property
    def _probes(self) -> frozenset[tuple[str, str]]:
        return _probes(self._events)

    def all(self) -> Iterator[Use]:
        """Yield each use of an existing object, in the order of the events."""
        for event in self._events:
            if not self._own.isdisjoint((event.id, event.attributes.get("container"))):
                continue
            if event.type == "container":
                yield from self._of_container(event)
            elif event.type == "image" and event.action in _OF_IMAGE:
                for image_id in self._images.of_event(event):
                    yield ObjectRef(kind="image", id=image_id), PastUse(at=_at(event), action=_OF_IMAGE[event.action])
            elif event.type in ("volume", "network") and event.action in _REMOVED:
                self._former.add((event.type, _name_of(event)))
            elif event.type == "volume" and event.action in _OF_VOLUME:
                yield from self._held_use("volume", event.id, event, _OF_VOLUME[event.action])
            elif event.type == "network" and event.action in _OF_NETWORK:
                yield from self._held_use("network", _name_of(event), event, _OF_NETWORK[event.action])

    def _held_use(self, kind: _HeldKind, name: str, event: EngineEvent, action: UseAction) -> Iterator[Use]:
        """Yield a container's use of a volume or a network, if that exists."""
        own_id = self._id_of(kind, name)
        if own_id is not None:
            by = event.attributes.get("container") or (event.id if event.id != name else "")
            yield ObjectRef(kind=kind, id=own_id), self._by(by, event, action)

    def _of_container(self, event: EngineEvent) -> Iterator[Use]:
        """Yield the uses by a container's event: of itself, of its image, and mostly of its volumes and networks."""
        verb = event.action.partition(":")[0]
        if verb not in _OF_CONTAINER or (event.id, event.action) in self._probes:
            return
        action, container = _OF_CONTAINER[verb], self._containers.get(event.id)
        use = self._by(event.id, event, action)
        if action == "committed":
            # Podman does not name the image that a commit makes (tried on 6.1). Elsewhere this is a label.
            for image_id in self._images.named(event.attributes.get("imageID", ""), event.at_nanos):
                yield ObjectRef(kind="image", id=image_id), PastUse(at=use.at, action="made by commit")
        if container is not None:
            yield ObjectRef(kind="container", id=event.id), PastUse(at=use.at, action=action)
            yield from ((ref, use) for ref in self._holds(container, action))
        else:
            for image_id in self._images.named(event.attributes.get("image", ""), event.at_nanos):
                yield ObjectRef(kind="image", id=image_id), use
            if event.held is not None and action not in _WITHOUT_HELD:
                yield from ((ref, use) for ref in self._held_of(event.held))

    def _held_of(self, held: Held) -> Iterator[ObjectRef]:
        """Yield what a container held that is gone."""
        for volume in held.volumes:
            if self._id_of("volume", volume) is not None:
                yield ObjectRef(kind="volume", id=volume)
        for network in held.networks:
            if (network_id := self._id_of("network", network)) is not None:
                yield ObjectRef(kind="network", id=network_id)

    def _id_of(self, kind: _HeldKind, name: str) -> str | None:
        """Return the id of the volume or network that had a name at the time of the event; None where it is gone."""
        if (kind, name) in self._former:
            return None
        return self._networks.get(name) if kind == "network" else name if name in self._volumes else None

    def _holds(self, container: Container, action: UseAction) -> Iterator[ObjectRef]:
        """Yield the objects of a container that an action uses."""
        if container.image_id is not None:
            yield ObjectRef(kind="image", id=container.image_id)
        if action in _WITHOUT_HELD:
            return
        for mount in container.mounts:
            if mount.volume in self._volumes:
                yield ObjectRef(kind="volume", id=mount.volume or "")
        for named in container.networks:
            if named in self._networks:
                yield ObjectRef(kind="network", id=self._networks[named])

    def _by(self, container_id: str, event: EngineEvent, action: UseAction) -> PastUse:
        container = self._containers.get(container_id)
        user = _user(container.name, container.labels) if container else self._event_users.get(container_id)
        return PastUse(
            at=_at(event),
            action=action,
            by=user.name if user else None,
            by_id=container_id or None,
            project=user.project if user else None,
            service=user.service if user else None,
        )


def _name_of(event: EngineEvent) -> str:
    """Return the name or id of a volume or network; in Podman's events the id of a network may be its container's, and
    a volume has none (tried on 5.8)."""
    return event.attributes.get("network") or event.id or event.attributes.get("name", "")


def _user(name: str | None, labels: Mapping[str, str]) -> _User:
    return _User(name or None, project_in(labels), service_in(labels))


def _probes(events: Iterable[EngineEvent]) -> frozenset[tuple[str, str]]:
    """Return the container and the action of each exec that occurs more than twice, and so is probably a health check.
    Events do not distinguish them, and the container runs anyway."""
    counted = Counter[tuple[str, str]]()
    for event in events:
        if event.action.startswith("exec_start:"):
            counted[event.id, event.action] += event.times
    return frozenset(probe for probe, count in counted.items() if count > 2)


def _at(event: EngineEvent) -> datetime:
    return datetime.fromtimestamp(event.at_nanos // 10**9, UTC)
