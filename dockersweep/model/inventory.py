"""An inventory: a frozen snapshot of one engine at one instant.

Bytes are integers in fields that end with `_bytes`, instants are aware datetimes in UTC in fields that end with `_at`,
and unknown values are None, never 0 or "".

Types with up to a million instances have gc=False: they hold no cycles, and the garbage collector skips them. The kinds
of objects are final, so that `type(item) is Image` is as good as isinstance, which is slow for msgspec's structs.
"""

from typing import Annotated, Literal, final

from msgspec import Meta, Struct

from dockersweep.model.disk import Disk
from dockersweep.model.engine_address import socket_path
from dockersweep.model.engine_folder import CacheLimit, EngineFolder
from dockersweep.model.external import ExternalContainer
from dockersweep.model.last_use import KnownProject, LastProject, PastUse, Span
from dockersweep.model.quantities import Bytes, Instant
from dockersweep.model.registry import RegistryAnswer
from dockersweep.model.storage import Storage

Kind = Literal["container", "image", "volume", "network", "build-cache"]
KINDS: tuple[Kind, ...] = ("container", "image", "volume", "network", "build-cache")


class ObjectRef(Struct, frozen=True, kw_only=True, gc=False):
    """Names one object."""

    kind: Kind
    id: str


class OfObject(Struct, frozen=True, kw_only=True, gc=False):
    """The base of facts and decisions about one object."""

    kind: Kind
    id: str

    @property
    def ref(self) -> ObjectRef:
        """The reference of the object."""
        return ObjectRef(kind=self.kind, id=self.id)


State = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
STOPPED_STATES: tuple[State, ...] = ("created", "exited", "dead")
"""The states in which a container does nothing and can be removed."""

Labels = dict[str, str]


class Engine(Struct, frozen=True, kw_only=True):
    """Which engine this is and how it was reached."""

    endpoint: str
    """The URL of the engine's API."""
    endpoint_source: str
    """Where the URL came from: "--host", "DOCKER_HOST", "context prod", "the default socket"."""
    context_flag: str | None = None
    """The context of --context, if the endpoint is from that; otherwise None."""
    tls_flags: tuple[str, ...] = ()
    """The TLS flags of the command line, as separate words: "--tlsverify", "--tlscacert", "ca.pem"."""
    id: str | None
    """The engine's own id; None on Podman, which makes one up for each call."""
    machine_id: str | None = None
    """A hash of the id of its machine, for an engine without an id that was reached over ssh; otherwise None."""
    name: str | None
    """The host name that the engine reports."""
    version: str
    api_version: str
    """The version of the API in use, not the newest that the engine offers."""
    flavour: Literal["docker", "podman"]
    image_store: str
    """The storage driver of the classic image store ("overlay2"), or "containerd"."""
    root_dir: str | None
    """The engine's own folder, as the engine sees it."""
    operating_system: str | None = None
    """As the engine reports it: "Debian GNU/Linux 13 (trixie)", "Docker Desktop"."""
    kernel: str | None = None
    """The release of its kernel, with at least three numbers: "6.12.9-amd64"."""
    on_other_kernel: bool = False
    """Whether that is certainly not the kernel under dockersweep: then the engine's files are elsewhere."""

    @property
    def socket(self) -> str | None:
        """The path of its unix socket; None where it was reached over TCP."""
        return socket_path(self.endpoint)

    @property
    def is_local(self) -> bool:
        """Whether its files can be on this machine: not over TCP, and not in a virtual machine. A socket may still be
        forwarded from elsewhere."""
        return self.socket is not None and not self.on_other_kernel

    @property
    def may_be_virtual(self) -> bool:
        """Whether there are signs of a virtual machine: the name of a product, or another kernel."""
        is_wsl2 = self.kernel is not None and "microsoft" in self.kernel.lower()
        return self.on_other_kernel or is_wsl2 or self.operating_system in ("Docker Desktop", "OrbStack")


