"""Translates an engine's answers into types of the model. Oddities (zero dates, `<none>`, -1, spellings, missing keys)
end here."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from dockersweep.engine.api.wire import (
    WireCacheRecord,
    WireContainer,
    WireContainerDetails,
    WireHostConfig,
    WireImage,
    WireLogConfig,
    WireMount,
    WireNetwork,
    WireNetworkSettings,
    WirePodmanContainer,
    WireRestartPolicy,
    WireVolume,
)
from dockersweep.model.compose_labels import project_in
from dockersweep.model.external import VOLUME_CONTAINER, ExternalContainer, ExternalTool
from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Mount, Network, Volume
from dockersweep.model.naming import has_made_up_name
from dockersweep.units import known_instant, parse_instant

_YEAR_9999 = 253_370_764_800
ANONYMOUS_VOLUME = "com.docker.volume.anonymous"
PREDEFINED_NETWORKS = frozenset({"bridge", "host", "none", "podman", "nat", "docker_gwbridge"})

# Podman's own states. A state that is not listed here is docker's, or is kept unchanged and never removed.
PODMAN_STATES = {"configured": "created", "initialized": "created", "stopped": "exited", "stopping": "running"}


def container_from_list(listed: WireContainer) -> Container:
    """Translate an entry of the container list; fields that only an inspect has are None."""
    labels = listed.labels or {}
    return Container(
        id=listed.id,
        name=_first_name(listed.names, listed.id),
        image=listed.image,
        image_id=_image_id(listed.image_id),
        state=PODMAN_STATES.get(listed.state.lower(), listed.state.lower()),
        exit_code=None,
        created_at=instant_from_seconds(listed.created),
        started_at=None,
        finished_at=None,
        restart_policy=None,
        labels=labels,
        project=project_in(labels),
        mounts=_mounts(listed.mounts, listed.host_config),
        networks=_networks(listed.network_settings, listed.host_config),
        shares_with=_shares_with(listed.host_config),
        size_bytes=None,
        log_driver=None,
        log_path=None,
        log_bytes=None,
        unread=None,
    )


def container_from_details(details: WireContainerDetails, is_podman: bool) -> Container:
    """Translate an inspected container, which has no sizes."""
    labels = (details.config.labels if details.config else None) or {}
    policy = details.host_config.restart_policy if details.host_config else None
    log = details.host_config.log_config if details.host_config else None
    state = details.state.status.lower()
    return Container(
        id=details.id,
        name=details.name.removeprefix("/"),
        image=details.config.image if details.config else "",
        image_id=_image_id(details.image),
        state=PODMAN_STATES.get(state, state),
        exit_code=details.state.exit_code,
        created_at=parse_instant(details.created),
        started_at=parse_instant(details.state.started_at),
        finished_at=parse_instant(details.state.finished_at),
        restart_policy=(policy.name if policy else "") or "no",
        labels=labels,
        project=project_in(labels),
        mounts=_mounts(details.mounts, details.host_config),
        networks=_networks(details.network_settings, details.host_config),
        shares_with=_shares_with(details.host_config),
        size_bytes=None,
        log_driver=log.type if log else None,
        log_path=details.log_path or None,
        log_bytes=None,
        unread=None,
        log_is_limited=_is_limited(log),
        restart_count=details.restart_count,
        retries_left=_retries_left(policy, details.restart_count, is_podman),
    )


def _retries_left(policy: WireRestartPolicy | None, restart_count: int | None, is_podman: bool) -> bool | None:
    """Whether the engine would start an `on-failure` container again when it starts itself; None for other policies and
    where unknown. Docker does up to MaximumRetryCount (0 is no limit). Podman does not: podman-restart.service of 5.8
    and 6.1 runs `podman start --all --filter should-start-on-boot=true`, which is `always` and `unless-stopped` of
    containers that ran before; older ones use `restart-policy=always`."""
    if policy is None or policy.name != "on-failure":
        return None
    if is_podman:
        return False
    if policy.maximum_retry_count == 0:
        return True
    return None if restart_count is None else restart_count < policy.maximum_retry_count


def _is_limited(log: WireLogConfig | None) -> bool | None:
    """Whether the size of a log is limited. The `local` driver has a limit by default; drivers other than these two
    keep logs elsewhere. Podman 5.8 has such options but does not show them."""
    if log is None or log.config is None or log.type not in ("json-file", "local"):
        return None
    size = log.config.get("max-size", "")
    return size != "-1" and (bool(size) or log.type == "local")


RegistrySource = Literal["digests", "names", "nothing"]
"""Which fields of an engine's image list show whether a registry has an image."""


