"""The lists of an engine's objects, and its disk usage: what a scan asks for."""

import re
from collections.abc import Iterable, Mapping
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

ARCHIVING_LABEL = "dockersweep.archiving"
"""What was created only to read a volume for an archive has it; its value says by which run."""
MADE_TO_READ = "archiving"
"""What the warning of a scan is about that has found some of that."""


def is_for_archiving(labels: Mapping[str, str]) -> bool:
    """Return whether a container or an image was created only to read a volume: then it is nobody's."""
    return ARCHIVING_LABEL in labels


class Lists(Session):
    """What an engine lists, as types of the model. Raises EngineError for an invalid answer."""

    def containers(self) -> tuple[Container, ...]:
        """Return every container in every state, without the fields that only an inspect has; not those that were
        created to read a volume for an archive."""
        return tuple(
            listed.container for listed in self.listed_containers() if not is_for_archiving(listed.container.labels)
        )

    def listed_containers(self) -> tuple[ListedContainer, ...]:
        """Return all of them, each with how it ended."""
        listed = self._listed(CONTAINERS, list[wire.WireContainer])
        return tuple(ListedContainer(container_from_list(entry), read_ended(entry.status)) for entry in listed)

    def podman_containers(self) -> tuple[tuple[wire.WirePodmanContainer, ...], tuple[ExternalContainer, ...]]:
        """Return the entries of Podman's own containers, and the external containers in its storage: of builds, CRI-O
        and volumes."""
        listed = self._listed(PODMAN_CONTAINERS, list[wire.WirePodmanContainer])
        external = tuple(external_from_list(entry) for entry in listed if entry.state == "storage")
        return tuple(entry for entry in listed if entry.state != "storage"), external

    def run_root(self) -> str | None:
        """Return Podman's run root: the folder of state that a boot clears."""
        store = self._get("/libpod/info", wire.WirePodmanInfo).store
        return store.run_root or None if store else None

    def images(self) -> tuple[Image, ...]:
        """Return every image, intermediate ones too."""
        listed = self._listed(all_images(self.quirks), list[wire.WireImage])
        has_shared_size, source = self.quirks.tells_true_shared_size, self.quirks.registry_source
        images = (image_from_list(image, has_shared_size, source) for image in listed)
        return _of_all_stores(images) if self.quirks.lists_images_per_store else tuple(images)

    def image_tags(self) -> tuple[str, ...]:
        """Return the tags of all images; without sizes an engine answers at once."""
        listed = self._list("/images/json", list[wire.WireImage])
        shown = (image for image in listed if not is_for_archiving(image.labels or {}))
        return tuple(tag for image in shown for tag in image.repo_tags or ())

    def volumes(self) -> tuple[tuple[Volume, ...], tuple[str, ...]]:
        """Return every volume, with whether the engine counts it as in use; and the engine's warnings, which are about
        plugins that did not answer."""
        answer = self._listed(VOLUMES, wire.WireVolumes)
        free = {volume.name for volume in self._listed(FREE_VOLUMES, wire.WireVolumes).volumes or ()}
        marks_anonymous = self.quirks.marks_anonymous_volumes
        volumes = (volume_from_list(volume, volume.name in free, marks_anonymous) for volume in answer.volumes or ())
        return tuple(volumes), tuple(answer.warnings or ())

    def volume_names(self, beginning: str) -> tuple[str, ...]:
        """Return the names of volumes that begin with `beginning`."""
        listed = self._listed(volumes_that("name", "^" + re.escape(beginning)), wire.WireVolumes).volumes
        return tuple(volume.name for volume in listed or () if volume.name.startswith(beginning))

    def networks(self) -> tuple[Network, ...]:
        """Return every network."""
        return tuple(map(network_from_list, self._listed(NETWORKS, list[wire.WireNetwork])))

    def services(self) -> tuple[Service, ...]:
        """Return every service of the swarm, sorted by name; only a manager answers, other nodes return 503."""
        params = {"status": "true"} if self.quirks.counts_tasks else {}
        listed = self._list("/services", list[wire.WireService], params=params)
        return tuple(sorted(map(service_from_list, listed), key=lambda service: service.name))

    def disk_usage(self, part: UsagePart | None, timeout_seconds: float) -> DiskUsage:
        """Return one part of the disk usage, or all (None); the engine walks its disk for containers and volumes."""
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
        """Return the earliest instant that the next lists may describe, by this machine's clock."""
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
    """Return each image once. One in Podman's own store can be removed there, even if an additional store has it too
    (tried on 5.8 and 6.1)."""
    by_id: dict[str, Image] = {}
    for image in images:
        if image.id not in by_id or not image.read_only:
            by_id[image.id] = image
    return tuple(by_id.values())