class Mount(Struct, frozen=True, kw_only=True, gc=False):
    """Something that a container mounts."""

    type: str
    """"volume", "bind", "tmpfs", "image", "npipe" or "cluster"."""
    volume: str | None
    """The name of the volume, for a mount of type "volume"."""
    source: str | None
    """The path on the host, for a bind mount; the reference in the request, for an image mount."""
    folder: str | None = None
    """The folder of a mounted image on the host, which the container has for itself; only Docker reports it."""


@final
class Container(Struct, frozen=True, kw_only=True, gc=False):
    """A container in any state."""

    id: str
    name: str
    image: str
    """The name of the image when the container was created."""
    image_id: str | None
    state: str
    """"created", "running", "paused", "restarting", "removing", "exited" or "dead"; Podman's words are translated."""
    exit_code: int | None
    created_at: Instant | None
    started_at: Instant | None
    """Only read if the container is stopped, or for a report; None where it never started."""
    finished_at: Instant | None
    """Only read if the container is stopped; None where it never ran."""
    restart_policy: str | None
    """Only read if the container is stopped, or for a report."""
    labels: Labels
    project: str | None
    """The compose project, if it is certain."""
    mounts: tuple[Mount, ...]
    networks: tuple[str, ...]
    """Ids or names of its networks, connected or not: a created container has only names."""
    shares_with: tuple[str, ...]
    """Ids or names of the containers whose namespaces it joins, which it needs to start."""
    size_bytes: Bytes | None
    """The size of its writable layer, without its image and its logs."""
    log_driver: str | None
    log_path: str | None
    """The engine's path of its log file; both only read if the container is stopped, or for a report."""
    log_bytes: Bytes | None
    """The length of its log files; None where they cannot be read."""
    unread: str | None
    """Why it could not be read in full; otherwise None."""
    log_is_limited: bool | None = None
    """Whether its log has a size limit; None where that was not read, or the driver is not known."""
    restart_count: int | None = None
    """How often the engine restarted it since somebody last started it; None where that was not read."""
    retries_left: bool | None = None
    """With the restart policy `on-failure`: whether the engine starts it again after one more failure, or when the
    engine itself starts. False on Podman, whose restart service ignores such a container. None where it was not read,
    and with other policies."""
    maybe_project: str | None = None
    """The compose project in its label, which it may have inherited from its image."""
    first_seen_at: Instant | None = None
    first_seen_unused_at: Instant | None = None
    scans_unused: Annotated[int, Meta(ge=1)] | None = None
    """How many scans in a row, including this one, saw it unused; None where it is in use, or that was not counted."""
    uses: tuple[PastUse, ...] = ()
    """Its last known uses, the latest first; a few of them."""


@final
class Image(Struct, frozen=True, kw_only=True, gc=False):
    """An image, tagged or not, including intermediate images of the legacy builder."""

    id: str
    """The digest of its configuration on a graphdriver store, of its manifest or index on the containerd store."""
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    """References by digest, "repository@sha256:...". They do not prove that a registry has it: Podman and the
    containerd store add them to images that were built or loaded, too."""
    parent_id: str | None
    """The image it was built from, where the legacy builder recorded it."""
    built_at: Instant | None
    """When it was built, on whatever machine; it says nothing about when it arrived here."""
    size_bytes: Bytes | None
    """The size of all its layers, shared ones included."""
    shared_bytes: Bytes | None
    """How much of that other images have too; None where the engine's figure is wrong."""
    labels: Labels
    project: str | None
    """The compose project that built it, if it is certain."""
    manifest: str | None = None
    """The digest of the manifest of its only platform on the engine; None where there are several, or the engine does
    not report it: only the containerd store does."""
    in_registry: bool | None = None
    """Whether it is known to be in a registry, so that it can be pulled again. If registries were asked and answered,
    this is their answer. Otherwise whether it was pulled or pushed: False where the engine would have recorded that and
    did not, or its record is doubtful; None where that is not known."""
    registry_answer: RegistryAnswer | None = None
    """The answer of its registries; None where they were not asked, or it is not known."""
    read_only: bool = False
    """Whether it is only in an additional store of Podman (additionalimagestores), from which nothing is removed."""
    maybe_project: str | None = None
    """The compose project in its label, which it may have inherited from its base image."""
    first_seen_at: Instant | None = None
    first_seen_unused_at: Instant | None = None
    scans_unused: Annotated[int, Meta(ge=1)] | None = None
    """How many scans in a row, including this one, saw it unused; None where it is in use, or that was not counted."""
    uses: tuple[PastUse, ...] = ()
    """Its last known uses, the latest first; a few of them."""
    last_projects: tuple[LastProject, ...] = ()
    """The compose projects that used it last: it counts as theirs until another one uses it."""


