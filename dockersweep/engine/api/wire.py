"""The shapes of engines' answers, as far as they are used: API 1.40 to 1.51, and Podman's version of it.

A missing key has the default given here; Go leaves out zeros and empty lists. A key of another type makes the answer
invalid.
"""

from msgspec import UNSET, Struct, UnsetType, field


class WireMount(Struct, rename="pascal"):
    type: str = ""
    name: str = ""
    source: str = ""


class WireEndpoint(Struct, rename="pascal"):
    network_id: str = field(default="", name="NetworkID")


class WireNetworkSettings(Struct, rename="pascal"):
    networks: dict[str, WireEndpoint | None] | None = None


class WireRestartPolicy(Struct, rename="pascal"):
    name: str = ""
    maximum_retry_count: int = 0


class WireLogConfig(Struct, rename="pascal"):
    type: str = ""
    config: dict[str, str] | None = None


class WireHostConfig(Struct, rename="pascal"):
    log_config: WireLogConfig | None = None
    network_mode: str = ""
    ipc_mode: str = ""
    pid_mode: str = ""
    restart_policy: WireRestartPolicy | None = None
    mounts: list[WireMount] | None = None


class WireContainer(Struct, rename="pascal"):
    """An entry of GET /containers/json. Keys that show what a container holds are required, even if null: a missing
    one, read as "nothing", would make objects in use look unused."""

    id: str
    state: str
    image_id: str = field(name="ImageID")
    mounts: list[WireMount] | None
    network_settings: WireNetworkSettings | None
    status: str = ""
    names: list[str] | None = None
    image: str = ""
    created: int = 0
    labels: dict[str, str] | None = None
    host_config: WireHostConfig | None = None


class WirePodmanContainer(Struct, rename="pascal"):
    """An entry of GET /libpod/containers/json with external=true (Podman's own API): also lists containers that are
    only in its storage, in the state "storage"."""

    id: str
    state: str
    image_id: str = field(name="ImageID")
    """Empty for a container from scratch."""
    names: list[str] | None = None
    command: list[str] | None = None
    created: str = ""
    image: str = ""
    labels: dict[str, str] | None = None
    mounts: list[str] | UnsetType | None = UNSET
    """Where something is mounted, not what."""
    networks: list[str] | UnsetType | None = UNSET
    started_at: int = 0
    exited_at: int = 0
    exit_code: int = 0


class WireStore(Struct, rename="camel"):
    run_root: str = ""


class WirePodmanInfo(Struct):
    """GET /libpod/info."""

    store: WireStore | None = None


class WireState(Struct, rename="pascal"):
    status: str = ""
    exit_code: int | None = None
    started_at: str = ""
    finished_at: str = ""


class WireContainerConfig(Struct, rename="pascal"):
    image: str = ""
    labels: dict[str, str] | None = None


class WireContainerDetails(Struct, rename="pascal"):
    """GET /containers/{id}/json."""

    id: str
    name: str
    state: WireState
    created: str = ""
    image: str = ""
    log_path: str = ""
    restart_count: int | None = None
    config: WireContainerConfig | None = None
    host_config: WireHostConfig | None = None
    mounts: list[WireMount] | None = None
    network_settings: WireNetworkSettings | None = None


class WireManifest(Struct, rename="pascal"):
    """An entry of Manifests in GET /images/json with manifests=1, from API 1.47 on the containerd store."""

    id: str = field(name="ID")
    kind: str = ""
    available: bool = False

    @property
    def is_an_image_here(self) -> bool:
        return self.available and self.kind == "image"


class WireImage(Struct, rename="pascal"):
    """An entry of GET /images/json."""

    id: str
    parent_id: str = ""
    repo_tags: list[str] | None = None
    repo_digests: list[str] | None = None
    created: int = 0
    size: int = 0
    shared_size: int = -1
    labels: dict[str, str] | None = None
    manifests: list[WireManifest] | None = None
    read_only: bool = False


class WireImageDetails(Struct, rename="pascal"):
    """GET /images/{name}/json, as far as a look before a removal needs it."""

    id: str
    repo_tags: list[str] | None = None


class WireRootFS(Struct, rename="pascal"):
    layers: list[str] | None = None


class WireGraphDriver(Struct, rename="pascal"):
    data: dict[str, str | None] | None = None


class WireImageLayers(Struct, rename="pascal"):
    """GET /images/{name}/json, as far as it is about layers."""

    root_fs: WireRootFS | None = field(default=None, name="RootFS")
    graph_driver: WireGraphDriver | None = None


class WireHistoryStep(Struct, rename="pascal"):
    """An entry of GET /images/{name}/history, the newest first."""

    size: int = 0


class WireUsageData(Struct, rename="pascal"):
    size: int = -1


class WireVolume(Struct, rename="pascal"):
    """An entry of GET /volumes, GET /volumes/{name}, and of Volumes in GET /system/df."""

    name: str
    driver: str = ""
    scope: str = ""
    mountpoint: str = ""
    created_at: str = ""
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    usage_data: WireUsageData | None = None


