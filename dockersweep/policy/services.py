"""What the services of a swarm name, running or not: the swarm starts tasks of them at any time, on any node.

A service at 0 replicas, a global one whose constraint no node meets and a job that is done need what they name as much
as one that runs, and a rollback needs what the specification before named (moby#36295, moby#38733).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from dockersweep.model.inventory import (
    Container,
    Image,
    Inventory,
    Mount,
    Network,
    Object,
    Service,
    ServiceSpec,
    Volume,
)
from dockersweep.model.naming import ref_of
from dockersweep.model.plan import ObjectRef, Reason
from dockersweep.policy.image_names import with_registry
from dockersweep.policy.patterns import compile_patterns
from dockersweep.policy.references import ImageNames, normal_path, volumes_mounted

SERVICE_NAME = "com.docker.swarm.service.name"
_DIGITS = re.compile(r"(?:sha256:)?[0-9a-f]{4,64}")
_TEMPLATE = re.compile(r"\{\{.*?\}\}")


class ServiceHolds:
    """What the services of an inventory hold. Where they cannot be seen, that is nothing."""

    def __init__(self, inventory: Inventory) -> None:
        self.are_seen = inventory.services is not None
        self._holds = _holds_of(inventory.services, _Names(inventory)) if inventory.services else {}

    def names(self, seen: Object) -> tuple[str, ...] | None:
        """Return the names of the services that hold an object, or whose task a container is; None where it may be
        one that cannot be seen."""
        if type(seen) is Container:
            return (seen.labels[SERVICE_NAME],) if SERVICE_NAME in seen.labels else ()
        if not self.are_seen:
            return None if may_be_named(seen) else ()
        return tuple(self._holds.get(ref_of(seen), ())) if self._holds else ()

    def reasons(self, seen: Object) -> Sequence[Reason]:
        """Return why no policy can remove an object that services hold."""
        if not self._holds:
            return ()
        return [
            Reason(code="service", rule="protected", text=text) for text in self._holds.get(ref_of(seen), {}).values()
        ]


def may_be_named(seen: Object) -> bool:
    """Return whether a service that cannot be seen may need this very object. What can be pulled again is pulled anew
    by the node that needs it, and without a name no service names a volume."""
    return (
        (type(seen) is Volume and not seen.anonymous)
        or (type(seen) is Network and (seen.driver == "overlay" or seen.config_only))
        or (type(seen) is Image and seen.in_registry is not True)
    )


def for_unseen_services(seen: Object) -> Iterator[Reason]:
    """Yield why an object stays where the services of the swarm cannot be seen."""
    if may_be_named(seen):
        text = "a service of the swarm may use it, and services cannot be seen here (protect.unseen_services)"
        yield Reason(code="unseen-services", rule="protection", text=text)


class ServicesNow:
    """Which service names an object of an inventory, by services that are read anew. Safe for several threads."""

    def __init__(self, inventory: Inventory) -> None:
        self._names = _Names(inventory)
        self._last: tuple[Sequence[Service], _Holds] = ((), {})

    def holder(self, services: tuple[Service, ...], ref: ObjectRef) -> str | None:
        """Return why an object may not go, for a person; None where no service names it."""
        known, holds = self._last
        if known != services:
            holds = _holds_of(services, self._names)
            self._last = (services, holds)
        return next(iter(holds.get(ref, {}).values()), None)


_Holds = Mapping[ObjectRef, Mapping[str, str]]
"""Of each object that services hold: their names, and what is said of each."""


def _holds_of(services: Iterable[Service], names: "_Names") -> _Holds:
    holds: defaultdict[ObjectRef, dict[str, str]] = defaultdict(dict)
    for service in services:
        text = f"used by service {service.name} ({describe_tasks(service)})"
        for spec, why in ((service.spec, ""), (service.previous, ", for a rollback")):
            for ref in names.named_by(spec) if spec else ():
                holds[ref].setdefault(service.name, text + why)
    return holds


def describe_tasks(service: Service) -> str:
    """Return how many tasks a service has: "0 of 0 replicas", "global, 2 of 3 tasks", "job, 1 task done"."""
    if service.mode.endswith("job"):
        done = service.completed
        return "job" if done is None else f"job, {done} {'task' if done == 1 else 'tasks'} done"
    counted = "" if service.desired is None else f"{service.desired} "
    if service.running is not None:
        counted = f"{service.running} of {counted}"
    if service.mode == "global":
        return f"global, {counted}tasks" if counted else "global"
    return f"{counted}replicas" if counted else "replicated"


class _Names:
    """Finds the objects of an inventory by what a service calls them."""

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
        """Return the images by a tag and by a digest: a reference can have both. A digest may be that of an index, of
        a manifest or of a configuration, and no repository need be known to have it here."""
        name, _, digest = reference.partition("@")
        found = set(self._by_digest.get(digest, ()))
        if not digest or _has_tag(name):
            found |= self._by_tag.get(_with_tag(name), set())
        if not found and not digest and _DIGITS.fullmatch(name):
            return set(self._by_id.beginning_with(name.removeprefix("sha256:")))
        return found

    def _volumes_of(self, mounts: Sequence[Mount]) -> Iterator[str]:
        for mount in mounts:
            if mount.type == "bind" and mount.source and "{{" in mount.source:
                yield from self._volumes_around(_TEMPLATE.sub("*", mount.source))
        for name in volumes_mounted(mounts, self._mountpoints):
            yield from self._volumes_that_fit(_TEMPLATE.sub("*", name)) if "{{" in name else (name,)

    def _volumes_that_fit(self, pattern: str) -> Sequence[str]:
        """What each task makes of a template is not known here, so every name that fits may be one."""
        if pattern not in self._fitting:
            fits = compile_patterns([pattern])
            self._fitting[pattern] = [volume for volume in self._volumes if fits(volume)]
        return self._fitting[pattern]

    def _volumes_around(self, path: str) -> Iterator[str]:
        parts = normal_path(path).split("/")
        for mountpoint, volume in self._mountpoints.items():
            told = mountpoint.split("/")
            if len(told) <= len(parts) and all(map(fnmatchcase, told, parts)):
                yield volume.name


def _networks_by_name(networks: Iterable[Network]) -> Mapping[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for network in networks:
        for name in {network.id, network.name}:
            found[name].append(network.id)
    return found


def _with_tag(name: str) -> str:
    """Return a name in full: with the registry and the tag that are meant where none is written."""
    whole = with_registry(name)
    return whole if _has_tag(whole) else f"{whole}:latest"


def _has_tag(name: str) -> bool:
    return ":" in name.rpartition("/")[2]
