"""The lists of an engine's objects, and what they take on its disk: what a scan asks for."""

import re
from collections.abc import Iterable
from datetime import datetime

from dockersweep.engine.api import wire
from dockersweep.engine.api.answers import DiskUsage, ListedContainer, UsagePart
from dockersweep.engine.api.list_requests import (
    CONTAINERS,
    FREE_VOLUMES,
    NETWORKS,
    PODMAN_CONTAINERS,
    VOLUMES,
    ListRequest,
    all_images,
    volumes_that,
)
from dockersweep.engine.api.session import Session, Shape
from dockersweep.engine.api.status_text import read_ended
from dockersweep.engine.api.swarm import service_from_list
from dockersweep.engine.api.translate import (
    container_from_list,
    external_from_list,
    image_from_list,
    network_from_list,
    record_from_usage,
    size_or_unknown,
    volume_from_list,
)
from dockersweep.model.external import ExternalContainer
from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Network, Service, Volume


class Lists(Session):
    """What an engine lists, in our nouns. Raises EngineError where an answer does not hold."""

    def containers(self) -> tuple[Container, ...]:
        """Return every container in every state, without what only an inspect tells."""
        return tuple(listed.container for listed in self.listed_containers())

    def listed_containers(self) -> tuple[ListedContainer, ...]:
        """Return the same, each with how it ended."""
        listed = self._listed(CONTAINERS, list[wire.WireContainer])
        return tuple(ListedContainer(container_from_list(one), read_ended(one.status)) for one in listed)

    def podman_containers(self) -> tuple[tuple[wire.WirePodmanContainer, ...], tuple[ExternalContainer, ...]]:
        """Return Podman's containers as its own list has them, and those in its storage that are not its own: of
        builds, of CRI-O, of volumes."""
        listed = self._listed(PODMAN_CONTAINERS, list[wire.WirePodmanContainer])
        external = tuple(external_from_list(one) for one in listed if one.state == "storage")
        return tuple(one for one in listed if one.state != "storage"), external

    def run_root(self) -> str | None:
        """Return the folder of what Podman keeps until the next boot."""
        store = self._get("/libpod/info", wire.WirePodmanInfo).store
        return store.run_root or None if store else None

    def images(self) -> tuple[Image, ...]:
        """Return every image, intermediates as well."""
        listed = self._listed(all_images(self.quirks), list[wire.WireImage])
        has_shared_size, source = self.quirks.tells_true_shared_size, self.quirks.registry_source
        images = (image_from_list(image, has_shared_size, source) for image in listed)
        return _of_all_stores(images) if self.quirks.lists_images_per_store else tuple(images)

    def image_tags(self) -> tuple[str, ...]:
        """Return the tags of all images; without sizes an engine tells them at once."""
        listed = self._list("/images/json", list[wire.WireImage])
        return tuple(tag for image in listed for tag in image.repo_tags or ())

    def volumes(self) -> tuple[tuple[Volume, ...], tuple[str, ...]]:
        """Return every volume, with the engine's own word on whether it is in use; and the engine's warnings, which
        tell of plugins that did not answer."""
        answer = self._listed(VOLUMES, wire.WireVolumes)
        free = {volume.name for volume in self._listed(FREE_VOLUMES, wire.WireVolumes).volumes or ()}
        marks_anonymous = self.quirks.marks_anonymous_volumes
        volumes = (volume_from_list(volume, volume.name in free, marks_anonymous) for volume in answer.volumes or ())
        return tuple(volumes), tuple(answer.warnings or ())

    def volume_names(self, beginning: str) -> tuple[str, ...]:
        """Return the names of the volumes whose names begin so."""
        listed = self._listed(volumes_that("name", "^" + re.escape(beginning)), wire.WireVolumes).volumes
        return tuple(volume.name for volume in listed or () if volume.name.startswith(beginning))

    def networks(self) -> tuple[Network, ...]:
        """Return every network."""
        return tuple(map(network_from_list, self._listed(NETWORKS, list[wire.WireNetwork])))

    def services(self) -> tuple[Service, ...]:
        """Return every service of the swarm, by name; only a manager tells them, others answer 503."""
        params = {"status": "true"} if self.quirks.counts_tasks else {}
        listed = self._list("/services", list[wire.WireService], params=params)
        return tuple(sorted(map(service_from_list, listed), key=lambda service: service.name))

    def disk_usage(self, part: UsagePart | None, timeout_seconds: float) -> DiskUsage:
        """Return one part of the disk usage, or all; the engine walks its disk for containers and volumes."""
        params: dict[str, str] = {} if part is None else {"type": part}
        usage = self._list("/system/df", wire.WireDiskUsage, params=params, timeout_seconds=timeout_seconds)
        has_layers = part in (None, "image") and self.quirks.sums_up_layers
        return DiskUsage(
            writable_bytes=_writable_bytes(usage) if part in (None, "container") else None,
            volume_bytes=_volume_bytes(usage) if part in (None, "volume") else None,
            shared_bytes=_shared_bytes(usage) if part is None and self.quirks.tells_true_shared_size else None,
            build_cache=_records(usage) if part in (None, "build-cache") and self.quirks.has_build_cache else None,
            layers_bytes=size_or_unknown(usage.layers_size) if has_layers else None,
        )

    def _listed(self, request: ListRequest, shape: type[Shape]) -> Shape:
        return self._list(request.path, shape, params=dict(request.params))

    def listing_since(self) -> datetime:
        """Return the earliest moment of which the next lists tell, on the clock of this machine."""
        return self._connection.asked_since()


def _writable_bytes(usage: wire.WireDiskUsage) -> dict[str, int | None]:
    return {container.id: size_or_unknown(container.size_rw) for container in usage.containers or ()}


def _volume_bytes(usage: wire.WireDiskUsage) -> dict[str, int | None]:
    return {
        volume.name: size_or_unknown(volume.usage_data.size) if volume.usage_data else None
        for volume in usage.volumes or ()
    }


def _shared_bytes(usage: wire.WireDiskUsage) -> dict[str, int | None]:
    return {image.id: size_or_unknown(image.shared_size) for image in usage.images or ()}


def _records(usage: wire.WireDiskUsage) -> tuple[BuildCacheRecord, ...]:
    return tuple(map(record_from_usage, usage.build_cache or ()))


def _of_all_stores(images: Iterable[Image]) -> tuple[Image, ...]:
    """What Podman's own store has can be removed there, be it in an additional one as well (tried on 5.8 and 6.1)."""
    by_id: dict[str, Image] = {}
    for image in images:
        if image.id not in by_id or not image.read_only:
            by_id[image.id] = image
    return tuple(by_id.values())
