"""An inventory: a frozen snapshot of one engine at one instant.

Bytes are integers in fields that end in `_bytes`, instants are aware datetimes in UTC in fields that end in `_at`,
and what is not known is None, never 0 or "".

What there may be a million of has gc=False: it holds no cycles, and the garbage collector need not walk over it. The
kinds of objects are final, so that `type(seen) is Image` tells as much as isinstance, which is slow for what msgspec
makes.
"""

from typing import Annotated, Literal, final

from msgspec import Meta, Struct

from dockersweep.model.disk import Disk
from dockersweep.model.engine_folder import CacheLimit, EngineFolder
from dockersweep.model.external import ExternalContainer
from dockersweep.model.last_use import KnownProject, LastProject, PastUse, Span
from dockersweep.model.quantities import Bytes, Instant
from dockersweep.model.registry import RegistryAnswer
from dockersweep.model.socket_url import socket_path
from dockersweep.model.storage import Storage

Kind = Literal["container", "image", "volume", "network", "build-cache"]
KINDS: tuple[Kind, ...] = ("container", "image", "volume", "network", "build-cache")


class ObjectRef(Struct, frozen=True, kw_only=True, gc=False):
    """Names one object."""

    kind: Kind
    id: str


class OfObject(Struct, frozen=True, kw_only=True, gc=False):
    """What is known or decided of one object."""

    kind: Kind
    id: str

    @property
    def ref(self) -> ObjectRef:
        """The object that it is about."""
        return ObjectRef(kind=self.kind, id=self.id)


State = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
STOPPED_STATES: tuple[State, ...] = ("created", "exited", "dead")
"""The states in which a container does nothing and can be removed."""

Labels = dict[str, str]


class Engine(Struct, frozen=True, kw_only=True):
    """Which engine this is and how it was reached."""

    endpoint: str
    """The URL that was spoken to."""
    endpoint_source: str
    """Where the URL came from: "--host", "DOCKER_HOST", "context prod", "the default socket"."""
    context_flag: str | None = None
    """The context that --context named, whose endpoint this is; None where the endpoint came from elsewhere."""
    tls_flags: tuple[str, ...] = ()
    """The flags that said how to encrypt, a word each: "--tlsverify", "--tlscacert", "ca.pem"."""
    id: str | None
    """The engine's own id; None on Podman, which makes one up for each call."""
    name: str | None
    """The host name that the engine gives."""
    version: str
    api_version: str
    """The version of the API that was spoken, not the newest that the engine offers."""
    flavour: Literal["docker", "podman"]
    image_store: str
    """The storage driver of the classic image store ("overlay2"), or "containerd"."""
    root_dir: str | None
    """The engine's own folder, as the engine sees it."""
    operating_system: str | None = None
    """As the engine calls it: "Debian GNU/Linux 13 (trixie)", "Docker Desktop"."""
    kernel: str | None = None
    """The release of its kernel, in three numbers at least: "6.12.9-amd64"."""
    on_other_kernel: bool = False
    """Whether that is certainly not the kernel that dockersweep ran on: the engine's files are elsewhere then."""

    @property
    def socket(self) -> str | None:
        """The path of the unix socket that it was reached by; None where it was reached over TCP."""
        return socket_path(self.endpoint)

    @property
    def is_local(self) -> bool:
        """Whether its files can be on this machine: not over TCP, and not in a virtual machine. A socket may still be
        forwarded from elsewhere."""
        return self.socket is not None and not self.on_other_kernel

    @property
    def may_be_virtual(self) -> bool:
        """Whether something tells of a virtual machine: the name of a product that makes them, or another kernel."""
        is_wsl2 = self.kernel is not None and "microsoft" in self.kernel.lower()
        return self.on_other_kernel or is_wsl2 or self.operating_system in ("Docker Desktop", "OrbStack")