@final
class Volume(Struct, frozen=True, kw_only=True, gc=False):
    """A volume of any driver."""

    name: str
    driver: str
    scope: str
    mountpoint: str | None
    created_at: Instant | None
    labels: Labels
    options: dict[str, str]
    """Its mount options: a volume with any may be a network share, a device or a folder elsewhere."""
    anonymous: bool
    """Whether nobody named it: by the engine's label; by its name only where engines have no such label (before Docker
    23.0, and Podman)."""
    project: str | None
    """The compose project in its label; for a volume that nobody named, that of the container that last mounted it."""
    free_by_engine: bool
    """Whether the engine itself counts no use of it."""
    size_bytes: Bytes | None
    """The total length of its files, by the engine; None where that was not requested or not reported."""
    written_at: Instant | None = None
    """The newest time of a file or folder in it; None where its files were not walked."""
    first_seen_at: Instant | None = None
    first_seen_unused_at: Instant | None = None
    scans_unused: Annotated[int, Meta(ge=1)] | None = None
    """How many scans in a row, including this one, saw it unused; None where it is in use, or that was not counted."""
    uses: tuple[PastUse, ...] = ()
    """Its last known uses, the latest first; a few of them."""
    last_projects: tuple[LastProject, ...] = ()
    """The compose projects that used it last: it counts as theirs until another one uses it."""

    @property
    def has_files_elsewhere(self) -> bool:
        """Whether its files are on a share, a device or in a folder elsewhere: they stay there when it is removed."""
        return self.driver == "local" and "device" in self.options and self.options.get("type") != "tmpfs"


@final
class Network(Struct, frozen=True, kw_only=True, gc=False):
    """A network."""

    id: str
    name: str
    driver: str
    scope: str
    created_at: Instant | None
    labels: Labels
    project: str | None
    predefined: bool
    """Whether the engine created it for itself: bridge, host, none, podman, ingress, docker_gwbridge."""
    config_from: str | None
    """The name of the network that lends its configuration to this one."""
    config_only: bool = False
    """Whether it only lends its configuration: a swarm's networks may need such a network on every node."""
    first_seen_at: Instant | None = None
    first_seen_unused_at: Instant | None = None
    scans_unused: Annotated[int, Meta(ge=1)] | None = None
    """How many scans in a row, including this one, saw it unused; None where it is in use, or that was not counted."""
    uses: tuple[PastUse, ...] = ()
    """Its last known uses, the latest first; a few of them."""
    last_projects: tuple[LastProject, ...] = ()
    """The compose projects that used it last: it counts as theirs until another one uses it."""


class ServiceSpec(Struct, frozen=True, kw_only=True, gc=False):
    """The objects that one specification of a swarm service names."""

    images: tuple[str, ...] = ()
    """References as written: by tag, by digest, by both ("app:1@sha256:..."), or an id."""
    mounts: tuple[Mount, ...] = ()
    """A source may be a template ("data-{{.Task.Slot}}"), which each task expands."""
    networks: tuple[str, ...] = ()
    """Ids or names."""


class Service(Struct, frozen=True, kw_only=True, gc=False):
    """A service of the swarm that the engine manages, with or without running tasks."""

    id: str
    name: str
    mode: str
    """"replicated", "global", "replicated-job" or "global-job"."""
    spec: ServiceSpec
    previous: ServiceSpec | None = None
    """The specification that a rollback restores; None where there is none."""
    running: int | None = None
    """How many tasks run on all nodes; None where the engine does not report it (API before 1.41)."""
    desired: int | None = None
    """How many should run."""
    completed: int | None = None
    """How many tasks of a job are completed."""