class WireVolumes(Struct, rename="pascal"):
    """GET /volumes. Podman leaves the key out if there are none, or writes null."""

    volumes: list[WireVolume] | None = None
    warnings: list[str] | None = None


class WireSpecMount(Struct, rename="pascal"):
    """An entry of Mounts in the specification of a service."""

    type: str = ""
    source: str = ""


class WireContainerSpec(Struct, rename="pascal"):
    image: str = ""
    mounts: list[WireSpecMount] | None = None


class WireSpecNetwork(Struct, rename="pascal"):
    target: str = ""


class WireTaskTemplate(Struct, rename="pascal"):
    container_spec: WireContainerSpec | None = None
    networks: list[WireSpecNetwork] | None = None


class WireReplicas(Struct, rename="pascal"):
    replicas: int | None = None


class WireServiceMode(Struct, rename="pascal"):
    replicated: WireReplicas | None = None
    global_: dict[str, object] | None = field(default=None, name="Global")
    replicated_job: dict[str, object] | None = None
    global_job: dict[str, object] | None = None


class WireServiceSpec(Struct, rename="pascal"):
    """A specification of a service. TaskTemplate shows what the service holds, so it is required. Older clients wrote
    Networks beside it."""

    task_template: WireTaskTemplate
    name: str = ""
    mode: WireServiceMode | None = None
    networks: list[WireSpecNetwork] | None = None


class WireServiceStatus(Struct, rename="pascal"):
    running_tasks: int = 0
    desired_tasks: int = 0
    completed_tasks: int = 0


class WireService(Struct, rename="pascal"):
    """An entry of GET /services; ServiceStatus needs status=true and API 1.41. Spec shows what the service holds, so it
    is required."""

    id: str = field(name="ID")
    spec: WireServiceSpec
    previous_spec: WireServiceSpec | None = None
    service_status: WireServiceStatus | None = None


class WireConfigFrom(Struct, rename="pascal"):
    network: str = ""


class WireNetwork(Struct, rename="pascal"):
    """An entry of GET /networks, and GET /networks/{id}."""

    id: str
    name: str
    created: str = ""
    driver: str = ""
    scope: str = ""
    labels: dict[str, str] | None = None
    ingress: bool = False
    config_from: WireConfigFrom | None = None
    config_only: bool = False


class WireCacheRecord(Struct, rename="pascal"):
    """An entry of BuildCache in GET /system/df. The key of the parents has had three spellings: Parent, a string, up to
    API 1.41; " Parents" with a leading space from Docker 23.0 to 29.7 (engine-api.md §0.7); and the intended one."""

    id: str = field(name="ID")
    type: str = ""
    description: str = ""
    parent: str = ""
    spaced_parents: list[str] | None = field(default=None, name=" Parents")
    parents: list[str] | None = None
    in_use: bool = False
    shared: bool = False
    size: int = -1
    created_at: str | None = None
    last_used_at: str | None = None
    usage_count: int = 0


class WireContainerSize(Struct, rename="pascal"):
    """An entry of Containers in GET /system/df. SizeRw is left out if it is 0, and -1 if the walk failed."""

    id: str
    size_rw: int = 0


class WireDiskUsage(Struct, rename="pascal"):
    """GET /system/df up to API 1.51; inner fields are left out where they are zero."""

    containers: list[WireContainerSize] | None = None
    images: list[WireImage] | None = None
    layers_size: int = -1
    volumes: list[WireVolume] | None = None
    build_cache: list[WireCacheRecord] | None = None


class WireComponent(Struct, rename="pascal"):
    name: str = ""


class WireVersion(Struct, rename="pascal"):
    """GET /version."""

    version: str = ""
    api_version: str = ""
    min_api_version: str = field(default="", name="MinAPIVersion")
    components: list[WireComponent] | None = None


class WireSwarm(Struct, rename="pascal"):
    """Swarm in GET /info. LocalNodeState is "inactive", "pending", "active", "error" or "locked"."""

    local_node_state: str = ""
    control_available: bool = False


class WireIndexConfig(Struct, rename="pascal"):
    """One registry in GET /info."""

    secure: bool = True
    mirrors: list[str] | None = None


class WireRegistryConfig(Struct, rename="pascal"):
    """How the engine reaches registries; empty with Podman (tried on 5.8 and 6.1)."""

    insecure_registry_cidrs: list[str] | None = field(default=None, name="InsecureRegistryCIDRs")
    index_configs: dict[str, WireIndexConfig] | None = None


class WireInfo(Struct, rename="pascal"):
    """GET /info."""

    id: str = field(default="", name="ID")
    name: str = ""
    driver: str = ""
    driver_status: list[list[str]] | None = None
    docker_root_dir: str = ""
    operating_system: str = ""
    kernel_version: str = ""
    system_time: str = ""
    labels: list[str] | None = None
    swarm: WireSwarm | None = None
    registry_config: WireRegistryConfig | None = None


class WireDeleted(Struct, rename="pascal"):
    """An entry of the answer to DELETE /images/{name}."""

    untagged: str = ""
    deleted: str = ""


class WirePrune(Struct, rename="pascal"):
    """POST /build/prune."""

    caches_deleted: list[str] | None = None
    space_reclaimed: int | None = None
