"""From the engine's words to ours. Its oddities (zero dates, `<none>`, -1, spellings, missing keys) end here."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from dockersweep.engine.wire import (
    WireCacheRecord,
    WireContainer,
    WireContainerDetails,
    WireExternalContainer,
    WireHostConfig,
    WireImage,
    WireLogConfig,
    WireMount,
    WireNetwork,
    WireNetworkSettings,
    WireRestartPolicy,
    WireVolume,
)
from dockersweep.model.inventory import (
    VOLUME_CONTAINER,
    BuildCacheRecord,
    Container,
    ExternalContainer,
    ExternalTool,
    Image,
    Mount,
    Network,
    Volume,
)
from dockersweep.model.naming import has_made_up_name
from dockersweep.units import known_instant, parse_instant

_YEAR_9999 = 253_370_764_800
COMPOSE_PROJECT = "com.docker.compose.project"
ANONYMOUS_VOLUME = "com.docker.volume.anonymous"
PREDEFINED_NETWORKS = frozenset({"bridge", "host", "none", "podman", "nat", "docker_gwbridge"})

# Podman has states of its own; what is not listed here has docker's name, or is kept as it is and never removed.
PODMAN_STATES = {"configured": "created", "initialized": "created", "stopped": "exited", "stopping": "running"}


def container_from_list(seen: WireContainer) -> Container:
    """Translate an entry of the container list; what only an inspect tells is None."""
    labels = seen.labels or {}
    return Container(
        id=seen.id,
        name=_first_name(seen.names, seen.id),
        image=seen.image,
        image_id=_image_id(seen.image_id),
        state=PODMAN_STATES.get(seen.state.lower(), seen.state.lower()),
        exit_code=None,
        created_at=instant_from_seconds(seen.created),
        started_at=None,
        finished_at=None,
        restart_policy=None,
        labels=labels,
        project=labels.get(COMPOSE_PROJECT),
        mounts=_mounts(seen.mounts, seen.host_config),
        networks=_networks(seen.network_settings, seen.host_config),
        shares_with=_shares_with(seen.host_config),
        size_bytes=None,
        log_driver=None,
        log_path=None,
        log_bytes=None,
        unread=None,
    )


def container_from_details(seen: WireContainerDetails, is_podman: bool) -> Container:
    """Translate an inspected container; its sizes are not in it."""
    labels = (seen.config.labels if seen.config else None) or {}
    policy = seen.host_config.restart_policy if seen.host_config else None
    log = seen.host_config.log_config if seen.host_config else None
    state = seen.state.status.lower()
    return Container(
        id=seen.id,
        name=seen.name.removeprefix("/"),
        image=seen.config.image if seen.config else "",
        image_id=_image_id(seen.image),
        state=PODMAN_STATES.get(state, state),
        exit_code=seen.state.exit_code,
        created_at=parse_instant(seen.created),
        started_at=parse_instant(seen.state.started_at),
        finished_at=parse_instant(seen.state.finished_at),
        restart_policy=(policy.name if policy else "") or "no",
        labels=labels,
        project=labels.get(COMPOSE_PROJECT),
        mounts=_mounts(seen.mounts, seen.host_config),
        networks=_networks(seen.network_settings, seen.host_config),
        shares_with=_shares_with(seen.host_config),
        size_bytes=None,
        log_driver=log.type if log else None,
        log_path=seen.log_path or None,
        log_bytes=None,
        unread=None,
        log_is_limited=_is_limited(log),
        restart_count=seen.restart_count,
        retries_left=_retries_left(policy, seen.restart_count, is_podman),
    )


def _retries_left(policy: WireRestartPolicy | None, restart_count: int | None, is_podman: bool) -> bool | None:
    """Docker counts up to MaximumRetryCount, 0 is no limit, and asks that again when it starts itself. Podman starts no
    such container then: podman-restart.service of 5.8 and 6.1 runs `podman start --all --filter
    should-start-on-boot=true`, which is `always` and `unless-stopped`, of what was started once; older ones ask for
    `restart-policy=always`."""
    if policy is None or policy.name != "on-failure":
        return None
    if is_podman:
        return False
    if policy.maximum_retry_count == 0:
        return True
    return None if restart_count is None else restart_count < policy.maximum_retry_count


def _is_limited(log: WireLogConfig | None) -> bool | None:
    """Whether a log ends at some size. The `local` driver has a limit unless it is told otherwise; what other drivers
    keep, they keep elsewhere. Podman 5.8 has options and does not tell them."""
    if log is None or log.config is None or log.type not in ("json-file", "local"):
        return None
    size = log.config.get("max-size", "")
    return size != "-1" and (bool(size) or log.type == "local")


ToldBy = Literal["digests", "names", "nothing"]
"""What in the image list of an engine tells whether a registry has an image."""


def image_from_list(seen: WireImage, shared_is_true: bool, registry_told_by: ToldBy) -> Image:
    """Translate an entry of the image list; `shared_is_true` says whether this engine's SharedSize can be used."""
    tags, digests = split_references(seen.repo_tags, seen.repo_digests)
    labels = seen.labels or {}
    return Image(
        id=_image_id(seen.id) or seen.id,
        tags=tags,
        digests=digests,
        parent_id=_image_id(seen.parent_id),
        # It is no age, so 1970 is shown as what it is; year 1 stands for "not recorded".
        built_at=datetime.fromtimestamp(seen.created, UTC) if 0 <= seen.created < _YEAR_9999 else None,
        size_bytes=size_or_unknown(seen.size),
        shared_bytes=_shared_bytes(seen) if shared_is_true else None,
        labels=labels,
        project=labels.get(COMPOSE_PROJECT),
        manifest=_sole_manifest(seen),
        in_registry=_in_registry((*tags, *digests), bool(digests), registry_told_by),
        read_only=seen.read_only,
    )