class Mount(Struct, frozen=True, kw_only=True, gc=False):
    """Something that a container mounts."""

    type: str
    """"volume", "bind", "tmpfs", "image", "npipe" or "cluster"."""
    volume: str | None
    """The name of the volume, for a mount of type "volume"."""
    source: str | None
    """The path on the host, for a bind mount; the reference as it was given, for a mount of an image."""
    folder: str | None = None
    """Where on the host a mounted image is, for a container alone; only Docker tells."""


@final
class Container(Struct, frozen=True, kw_only=True, gc=False):
    """A container in any state."""

    id: str
    name: str
    image: str
    """The image as it was named when the container was created."""
    image_id: str | None
    state: str
    """"created", "running", "paused", "restarting", "removing", "exited" or "dead"; Podman's words are translated."""
    exit_code: int | None
    created_at: Instant | None
    started_at: Instant | None
    """Only read where the container is stopped, or for a report; None where it never started."""
    finished_at: Instant | None
    """Only read where the container is stopped; None where it never ran."""
    restart_policy: str | None
    """Only read where the container is stopped, or for a report."""
    labels: Labels
    project: str | None
    """The compose project, where it is certain."""
    mounts: tuple[Mount, ...]
    networks: tuple[str, ...]
    """Ids and names of the networks that it names, connected or not: a created container has only the name."""
    shares_with: tuple[str, ...]
    """Ids or names of the containers whose namespaces it joins, and without which it does not start."""
    size_bytes: Bytes | None
    """Its writable layer, without its image and its logs."""
    log_driver: str | None
    log_path: str | None
    """Where the engine keeps its log, as the engine sees it; both only read where the container is stopped, or for a
    report."""
    log_bytes: Bytes | None
    """The length of its log files; None where they cannot be read."""
    unread: str | None
    """Why it could not be read in full; None where it could."""
    log_is_limited: bool | None = None
    """Whether its log ends at some size; None where it was not read, or the driver is not known."""
    restart_count: int | None = None
    """How often the engine has started it again since it was last started by somebody; None where it was not read."""
    retries_left: bool | None = None
    """With the restart policy `on-failure`: whether the engine would start it again after one more failure, or when
    the engine itself starts. False on Podman, whose restart service leaves such a container alone. None where it was
    not read, and with other policies."""
    maybe_project: str | None = None
    """The compose project whose label it has, perhaps only because its image has it."""
    first_seen_at: Instant | None = None
    first_seen_unused_at: Instant | None = None
    scans_unused: Annotated[int, Meta(ge=1)] | None = None
    """How many scans in a row, this one included, saw it unused; None where it is used, or they were not counted."""
    uses: tuple[PastUse, ...] = ()
    """Its last known uses, the latest first; a few of them."""


@final
class Image(Struct, frozen=True, kw_only=True, gc=False):
    """An image, tagged or not, or an intermediate of the legacy builder."""

    id: str
    """The config digest on a graphdriver store, the manifest's or index's digest on the containerd store."""
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    """References by digest, "repository@sha256:...". They alone do not say that a registry has it: Podman and the
    containerd store give them to what was built or loaded, too."""
    parent_id: str | None
    """The image it was built from, where the legacy builder recorded it."""
    built_at: Instant | None
    """When it was built, wherever that was. It says nothing about when it came here."""
    size_bytes: Bytes | None
    """All its layers, those that it shares as well."""
    shared_bytes: Bytes | None
    """How much of it other images hold too; None where the engine does not tell the truth about it."""
    labels: Labels
    project: str | None
    """The compose project that built it, where it is certain."""
    manifest: str | None = None
    """The digest of the manifest of the one platform of it that lies here; None where there are several, and where
    the engine does not tell: only the containerd store does."""
    in_registry: bool | None = None
    """Whether it is known to lie in a registry, by which it can be pulled again. Where the policy has registries asked
    and they answered: what they answered. Else whether it was pulled from there or pushed there: False where the engine
    would have recorded that and has not, or its record is in doubt; None where nothing tells."""
    registry_answer: RegistryAnswer | None = None
    """What its registries answered; None where they were not asked, or it is not known."""
    read_only: bool = False
    """Whether it lies only in an additional store of Podman (additionalimagestores), from which nothing is removed."""
    maybe_project: str | None = None
    """The compose project whose label it has, perhaps only from an image that it was built from."""
    first_seen_at: Instant | None = None
    first_seen_unused_at: Instant | None = None
    scans_unused: Annotated[int, Meta(ge=1)] | None = None
    """How many scans in a row, this one included, saw it unused; None where it is used, or they were not counted."""
    uses: tuple[PastUse, ...] = ()
    """Its last known uses, the latest first; a few of them."""
    last_projects: tuple[LastProject, ...] = ()
    """The compose projects that used it last: until another does, it is theirs."""


