"""What the services of a swarm name, running or not: the swarm may start their tasks at any time, on any node.

A service at 0 replicas, a global one whose constraint no node meets and a completed job need what they name as much as
a running one, and a rollback needs what the previous specification named (moby#36295, moby#38733).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec.structs import replace

from dockersweep.model.image_references import tag_of, with_registry, with_tag
from dockersweep.model.inventory import (
    Container,
    Image,
    Inventory,
    Mount,
    Network,
    Object,
    ObjectRef,
    Service,
    ServiceSpec,
    Volume,
)
from dockersweep.model.naming import ref_of
from dockersweep.model.reason import Fact, Reason, ServiceUses
from dockersweep.policy.judging.holders import normal_path, volumes_mounted
from dockersweep.policy.names.image_names import ImageNames
from dockersweep.policy.names.patterns import compile_patterns
from dockersweep.words.reasons import reason_text

SERVICE_NAME = "com.docker.swarm.service.name"
_DIGITS = re.compile(r"(?:sha256:)?[0-9a-f]{4,64}")
_TEMPLATE = re.compile(r"\{\{.*?\}\}")


class ServiceHolds:
    """What the services of an inventory hold; nothing where the services cannot be seen."""

    def __init__(self, inventory: Inventory) -> None:
        self.are_seen = inventory.services is not None
        self._holds = _holds_of(inventory.services, _Names(inventory)) if inventory.services else {}

    def names(self, item: Object) -> tuple[str, ...] | None:
        """Return the names of the services that hold an object, or whose task a container is; None where a service that
        cannot be seen may hold it."""
        if type(item) is Container:
            return (item.labels[SERVICE_NAME],) if SERVICE_NAME in item.labels else ()
        if not self.are_seen:
            return None if may_be_named(item) else ()
        return tuple(self._holds.get(ref_of(item), ())) if self._holds else ()

    @property
    def reasons(self) -> Mapping[ObjectRef, tuple[Reason, ...]]:
        """Held object -> why no policy can remove it."""
        return {ref: tuple(of_services.values()) for ref, of_services in self._holds.items()}


def may_be_named(item: Object) -> bool:
    """Return whether a service that cannot be seen may need this very object. A node pulls an image again if it can,
    and no service names an anonymous volume."""
    return (
        (type(item) is Volume and not item.anonymous)
        or (type(item) is Network and (item.driver == "overlay" or item.config_only))
        or (type(item) is Image and item.in_registry is not True)
    )


def for_unseen_services(item: Object) -> tuple[Reason, ...]:
    """Return why an object is kept where the services of the swarm cannot be seen."""
    return (_UNSEEN,) if may_be_named(item) else ()


class ServicesNow:
    """Finds the service that names an object, in a list of services newer than the inventory. Thread-safe."""

    def __init__(self, inventory: Inventory) -> None:
        self._names = _Names(inventory)
        self._last: tuple[Sequence[Service], _Holds] = ((), {})

    def holder(self, services: tuple[Service, ...], ref: ObjectRef) -> str | None:
        """Return a phrase that says why an object may not be removed; None where no service names it."""
        known, holds = self._last
        if known != services:
            holds = _holds_of(services, self._names)
            self._last = (services, holds)
        return next(map(reason_text, holds.get(ref, {}).values()), None)


_Holds = Mapping[ObjectRef, Mapping[str, Reason]]
"""Held object -> service name -> why it is kept."""
_UNSEEN = Reason(code="unseen-services", rule="protection", about=Fact(name="unseen-services"))


def _holds_of(services: Iterable[Service], names: "_Names") -> _Holds:
    holds: defaultdict[ObjectRef, dict[str, Reason]] = defaultdict(dict)
    for service in services:
        uses = uses_of(service)
        for spec, about in ((service.spec, uses), (service.previous, replace(uses, for_rollback=True))):
            reason = Reason(code="service", rule="protected", about=about)
            for ref in names.named_by(spec) if spec else ():
                holds[ref].setdefault(service.name, reason)
    return holds


def uses_of(service: Service) -> ServiceUses:
    """Return how a service uses the objects that it names."""
    return ServiceUses(
        service=service.name,
        mode=service.mode,
        desired=service.desired,
        running=service.running,
        completed=service.completed,
    )


class _Names:
    """Finds the objects of an inventory by the names that services use."""

    def __init__(self, inventory: Inventory) -> None:
        self._by_id = ImageNames(inventory.images)
        self._by_tag: defaultdict[str, set[str]] = defaultdict(set)
        self._by_digest: defaultdict[str, set[str]] = defaultdict(set)
        for image in inventory.images:
            for tag in image.tags:
                self._by_tag[with_registry(tag)].add(image.id)
            for digest in (image.id, image.manifest, *(name.partition("@")[2] for name in image.digests)):
                if digest:
                    self._by_digest[digest].add(image.id)
        self._volumes = [volume.name for volume in inventory.volumes]
        self._fitting: dict[str, list[str]] = {}
        self._mountpoints = {volume.mountpoint: volume for volume in inventory.volumes if volume.mountpoint}
        self._networks: Mapping[str, list[str]] = _networks_by_name(inventory.networks)

    def named_by(self, spec: ServiceSpec) -> Iterator[ObjectRef]:
        """Yield what a specification names."""
        mounted = [mount.source for mount in spec.mounts if mount.type == "image" and mount.source]
        for reference in (*spec.images, *mounted):
            for image_id in self._images_named(reference):
                yield ObjectRef(kind="image", id=image_id)
        for name in self._volumes_of(spec.mounts):
            yield ObjectRef(kind="volume", id=name)
        for network in spec.networks:
            for network_id in self._networks.get(network, ()):
                yield ObjectRef(kind="network", id=network_id)

    def _images_named(self, reference: str) -> set[str]:
        """Return the images with the tag or the digest of a reference, which can have both. The digest may be that of
        an index, a manifest or a configuration, and it counts in whatever repository."""
        name, _, digest = reference.partition("@")
        image_ids = set(self._by_digest.get(digest, ()))
        if not digest or tag_of(name):
            image_ids |= self._by_tag.get(with_tag(with_registry(name)), set())
        if not image_ids and not digest and _DIGITS.fullmatch(name):
            return set(self._by_id.beginning_with(name.removeprefix("sha256:")))
        return image_ids

    def _volumes_of(self, mounts: Sequence[Mount]) -> Iterator[str]:
        for mount in mounts:
            if mount.type == "bind" and mount.source and "{{" in mount.source:
                yield from self._volumes_around(_TEMPLATE.sub("*", mount.source))
        for name in volumes_mounted(mounts, self._mountpoints):
            yield from self._volumes_that_fit(_TEMPLATE.sub("*", name)) if "{{" in name else (name,)

    def _volumes_that_fit(self, pattern: str) -> Sequence[str]:
        """Each task expands a template in its own way, so every volume whose name fits may be used."""
        if pattern not in self._fitting:
            fits = compile_patterns([pattern])
            self._fitting[pattern] = [volume for volume in self._volumes if fits(volume)]
        return self._fitting[pattern]

    def _volumes_around(self, path: str) -> Iterator[str]:
        parts = normal_path(path).split("/")
        for mountpoint, volume in self._mountpoints.items():
            folders = mountpoint.split("/")
            if len(folders) <= len(parts) and all(map(fnmatchcase, folders, parts)):
                yield volume.name


def _networks_by_name(networks: Iterable[Network]) -> Mapping[str, list[str]]:
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for network in networks:
        for name in {network.id, network.name}:
            ids[name].append(network.id)
    return ids