def image_from_list(listed: WireImage, has_shared_size: bool, registry_source: RegistrySource) -> Image:
    """Translate an entry of the image list; `has_shared_size` is whether this engine's SharedSize can be used."""
    tags, digests = split_references(listed.repo_tags, listed.repo_digests)
    labels = listed.labels or {}
    return Image(
        id=_image_id(listed.id) or listed.id,
        tags=tags,
        digests=digests,
        parent_id=_image_id(listed.parent_id),
        # This is not an age, so 1970 is shown as it is; year 1 stands for "not recorded".
        built_at=datetime.fromtimestamp(listed.created, UTC) if 0 <= listed.created < _YEAR_9999 else None,
        size_bytes=size_or_unknown(listed.size),
        shared_bytes=_shared_bytes(listed) if has_shared_size else None,
        labels=labels,
        project=project_in(labels),
        manifest=_sole_manifest(listed),
        in_registry=_in_registry((*tags, *digests), bool(digests), registry_source),
        read_only=listed.read_only,
    )


def external_from_list(listed: WirePodmanContainer) -> ExternalContainer:
    """Translate an entry of Podman's list of external containers."""
    name = _first_name(listed.names, listed.id)
    return ExternalContainer(
        id=listed.id,
        name=name,
        image_id=_image_id(listed.image_id),
        tool=_tool(name, listed.command or []),
        created_at=parse_instant(listed.created),
    )


def container_from_podman(listed: WirePodmanContainer) -> Container:
    """Translate an entry of Podman's own list, which does not show what the container holds."""
    return container_from_list(WireContainer(listed.id, listed.state, listed.image_id, None, None))


def _tool(name: str, command: list[str]) -> ExternalTool:
    """Return which tool a container in Podman's storage belongs to. Podman reports "buildah" if it finds buildah's file
    beside a container, and "storage" for all others (pkg/ps: ListStorageContainer). A volume with the driver `image`
    has a container "NAME+volume"; CRI-O's containers are named as those of a kubelet always were."""
    if command == ["buildah"]:
        return "podman build"
    if name.endswith(VOLUME_CONTAINER):
        return "volume"
    return "CRI-O" if name.startswith("k8s_") else "other"


def _in_registry(names: tuple[str, ...], has_digests: bool, source: RegistrySource) -> bool | None:
    """Whether a registry has an image; None where unknown. A graphdriver store adds a digest only on a pull or a push
    (distribution/{pull,push}_v2.go of moby). Podman has digests for everything with a name, but loading, and building
    without naming a registry, make names of "localhost" without a port (tried on 5.8). The containerd store has digests
    for everything with a name; only its disk shows more."""
    if source == "digests":
        return has_digests
    is_local = source == "names" and bool(names) and all(name.startswith("localhost/") for name in names)
    return False if is_local else None


def _shared_bytes(image: WireImage) -> int | None:
    """Return the bytes that an image shares with others; None where unknown. From 29.5 on, the containerd store counts
    a blob once for each platform of an image that has it, and then as shared even if the image shares it only with
    itself (tried on 29.7): the difference is not the image's own size."""
    size = size_or_unknown(image.shared_size)
    return None if size and len(_manifests_here(image)) > 1 else size


def _sole_manifest(image: WireImage) -> str | None:
    here = _manifests_here(image)
    return here[0] if len(here) == 1 else None


def _manifests_here(image: WireImage) -> list[str]:
    return [manifest.id for manifest in image.manifests or () if manifest.is_an_image_here]