def external_from_list(seen: WireExternalContainer) -> ExternalContainer:
    """Translate an entry of Podman's list of external containers."""
    name = _first_name(seen.names, seen.id)
    return ExternalContainer(
        id=seen.id,
        name=name,
        image_id=_image_id(seen.image_id),
        tool=_tool(name, seen.command or []),
        created_at=parse_instant(seen.created),
    )


def _tool(name: str, command: list[str]) -> ExternalTool:
    """Podman says "buildah" where it finds buildah's file beside a container, and "storage" of all others
    (pkg/ps: ListStorageContainer). A volume of the driver image has a container "NAME+volume"; CRI-O's are named like
    those of a kubelet always were."""
    if command == ["buildah"]:
        return "podman build"
    if name.endswith(VOLUME_CONTAINER):
        return "volume"
    return "CRI-O" if name.startswith("k8s_") else "other"


def _in_registry(names: tuple[str, ...], has_digests: bool, told_by: ToldBy) -> bool | None:
    """A graphdriver store adds a digest with a pull or a push, and never else (distribution/{pull,push}_v2.go of
    moby). Podman has digests of all that has a name, but to load and to build without naming a registry makes names
    of "localhost" without a port (tried on 5.8). The containerd store has digests of all that has a name, and tells
    the rest on its disk only."""
    if told_by == "digests":
        return has_digests
    is_local = told_by == "names" and bool(names) and all(name.startswith("localhost/") for name in names)
    return False if is_local else None


def _shared_bytes(seen: WireImage) -> int | None:
    """From 29.5 on the containerd store counts a blob that several platforms of an image have once for each, in its
    Size, and as shared what the image shares with itself only (tried on 29.7): the difference is not its own."""
    told = size_or_unknown(seen.shared_size)
    return None if told and len(_manifests_here(seen)) > 1 else told


def _sole_manifest(seen: WireImage) -> str | None:
    here = _manifests_here(seen)
    return here[0] if len(here) == 1 else None


def _manifests_here(seen: WireImage) -> list[str]:
    return [one.id for one in seen.manifests or () if one.is_an_image_here]