@final
class Volume(Struct, frozen=True, kw_only=True, gc=False):
    """A volume, of whatever driver."""

    name: str
    driver: str
    scope: str
    mountpoint: str | None
    created_at: Instant | None
    labels: Labels
    options: dict[str, str]
    """The mount options it was made with: such a volume may be a share, a device or a folder elsewhere."""
    anonymous: bool
    """Whether nobody named it: by the engine's label, and by its name only where the engine has no such label (before
    Docker 23.0, and Podman)."""
    project: str | None
    """The compose project by its label; of a volume that nobody named, whose container mounted it last."""
    free_by_engine: bool
    """Whether the engine itself counts no use of it."""
    size_bytes: Bytes | None
    """Lengths of its files, as the engine adds them up; None where they were not asked for or not told."""
    written_at: Instant | None = None
    """The newest time of a file or folder in it; None where its files were not walked."""
    first_seen_at: Instant | None = None
    first_seen_unused_at: Instant | None = None
    scans_unused: Annotated[int, Meta(ge=1)] | None = None
    """How many scans in a row, this one included, saw it unused; None where it is used, or they were not counted."""
    uses: tuple[PastUse, ...] = ()
    """Its last known uses, the latest first; a few of them."""
    last_projects: tuple[LastProject, ...] = ()
    """The compose projects that used it last: until another does, it is theirs."""


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
    """Whether the engine made it for itself: bridge, host, none, podman, ingress, docker_gwbridge."""
    config_from: str | None
    """The name of the network that lends its configuration to this one."""
    config_only: bool = False
    """Whether it does nothing but lend its configuration: those of a swarm need one on every node."""
    first_seen_at: Instant | None = None
    first_seen_unused_at: Instant | None = None
    scans_unused: Annotated[int, Meta(ge=1)] | None = None
    """How many scans in a row, this one included, saw it unused; None where it is used, or they were not counted."""
    uses: tuple[PastUse, ...] = ()
    """Its last known uses, the latest first; a few of them."""
    last_projects: tuple[LastProject, ...] = ()
    """The compose projects that used it last: until another does, it is theirs."""


class ServiceSpec(Struct, frozen=True, kw_only=True, gc=False):
    """What one specification of a swarm's service names."""

    images: tuple[str, ...] = ()
    """References as they were given: by tag, by digest, by both ("app:1@sha256:..."), or an id."""
    mounts: tuple[Mount, ...] = ()
    """A source may be a template ("data-{{.Task.Slot}}"), which each task fills in."""
    networks: tuple[str, ...] = ()
    """Ids or names."""


class Service(Struct, frozen=True, kw_only=True, gc=False):
    """A service of the swarm that the engine manages, whether or not a task of it runs anywhere."""

    id: str
    name: str
    mode: str
    """"replicated", "global", "replicated-job" or "global-job"."""
    spec: ServiceSpec
    previous: ServiceSpec | None = None
    """What a rollback goes back to; None where there is nothing to go back to."""
    running: int | None = None
    """How many tasks run, on all nodes; None where the engine does not tell (API before 1.41)."""
    desired: int | None = None
    """How many are meant to run."""
    completed: int | None = None
    """How many tasks of a job are done."""


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
    """Whether something else, an image mostly, holds its layer too."""
    size_bytes: Bytes | None
    created_at: Instant | None
    last_used_at: Instant | None
    usage_count: int
    first_seen_at: Instant | None = None
    first_seen_unused_at: Instant | None = None
    scans_unused: Annotated[int, Meta(ge=1)] | None = None


