"""Typed reads and removals. API versions, oddities and errors of engines end here and in `translate`.

A read returns nouns and raises EngineError where an answer does not hold. A removal returns what the engine said to
it; it raises only where no answer came.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from dockersweep.engine import wire
from dockersweep.engine.connection import LARGEST_LIST_BYTES, LARGEST_OBJECT_BYTES, Answer, Connection
from dockersweep.engine.decoding import decode
from dockersweep.engine.image_layers import ImageLayers
from dockersweep.engine.removal_answer import RemovalAnswer, means_gone, read_removal_answer
from dockersweep.engine.swarm import SwarmRole, role_of, service_from_list
from dockersweep.engine.throw_away import is_throw_away
from dockersweep.engine.translate import (
    ToldBy,
    container_from_details,
    container_from_list,
    external_from_list,
    image_from_list,
    network_from_list,
    record_from_usage,
    size_or_unknown,
    split_references,
    volume_from_list,
)
from dockersweep.errors import EngineError, OtherEngineError
from dockersweep.model.inventory import (
    BuildCacheRecord,
    Container,
    Engine,
    ExternalContainer,
    Image,
    Network,
    Service,
    Volume,
)
from dockersweep.units import parse_instant

OLDEST_API = (1, 40)
# From 1.52 on /system/df has another shape; an engine of 29 still speaks 1.51 (API history, engine-api.md §0.8).
NEWEST_API = (1, 51)
API_WITH_SERVICE_STATUS = (1, 41)
API_WITH_PARTIAL_USAGE = (1, 42)
API_WITH_MARKED_VOLUMES = (1, 42)
API_WITH_MANIFESTS = (1, 47)
API_WITH_IMAGE_MOUNTS = (1, 48)
# The oldest that it was tried on.
API_WITH_DANGLING_NAME = (1, 48)
DANGLING_NAME = "moby-dangling"
TRUE_SHARED_SIZE_ON_CONTAINERD = (29, 5)
MOST_STUMBLES = 4
STUMBLE_SECONDS = 0.1

Shape = TypeVar("Shape")
UsagePart = Literal["image", "container", "volume", "build-cache"]


@dataclass(frozen=True)
class DiskUsage:
    """What a walk over the engine's disk told; None where it was not asked for or not told."""

    writable_bytes: dict[str, int | None] | None = None
    """Writable layers by container id."""
    volume_bytes: dict[str, int | None] | None = None
    """By volume name."""
    shared_bytes: dict[str, int | None] | None = None
    """By image id; only where the image list has it not."""
    build_cache: tuple[BuildCacheRecord, ...] | None = None
    layers_bytes: int | None = None
    """All layers of all images, each counted once."""


@dataclass(frozen=True)
class ImageTags:
    """An image as it is looked at just before a removal."""

    id: str
    tags: tuple[str, ...]