def split_references(
    tags: Iterable[str] | None, digests: Iterable[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return tags and digest references, sorted. Up to API 1.42 an image without either has "<none>:<none>"; the
    containerd store lists digest references among the tags."""
    named = {tag for tag in tags or () if not tag.startswith("<none>")}
    by_digest = {reference for reference in named if "@" in reference}
    by_digest |= {digest for digest in digests or () if not digest.startswith("<none>")}
    return tuple(sorted(named - by_digest)), tuple(sorted(by_digest))


def volume_from_list(seen: WireVolume, free_by_engine: bool, marks_anonymous: bool) -> Volume:
    """Translate a volume; `free_by_engine` is whether the engine's list of dangling volumes names it.

    Where the engine marks the volumes that it names itself (Docker 23.0, API 1.42), only the label counts, as for
    `docker volume prune`: 64 hex digits are also what a person or a program calls a volume. Elsewhere the name is all
    there is.
    """
    labels = seen.labels or {}
    return Volume(
        name=seen.name,
        driver=seen.driver,
        scope=seen.scope,
        mountpoint=seen.mountpoint or None,
        created_at=parse_instant(seen.created_at),
        labels=labels,
        options=seen.options or {},
        anonymous=ANONYMOUS_VOLUME in labels or (not marks_anonymous and has_made_up_name(seen.name)),
        project=labels.get(COMPOSE_PROJECT),
        free_by_engine=free_by_engine,
        size_bytes=None,
    )


def network_from_list(seen: WireNetwork) -> Network:
    """Translate a network."""
    labels = seen.labels or {}
    return Network(
        id=seen.id,
        name=seen.name,
        driver=seen.driver,
        scope=seen.scope,
        created_at=parse_instant(seen.created),
        labels=labels,
        project=labels.get(COMPOSE_PROJECT),
        predefined=seen.ingress or seen.name in PREDEFINED_NETWORKS,
        config_from=(seen.config_from.network if seen.config_from else "") or None,
        config_only=seen.config_only,
    )


def record_from_usage(seen: WireCacheRecord) -> BuildCacheRecord:
    """Translate a build-cache record."""
    parents = seen.parents or seen.spaced_parents or ([seen.parent] if seen.parent else [])
    return BuildCacheRecord(
        id=seen.id,
        type=seen.type,
        description=seen.description,
        parents=tuple(parents),
        in_use=seen.in_use,
        shared=seen.shared,
        size_bytes=size_or_unknown(seen.size),
        created_at=parse_instant(seen.created_at),
        last_used_at=parse_instant(seen.last_used_at),
        usage_count=seen.usage_count,
    )


def size_or_unknown(size: int) -> int | None:
    """Return a size in bytes; engines write -1 where they did not or could not measure."""
    return None if size < 0 else size


def instant_from_seconds(seconds: int) -> datetime | None:
    """Return the instant of a Unix time, None where it stands for "never"."""
    try:
        return known_instant(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        return None


def _first_name(names: list[str] | None, container_id: str) -> str:
    """The own name has one slash; names with two come from links of other containers."""
    own = [name for name in names or () if name.count("/") <= 1]
    return (own or [container_id[:12]])[0].removeprefix("/")


def _image_id(image_id: str) -> str | None:
    """Podman leaves out the "sha256:" in some answers."""
    if not image_id:
        return None
    return f"sha256:{image_id}" if re.fullmatch(r"[0-9a-f]{64}", image_id) else image_id


def _mounts(mounts: list[WireMount] | None, host: WireHostConfig | None) -> tuple[Mount, ...]:
    """A mounted image is named in the list (28.5: Name "data:1", and a path as Source), and in the host configuration
    that an inspect tells (Source "data:1")."""
    listed = [_mount(mount.type, mount.name, mount.source) for mount in mounts or ()]
    for mount in (host.mounts if host else None) or ():
        if mount.type == "image":
            listed.append(_mount("image", mount.source, ""))
    return tuple(dict.fromkeys(listed))


def _mount(kind: str, name: str, source: str) -> Mount:
    if kind == "volume":
        return Mount(type=kind, volume=name or None, source=None)
    return Mount(type=kind, volume=None, source=(name or source if kind == "image" else source) or None)


def _networks(settings: WireNetworkSettings | None, host: WireHostConfig | None) -> tuple[str, ...]:
    """Everything by which a container may name a network: a created one has no network id yet, only a name."""
    networks = (settings.networks if settings else None) or {}
    named = set(networks)
    named |= {endpoint.network_id for endpoint in networks.values() if endpoint and endpoint.network_id}
    if host and host.network_mode and not host.network_mode.startswith("container:"):
        named.add(host.network_mode)
    return tuple(sorted(named))


def _shares_with(host: WireHostConfig | None) -> tuple[str, ...]:
    """The list tells only of networks, an inspect of all; each is written "container:" and the other's id."""
    modes = (host.network_mode, host.ipc_mode, host.pid_mode) if host else ()
    return tuple(sorted({mode.partition(":")[2] for mode in modes if mode.startswith("container:")}))