def split_references(
    tags: Iterable[str] | None, digests: Iterable[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return tags and digest references, sorted. Up to API 1.42 an image without them has "<none>:<none>"; the
    containerd store lists digest references among the tags."""
    named = {tag for tag in tags or () if not tag.startswith("<none>")}
    by_digest = {reference for reference in named if "@" in reference}
    by_digest |= {digest for digest in digests or () if not digest.startswith("<none>")}
    return tuple(sorted(named - by_digest)), tuple(sorted(by_digest))


def volume_from_list(volume: WireVolume, free_by_engine: bool, marks_anonymous: bool) -> Volume:
    """Translate a volume; `free_by_engine` is whether the engine's list of dangling volumes names it.

    If the engine marks the volumes that it names itself (Docker 23.0, API 1.42), only the label counts, as for
    `docker volume prune`: people and programs use names of 64 hex digits too. Otherwise the name decides.
    """
    labels = volume.labels or {}
    return Volume(
        name=volume.name,
        driver=volume.driver,
        scope=volume.scope,
        mountpoint=volume.mountpoint or None,
        created_at=parse_instant(volume.created_at),
        labels=labels,
        options=volume.options or {},
        anonymous=ANONYMOUS_VOLUME in labels or (not marks_anonymous and has_made_up_name(volume.name)),
        project=project_in(labels),
        free_by_engine=free_by_engine,
        size_bytes=None,
    )


def network_from_list(network: WireNetwork) -> Network:
    """Translate a network."""
    labels = network.labels or {}
    return Network(
        id=network.id,
        name=network.name,
        driver=network.driver,
        scope=network.scope,
        created_at=parse_instant(network.created),
        labels=labels,
        project=project_in(labels),
        predefined=network.ingress or network.name in PREDEFINED_NETWORKS,
        config_from=(network.config_from.network if network.config_from else "") or None,
        config_only=network.config_only,
    )


def record_from_usage(record: WireCacheRecord) -> BuildCacheRecord:
    """Translate a build-cache record."""
    parents = record.parents or record.spaced_parents or ([record.parent] if record.parent else [])
    return BuildCacheRecord(
        id=record.id,
        type=record.type,
        description=record.description,
        parents=tuple(parents),
        in_use=record.in_use,
        shared=record.shared,
        size_bytes=size_or_unknown(record.size),
        created_at=parse_instant(record.created_at),
        last_used_at=parse_instant(record.last_used_at),
        usage_count=record.usage_count,
    )


def size_or_unknown(size: int) -> int | None:
    """Return a size in bytes; None for -1, which engines write where they did not or could not measure."""
    return None if size < 0 else size


def instant_from_seconds(seconds: int) -> datetime | None:
    """Return the instant of a Unix time; None where it means "never"."""
    try:
        return known_instant(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        return None


def _first_name(names: list[str] | None, container_id: str) -> str:
    """Return a container's own name, which has one slash; names with two come from links of other containers."""
    own = [name for name in names or () if name.count("/") <= 1]
    return (own or [container_id[:12]])[0].removeprefix("/")


def _image_id(image_id: str) -> str | None:
    """Return an image id with "sha256:", which Podman leaves out in some answers; None for an empty one."""
    if not image_id:
        return None
    return f"sha256:{image_id}" if re.fullmatch(r"[0-9a-f]{64}", image_id) else image_id


def _mounts(mounts: list[WireMount] | None, host: WireHostConfig | None) -> tuple[Mount, ...]:
    """Return the mounts. A mounted image is named in the list (28.5: Name "data:1", and a path as Source), and in the
    host configuration of an inspect (Source "data:1")."""
    listed = tuple(_mount(mount.type, mount.name, mount.source) for mount in mounts or ())
    return with_mounted_images(listed, host)


def with_mounted_images(listed: tuple[Mount, ...], host: WireHostConfig | None) -> tuple[Mount, ...]:
    """Return the mounts, plus the images of the host configuration that are not among them."""
    images = {mount.source for mount in listed if mount.type == "image"}
    sources = (mount.source for mount in (host.mounts if host else None) or () if mount.type == "image")
    return tuple(dict.fromkeys((*listed, *(_mount("image", source, "") for source in sources if source not in images))))


def _mount(kind: str, name: str, source: str) -> Mount:
    if kind == "volume":
        return Mount(type=kind, volume=name or None, source=None)
    if kind == "image":
        return Mount(type=kind, volume=None, source=name or source or None, folder=(source or None) if name else None)
    return Mount(type=kind, volume=None, source=source or None)


def _networks(settings: WireNetworkSettings | None, host: WireHostConfig | None) -> tuple[str, ...]:
    """Return all ids and names by which a container refers to networks: a created one has only names yet."""
    networks = (settings.networks if settings else None) or {}
    named = set(networks)
    named |= {endpoint.network_id for endpoint in networks.values() if endpoint and endpoint.network_id}
    if host and host.network_mode and not host.network_mode.startswith("container:"):
        named.add(host.network_mode)
    return tuple(sorted(named))


def _shares_with(host: WireHostConfig | None) -> tuple[str, ...]:
    """Return the ids of containers whose namespaces it shares ("container:ID"). The list shows only network modes, an
    inspect all of them."""
    modes = (host.network_mode, host.ipc_mode, host.pid_mode) if host else ()
    return tuple(sorted({mode.partition(":")[2] for mode in modes if mode.startswith("container:")}))
