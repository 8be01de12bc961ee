"""Small inventories for tests: each noun with what matters named and the rest filled in."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from dockersweep.model.inventory import (
    BuildCacheRecord,
    Container,
    Engine,
    Image,
    Inventory,
    Mount,
    Network,
    Object,
    ScanWarning,
    Volume,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ENGINE = Engine(
    endpoint="unix:///run/test.sock",
    endpoint_source="--host",
    id="ENGINE",
    name="box",
    version="28.5.2",
    api_version="1.51",
    flavour="docker",
    image_store="overlay2",
    root_dir="/var/lib/docker",
)


def ago(**length: float) -> datetime:
    """Return the instant that lies this long before NOW: ago(days=3)."""
    return NOW - timedelta(**length)


def container(
    name: str,
    state: str = "exited",
    *,
    finished: datetime | None = None,
    created: datetime | None = None,
    image: str = "sha256:none",
    volumes: Sequence[str] = (),
    binds: Sequence[str] = (),
    networks: Sequence[str] = (),
    shares_with: Sequence[str] = (),
    restart: str | None = "no",
    labels: Mapping[str, str] | None = None,
    size: int | None = 0,
    logs: int | None = 0,
    unread: str | None = None,
) -> Container:
    """A container, exited ten days ago unless told otherwise; its id is its name."""
    ran = state != "created"
    return Container(
        id=name,
        name=name,
        image=image,
        image_id=image,
        state=state,
        exit_code=0,
        created_at=created or ago(days=20),
        started_at=ago(days=19) if ran else None,
        finished_at=(finished or ago(days=10)) if state in ("exited", "dead") else None,
        restart_policy=restart,
        labels=dict(labels or {}),
        project=None,
        mounts=tuple(Mount(type="volume", volume=volume, source=None) for volume in volumes)
        + tuple(Mount(type="bind", volume=None, source=bind) for bind in binds),
        networks=tuple(networks),
        shares_with=tuple(shares_with),
        size_bytes=size,
        log_driver="json-file",
        log_path=None,
        log_bytes=logs,
        unread=unread,
    )


def image(
    name: str,
    *tags: str,
    parent: str | None = None,
    digests: Sequence[str] = (),
    in_registry: bool | Literal["by digests"] | None = "by digests",
    size: int | None = 100,
    shared: int | None = 0,
    first_seen: datetime | None = None,
    first_unused: datetime | None = None,
    labels: Mapping[str, str] | None = None,
    read_only: bool = False,
) -> Image:
    """An image, dangling without tags, first seen ten days ago; its id is "sha256:" and its name."""
    return Image(
        id=f"sha256:{name}",
        tags=tags,
        digests=tuple(digests),
        in_registry=bool(digests) if in_registry == "by digests" else in_registry,
        parent_id=None if parent is None else f"sha256:{parent}",
        built_at=None,
        size_bytes=size,
        shared_bytes=shared,
        labels=dict(labels or {}),
        project=None,
        read_only=read_only,
        first_seen_at=first_seen or ago(days=10),
        first_seen_unused_at=first_unused or first_seen or ago(days=10),
    )


def volume(
    name: str,
    *,
    anonymous: bool = True,
    driver: str = "local",
    options: Mapping[str, str] | None = None,
    created: datetime | None = None,
    free: bool = True,
    size: int | None = 10,
    labels: Mapping[str, str] | None = None,
) -> Volume:
    """A volume, anonymous and created ten days ago unless told otherwise."""
    return Volume(
        name=name,
        driver=driver,
        scope="local",
        mountpoint=f"/var/lib/docker/volumes/{name}/_data",
        created_at=created or ago(days=10),
        labels=dict(labels or {}),
        options=dict(options or {}),
        anonymous=anonymous,
        project=None,
        free_by_engine=free,
        size_bytes=size,
    )


def network(
    name: str,
    *,
    predefined: bool = False,
    scope: str = "local",
    config_from: str | None = None,
    created: datetime | None = None,
) -> Network:
    """A user-defined network, created ten days ago; its id is "net-" and its name."""
    return Network(
        id=f"net-{name}",
        name=name,
        driver="bridge",
        scope=scope,
        created_at=created or ago(days=10),
        labels={},
        project=None,
        predefined=predefined,
        config_from=config_from,
    )


def record(
    name: str,
    *parents: str,
    in_use: bool = False,
    shared: bool = False,
    last_used: datetime | None = None,
    size: int | None = 1000,
) -> BuildCacheRecord:
    """A build-cache record, last used ten days ago."""
    return BuildCacheRecord(
        id=name,
        type="regular",
        description=f"step {name}",
        parents=parents,
        in_use=in_use,
        shared=shared,
        size_bytes=size,
        created_at=ago(days=20),
        last_used_at=last_used or ago(days=10),
        usage_count=1,
    )


def inventory(
    *objects: Object,
    engine: Engine = ENGINE,
    own_container: str | None = None,
    warnings: Sequence[ScanWarning] = (),
    cache_read: bool = True,
) -> Inventory:
    """An inventory of these objects."""
    return Inventory(
        schema="dockersweep.inventory/1",
        engine=engine,
        taken_at=NOW,
        own_container_id=own_container,
        containers=tuple(one for one in objects if isinstance(one, Container)),
        images=tuple(one for one in objects if isinstance(one, Image)),
        volumes=tuple(one for one in objects if isinstance(one, Volume)),
        networks=tuple(one for one in objects if isinstance(one, Network)),
        build_cache=tuple(one for one in objects if isinstance(one, BuildCacheRecord)) if cache_read else None,
        layers_bytes=None,
        warnings=tuple(warnings),
    )