@final
class BuildCacheRecord(Struct, frozen=True, kw_only=True, gc=False):
    """One record of the build cache."""

    id: str
    type: str
    """"regular", "source.local", "exec.cachemount", "internal", "frontend" and the like."""
    description: str
    parents: tuple[str, ...]
    in_use: bool
    shared: bool
    """Whether something else, mostly an image, has its layer too."""
    size_bytes: Bytes | None
    created_at: Instant | None
    last_used_at: Instant | None
    usage_count: int
    first_seen_at: Instant | None = None
    first_seen_unused_at: Instant | None = None
    scans_unused: Annotated[int, Meta(ge=1)] | None = None


Object = Container | Image | Volume | Network | BuildCacheRecord


class Mark(OfObject, frozen=True, kw_only=True, gc=False):
    """Since when an object has been a candidate for removal by a rule with remove.marked_for."""

    rule: str
    """The name of the rule."""
    terms: str
    """A hash of the rule: when the rule changes, its marks start over."""
    marked_at: Instant


class Refusal(OfObject, frozen=True, kw_only=True, gc=False):
    """A removal that the engine refused in the last run that requested it."""

    action: Literal["remove", "untag"]
    name: str
    """The name of the object; with `untag` the tag."""
    text: str
    """The answer of the engine."""
    runs: int
    """In how many runs in a row it answered the same; ids and numbers may differ."""
    refused_at: Instant


ALL_SIZES = "sizes of containers and volumes"
"""The `about` of a warning where an engine reported no sizes."""


class ScanWarning(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that could not be read; the rest of the inventory is valid."""

    about: str
    """The affected part: "volume sizes", "container web-1"."""
    text: str
    reason: str | None = None
    """What went wrong, without its consequences; None where `text` says it all."""
    is_problem: bool = True
    """Whether somebody has to act on it; if not, it is left out of cron's mail."""


class Inventory(Struct, frozen=True, kw_only=True):
    """The objects of one engine at one instant: the document dockersweep.inventory/1."""

    schema: Literal["dockersweep.inventory/1"]
    engine: Engine
    taken_at: Instant
    """The start of the scan by the engine's clock; every age is as of that."""
    own_container_id: str | None
    """The container that dockersweep itself runs in, if it runs in one."""
    containers: tuple[Container, ...]
    images: tuple[Image, ...]
    volumes: tuple[Volume, ...]
    networks: tuple[Network, ...]
    build_cache: tuple[BuildCacheRecord, ...] | None
    """None where it was not read: Docker before 23.0 lists it only together with measuring all sizes."""
    layers_bytes: Bytes | None
    """The size of all images, shared layers once; None where that was not requested or not reported."""
    warnings: tuple[ScanWarning, ...]
    storage: Storage | None = None
    """What the objects depend on; None where it was not read."""
    disk: Disk | None = None
    """The disk of the engine's own folder; None where the engine is on another machine or its folder cannot be seen."""
    other_disks: tuple[Disk, ...] = ()
    """Disks with other parts of the engine: a store, or a folder below its own."""
    on_no_known_disk: tuple[Kind, ...] = ()
    """The kinds with objects on an unknown disk: the folder of the system's containerd or of volumes was not found."""
    marks: tuple[Mark, ...] | None = None
    """The marks of earlier runs; None without a ledger."""
    refusals: tuple[Refusal, ...] | None = None
    """What the engine refused in earlier runs; None without a ledger."""
    folder: EngineFolder | None = None
    """None where it was not requested, is not on this machine, or is not the engine's."""
    cache_limit: CacheLimit | None = None
    """None where it was not requested, or cannot be known."""
    external: tuple[ExternalContainer, ...] | None = ()
    """Containers of other tools in the engine's storage; None where they could not be read."""
    services: tuple[Service, ...] | None = ()
    """The services of the swarm; None where the node is part of one and cannot see its services."""
    watched: tuple[Span, ...] | None = None
    """When uses of objects would have been noticed, the earliest first; None where that is not known."""
    projects: tuple[KnownProject, ...] | None = None
    """The compose projects that have or had a container here; None where that is not known."""

    @property
    def disks(self) -> tuple[Disk, ...]:
        """All disks of the engine, that of its own folder first; none where they cannot be seen."""
        return () if self.disk is None else (self.disk, *self.other_disks)