Object = Container | Image | Volume | Network | BuildCacheRecord


class Mark(OfObject, frozen=True, kw_only=True, gc=False):
    """Since when an object would go by a rule that wants to see it as a candidate for a while (remove.marked_for)."""

    rule: str
    """The name of the rule."""
    terms: str
    """What the rule says, in short: a rule that is changed marks anew."""
    marked_at: Instant


class Refusal(OfObject, frozen=True, kw_only=True, gc=False):
    """A removal that the engine refused in the last run that asked for it."""

    action: Literal["remove", "untag"]
    name: str
    """The name of the object; with `untag` the tag."""
    text: str
    """What the engine said."""
    runs: int
    """In how many runs in a row it said so; ids and numbers in it may differ."""
    refused_at: Instant


ALL_SIZES = "sizes of containers and volumes"
"""What a warning is about where an engine told none of its sizes."""


class ScanWarning(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that could not be read; the rest of the inventory holds."""

    about: str
    """What is affected, like "volume sizes" or "container web-1"."""
    text: str
    reason: str | None = None
    """What went wrong, without what follows from it; None where `text` is all there is to say."""
    is_problem: bool = True
    """Whether it needs a person. What does not is left out of the mail of cron."""


class Inventory(Struct, frozen=True, kw_only=True):
    """What one engine held at one instant: the document dockersweep.inventory/1."""

    schema: Literal["dockersweep.inventory/1"]
    engine: Engine
    taken_at: Instant
    """The engine's own clock when the scan began; every age is counted up to it."""
    own_container_id: str | None
    """The container that dockersweep itself runs in, if it runs in one."""
    containers: tuple[Container, ...]
    images: tuple[Image, ...]
    volumes: tuple[Volume, ...]
    networks: tuple[Network, ...]
    build_cache: tuple[BuildCacheRecord, ...] | None
    """None where it was not read: Docker before 23.0 tells it only together with a walk over all sizes."""
    layers_bytes: Bytes | None
    """What all images take together, each shared layer counted once; None where it was not asked for or not told."""
    warnings: tuple[ScanWarning, ...]
    storage: Storage | None = None
    """What the objects depend on; None where it was not read."""
    disk: Disk | None = None
    """The one that the engine's own folder lies on; None where the engine is not on this machine or its folder cannot
    be seen."""
    other_disks: tuple[Disk, ...] = ()
    """Those that more of it lies on: a store, or a folder below its own."""
    on_no_known_disk: tuple[Kind, ...] = ()
    """The kinds of which something lies on none of these as far as is known: the folder of a containerd of the system,
    or of the volumes, was not found."""
    marks: tuple[Mark, ...] | None = None
    """What earlier runs marked; None where nothing remembers it."""
    refusals: tuple[Refusal, ...] | None = None
    """What the engine refused in earlier runs; None where nothing remembers it."""
    folder: EngineFolder | None = None
    """None where it was not to be read, is not on this machine, or is not the engine's."""
    cache_limit: CacheLimit | None = None
    """None where it was not to be read, or cannot be known."""
    external: tuple[ExternalContainer, ...] | None = ()
    """What other tools keep in the engine's storage; None where it could not be read."""
    services: tuple[Service, ...] | None = ()
    """Those of the swarm; None where the node is part of one and its services cannot be seen."""
    watched: tuple[Span, ...] | None = None
    """When a use of any object would have been noticed, the earliest first; None where nothing remembers it."""
    projects: tuple[KnownProject, ...] | None = None
    """The compose projects that have or had a container here; None where nothing remembers it."""

    @property
    def disks(self) -> tuple[Disk, ...]:
        """All that something of the engine lies on, that of its own folder first; none where they cannot be seen."""
        return () if self.disk is None else (self.disk, *self.other_disks)