class Client:
    """One engine, spoken to in one version of its API. Safe to be used by several threads."""

    def __init__(self, connection: Connection, removal_seconds: float) -> None:
        """`removal_seconds` is how long a removal may take: files by the million take their time to go, and a look
        before they are would find the object still there."""
        self._connection = connection
        self.is_podman = False
        self.removal_seconds = removal_seconds
        self._where = f"the engine at {connection.endpoint.url}"
        self._prefix = ""
        version = self._get("/version", wire.WireVersion)
        self.api = self._choose_api(version)
        self._prefix = f"/v{_dotted(self.api)}"
        self.is_podman = any(part.name == "Podman Engine" for part in version.components or ())
        info = self._get("/info", wire.WireInfo)
        self.has_containerd_store = ["driver-type", "io.containerd.snapshotter.v1"] in (info.driver_status or [])
        self.clock = parse_instant(info.system_time)
        """The time on the engine's clock when it was first spoken to; None where it does not tell."""
        self.swarm_role: SwarmRole = role_of(info.swarm)
        self.engine = self._describe(version, info)
        self.is_throw_away = is_throw_away(self.engine.root_dir, info.labels or ())
        """Whether the project's own tests or the sandbox started it."""

    def _choose_api(self, version: wire.WireVersion) -> tuple[int, int]:
        newest, oldest = _version_pair(version.api_version), _version_pair(version.min_api_version)
        if newest is None:
            raise EngineError(f"{self._where} does not say which API version it speaks: is it a Docker engine?")
        if newest < OLDEST_API:
            raise EngineError(
                f"{self._where} is Docker {version.version} and speaks API {version.api_version} at the most; "
                f"dockersweep needs {_dotted(OLDEST_API)} (Docker 19.03) or newer: update the engine"
            )
        if oldest is not None and oldest > NEWEST_API:
            raise EngineError(
                f"{self._where} is Docker {version.version} and speaks API {version.min_api_version} or newer; "
                f"this dockersweep knows {_dotted(NEWEST_API)} at the most: update dockersweep"
            )
        return min(newest, NEWEST_API)

    def _describe(self, version: wire.WireVersion, info: wire.WireInfo) -> Engine:
        endpoint = self._connection.endpoint
        url = endpoint.url
        if (self.is_podman or not info.id) and url.startswith("unix://"):
            # It is known by where it listens, so that two names of one socket must not be two engines.
            url = f"unix://{os.path.realpath(url.removeprefix('unix://'))}"
        return Engine(
            endpoint=url,
            endpoint_source=endpoint.source,
            id=None if self.is_podman else info.id or None,
            name=info.name or None,
            version=version.version,
            api_version=_dotted(self.api),
            flavour="podman" if self.is_podman else "docker",
            image_store="containerd" if self.has_containerd_store else info.driver,
            root_dir=info.docker_root_dir or None,
        )

    def check_back(self) -> None:
        """Return where the engine that was spoken to answers; raises OtherEngineError where another one does."""
        info = self._get("/info", wire.WireInfo)
        now = (None if self.is_podman else info.id or None, info.name or None, info.docker_root_dir or None)
        if now != (self.engine.id, self.engine.name, self.engine.root_dir):
            raise OtherEngineError(f"{self._where} is another engine now: {info.name}, with its data in {now[2]}")

    @contextmanager
    def asking_once(self) -> Iterator[None]:
        """Leave it to the caller to ask again, who makes sure of the engine first (`Patience`)."""
        self._connection.asks_again = False
        try:
            yield
        finally:
            self._connection.asks_again = True

    # Reads

    def containers(self) -> tuple[Container, ...]:
        """Return every container in every state, without what only an inspect tells."""
        listed = self._list("/containers/json", list[wire.WireContainer], {"all": "1"})
        return tuple(container_from_list(seen) for seen in listed)

    def images(self) -> tuple[Image, ...]:
        """Return every image, intermediates as well."""
        params = {"all": "1", "shared-size": "1"}
        if self.has_containerd_store and self.api >= API_WITH_MANIFESTS:
            params["manifests"] = "1"
        listed = self._list("/images/json", list[wire.WireImage], params)
        images = (image_from_list(seen, self._shared_size_is_true, self._registry_told_by) for seen in listed)
        return _of_all_stores(images) if self.is_podman else tuple(images)

    def external_containers(self) -> tuple[ExternalContainer, ...]:
        """Return the containers in Podman's storage that are not its own: those of builds, of CRI-O, of volumes."""
        params = {"all": "true", "external": "true"}
        listed = self._list("/libpod/containers/json", list[wire.WireExternalContainer], params)
        return tuple(external_from_list(seen) for seen in listed if seen.state == "storage")

    def run_root(self) -> str | None:
        """Return the folder in which Podman's storage notes what is mounted."""
        store = self._get("/libpod/info", wire.WirePodmanInfo).store
        return store.run_root or None if store else None

    @property
    def _registry_told_by(self) -> ToldBy:
        if self.is_podman:
            return "names"
        return "nothing" if self.has_containerd_store else "digests"

    @property
    def _shared_size_is_true(self) -> bool:
        """Podman says 0 always; the containerd store left out shared blobs before 29.5 (moby#52476)."""
        if self.is_podman:
            return False
        version = _version_pair(self.engine.version)
        return not self.has_containerd_store or (version is not None and version >= TRUE_SHARED_SIZE_ON_CONTAINERD)

    def volumes(self) -> tuple[tuple[Volume, ...], tuple[str, ...]]:
        """Return every volume, with the engine's own word on whether it is in use; and the engine's warnings, which
        tell of plugins that did not answer."""
        answer = self._list("/volumes", wire.WireVolumes)
        filters = msgspec.json.encode({"dangling": ["true"]}).decode()
        dangling = self._list("/volumes", wire.WireVolumes, {"filters": filters}).volumes or ()
        free = {seen.name for seen in dangling}
        volumes = tuple(
            volume_from_list(seen, seen.name in free, self._marks_anonymous_volumes) for seen in answer.volumes or ()
        )
        return volumes, tuple(answer.warnings or ())

    @property
    def _marks_anonymous_volumes(self) -> bool:
        """Podman tells it only by an API of its own."""
        return self.api >= API_WITH_MARKED_VOLUMES and not self.is_podman

    def volume_names(self, beginning: str) -> tuple[str, ...]:
        """Return the names of the volumes whose names begin so."""
        filters = msgspec.json.encode({"name": ["^" + re.escape(beginning)]}).decode()
        listed = self._list("/volumes", wire.WireVolumes, {"filters": filters}).volumes or ()
        return tuple(seen.name for seen in listed if seen.name.startswith(beginning))

    def image_tags(self) -> tuple[str, ...]:
        """Return the tags of all images; without sizes an engine tells them at once."""
        listed = self._list("/images/json", list[wire.WireImage])
        return tuple(tag for seen in listed for tag in seen.repo_tags or ())

    def networks(self) -> tuple[Network, ...]:
        """Return every network."""
        return tuple(network_from_list(seen) for seen in self._list("/networks", list[wire.WireNetwork]))

    def services(self) -> tuple[Service, ...]:
        """Return every service of the swarm, by name; only a manager tells them, others answer 503."""
        params = {"status": "true"} if self.api >= API_WITH_SERVICE_STATUS else {}
        listed = self._list("/services", list[wire.WireService], params)
        return tuple(sorted(map(service_from_list, listed), key=lambda service: service.name))

    @property
    def tells_usage_in_parts(self) -> bool:
        """Whether one part of the disk usage can be asked for without walking the rest (API 1.42; never Podman)."""
        return self.api >= API_WITH_PARTIAL_USAGE and not self.is_podman

    @property
    def has_build_cache(self) -> bool:
        """Whether the engine keeps build-cache records; Podman's cache is intermediate images."""
        return not self.is_podman

    @property
    def takes_a_prefix_for_a_volume(self) -> bool:
        """Whether DELETE /volumes/{name} takes the beginning of a name for the name, where it is unique: Podman 5.8."""
        return self.is_podman

    @property
    def guards_networks_by_name(self) -> bool:
        """Whether the engine refuses to remove a network that a container names, in any state, where it is asked for
        by its name, and not where it is by its id: Podman 5.8 and 6.1. Docker asks for endpoints in either case."""
        return self.is_podman

    @property
    def mounts_images(self) -> bool:
        """Whether containers can mount images, which no engine counts as a use of these (API 1.48, Podman)."""
        return self.is_podman or self.api >= API_WITH_IMAGE_MOUNTS

    def disk_usage(self, part: UsagePart | None, timeout_seconds: float) -> DiskUsage:
        """Return one part of the disk usage, or all; the engine walks its disk for containers and volumes."""
        params: dict[str, str] = {} if part is None else {"type": part}
        usage = self._list("/system/df", wire.WireDiskUsage, params, timeout_seconds)
        return DiskUsage(
            writable_bytes={seen.id: size_or_unknown(seen.size_rw) for seen in usage.containers or ()}
            if part in (None, "container")
            else None,
            volume_bytes={
                seen.name: size_or_unknown(seen.usage_data.size) if seen.usage_data else None
                for seen in usage.volumes or ()
            }
            if part in (None, "volume")
            else None,
            shared_bytes={seen.id: size_or_unknown(seen.shared_size) for seen in usage.images or ()}
            if part is None and self._shared_size_is_true
            else None,
            build_cache=tuple(record_from_usage(seen) for seen in usage.build_cache or ())
            if part in (None, "build-cache") and self.has_build_cache
            else None,
            # Podman's is a sum of sizes that counts a shared layer once per image.
            layers_bytes=size_or_unknown(usage.layers_size) if part in (None, "image") and not self.is_podman else None,
        )

    def container(self, container_id: str) -> Container | None:
        """Return one container in full but for its size; None where it is gone."""
        seen = self._look(f"/containers/{container_id}/json", wire.WireContainerDetails)
        return None if seen is None else container_from_details(seen, self.is_podman)

    def image(self, reference: str) -> ImageTags | None:
        """Return the image that an id or a tag names now; None where none does."""
        seen = self._look(f"/images/{reference}/json", wire.WireImageDetails)
        if seen is None:
            return None
        image_id = seen.id if seen.id.startswith("sha256:") else f"sha256:{seen.id}"
        return ImageTags(id=image_id, tags=split_references(seen.repo_tags, None)[0])

    def image_layers(self, image_id: str) -> ImageLayers | None:
        """Return what is told of an image's layers; None where it is gone."""
        seen = self._look(f"/images/{image_id}/json", wire.WireImageLayers)
        if seen is None:
            return None
        steps = self._look(f"/images/{image_id}/history", list[wire.WireHistoryStep])
        if steps is None:
            return None
        return ImageLayers(
            diff_ids=tuple((seen.root_fs.layers if seen.root_fs else None) or ()),
            history_bytes=tuple(max(0, step.size) for step in reversed(steps)),
            stored_as=_layer_folders(seen.graph_driver) if self.is_podman else (),
        )

    def volume(self, name: str) -> Volume | None:
        """Return one volume as it is now; None where it is gone. Whether the engine counts a use is not in it."""
        seen = self._look(f"/volumes/{name}", wire.WireVolume)
        return None if seen is None else volume_from_list(seen, False, self._marks_anonymous_volumes)

    def network(self, reference: str) -> Network | None:
        """Return the network that an id or a name means now; None where it is gone."""
        seen = self._look(f"/networks/{reference}", wire.WireNetwork)
        return None if seen is None else network_from_list(seen)

    # Removals

    def remove_container(self, container_id: str) -> RemovalAnswer:
        """Remove one stopped container, and none of its volumes."""
        return self._delete(f"/containers/{container_id}", {"v": "0", "force": "0"})

    def remove_image(self, image_id: str, is_nameless: bool) -> RemovalAnswer:
        """Remove one image by its id, with its last tag, and none of its parents.

        One that has neither a tag nor a reference by digest is asked for by the name that the containerd store gives
        it then, and finds it by as long as it has no other (daemon/containerd/image_delete.go, 28 and 29): by its id
        it would go with a tag that it has just got.
        """
        is_dangling = is_nameless and self.has_containerd_store and self.api >= API_WITH_DANGLING_NAME
        reference = f"{DANGLING_NAME}@{image_id}" if is_dangling else image_id
        return self._delete(f"/images/{reference}", {"noprune": "1", "force": "0"})

    def untag_image(self, tag: str, image_id: str) -> RemovalAnswer:
        """Take one tag off an image that has others. On the containerd store the engine compares the image in the
        same step; elsewhere that spelling means something else (engine-api.md §4), and only the tag is sent."""
        reference = f"{tag}@{image_id}" if self.has_containerd_store and not self.is_podman else tag
        return self._delete(f"/images/{reference}", {"noprune": "1", "force": "0"})

    def remove_volume(self, name: str) -> RemovalAnswer:
        """Remove one volume that nothing uses."""
        return self._delete(f"/volumes/{name}", {"force": "0"})

    def remove_network(self, reference: str) -> RemovalAnswer:
        """Remove one network, by its id or its name. Docker does not ask stopped containers: the caller has to."""
        return self._delete(f"/networks/{reference}", {})

    def prune_build_cache(self, record_ids: tuple[str, ...]) -> RemovalAnswer:
        """Remove just these build-cache records, those of them that are not in use and have no child that stays.

        The filter is a regular expression, so it is anchored; `all` lets it name internal and shared records too.
        """
        odd = [record_id for record_id in record_ids if not re.fullmatch(r"[A-Za-z0-9_-]+", record_id)]
        if odd or not record_ids:
            return RemovalAnswer(status="failed", detail=f"{odd!r} is no build-cache id that can be asked for alone")
        pattern = "^(" + "|".join(record_ids) + ")$"
        filters = msgspec.json.encode({"id": [pattern]}).decode()
        answer = self._request("POST", "/build/prune", {"all": "1", "filters": filters}, self.removal_seconds)
        if answer.status != 200:
            return RemovalAnswer(status="failed", detail=answer.message())
        pruned = self._decode(answer, wire.WirePrune, "POST /build/prune")
        return RemovalAnswer(
            status="removed", deleted=tuple(pruned.caches_deleted or ()), reclaimed_bytes=pruned.space_reclaimed
        )

    # Requests

    def _request(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        timeout_seconds: float | None = None,
        largest_bytes: int = LARGEST_OBJECT_BYTES,
    ) -> Answer:
        return self._connection.request(method, self._prefix + path, params, timeout_seconds, largest_bytes)

    def _settled(
        self, path: str, params: dict[str, str] | None, timeout_seconds: float | None, largest_bytes: int
    ) -> Answer:
        """Return the answer to a GET. An engine that stumbles over what goes while it answers is asked again: the
        containerd store says 404 to a list then, and Podman 500 to one object."""
        answer = self._request("GET", path, params, timeout_seconds, largest_bytes)
        begun, stumbles = time.monotonic(), 0
        while stumbles < MOST_STUMBLES and self._stumbled(answer, is_list=largest_bytes == LARGEST_LIST_BYTES):
            time.sleep(STUMBLE_SECONDS)
            # Docker 20.10 walks its disk for one caller at a time, and sends the others away.
            is_busy = answer.status == 500 and "already running" in answer.message()
            if not is_busy or time.monotonic() - begun > (timeout_seconds or 0):
                stumbles += 1
            answer = self._request("GET", path, params, timeout_seconds, largest_bytes)
        return answer

    def _stumbled(self, answer: Answer, is_list: bool) -> bool:
        if self.is_podman:
            return answer.status == 500 and not means_gone(answer, self.is_podman)
        text = answer.message()
        return is_list and answer.status in (404, 500) and ("not found" in text or "already running" in text)

    def _list(
        self,
        path: str,
        shape: type[Shape],
        params: dict[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> Shape:
        return self._get(path, shape, params, timeout_seconds, LARGEST_LIST_BYTES)

    def _get(
        self,
        path: str,
        shape: type[Shape],
        params: dict[str, str] | None = None,
        timeout_seconds: float | None = None,
        largest_bytes: int = LARGEST_OBJECT_BYTES,
    ) -> Shape:
        answer = self._settled(path, params, timeout_seconds, largest_bytes)
        if answer.status != 200:
            raise EngineError(f"{self._where} answered GET {path} with {answer.status}: {answer.message()}")
        return self._decode(answer, shape, f"GET {path}")

    def _look(self, path: str, shape: type[Shape]) -> Shape | None:
        answer = self._settled(path, None, None, LARGEST_OBJECT_BYTES)
        if answer.status == 404 or means_gone(answer, self.is_podman):
            return None
        if answer.status != 200:
            raise EngineError(f"{self._where} answered GET {path} with {answer.status}: {answer.message()}")
        return self._decode(answer, shape, f"GET {path}")

    def _decode(self, answer: Answer, shape: type[Shape], asked: str) -> Shape:
        try:
            return decode(answer.body, shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise EngineError(f"{self._where} answered {asked} with something else than was asked: {error}") from error

    def _delete(self, path: str, params: dict[str, str]) -> RemovalAnswer:
        """Ask for a removal."""
        answer = self._request("DELETE", path, params, self.removal_seconds)
        return read_removal_answer(answer, self.is_podman)


def _of_all_stores(images: Iterable[Image]) -> tuple[Image, ...]:
    """Podman lists an image once for each store that has it. What its own store has can be removed there, be it in an
    additional one as well (tried on 5.8 and 6.1)."""
    found: dict[str, Image] = {}
    for image in images:
        if image.id not in found or not image.read_only:
            found[image.id] = image
    return tuple(found.values())


def _layer_folders(driver: wire.WireGraphDriver | None) -> tuple[str, ...]:
    """Return Podman's ids of an image's layers, the lowest first: its overlay has a folder ID/diff for each."""
    told = (driver.data if driver else None) or {}
    folders = [told.get("UpperDir"), *(told.get("LowerDir") or "").split(":")]
    found = [match[1] for folder in folders if folder and (match := re.fullmatch(r".*/([0-9a-f]{64})/diff", folder))]
    return tuple(reversed(found))


def _version_pair(version: str) -> tuple[int, int] | None:
    parts: list[Any] = version.split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (ValueError, IndexError):
        return None


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
