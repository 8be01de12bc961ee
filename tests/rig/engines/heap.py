"""Heaps: an engine with some of everything on it, and an engine with a great many things on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.rig.engines.archive import ImageSpec
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter

_MEGABYTE = 1_000_000
_SHARED_BASE = {"heap-base": 3 * _MEGABYTE}
_COMPOSE = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
_LOAD_AT_ONCE = 250
_THREADS = 4
_BASES, _MIDDLES = 10, 50


@dataclass(frozen=True)
class Everything:
    """A litter of every kind, about half of it in use. Containers, images and networks are ids."""

    running_container: str
    """Holds `used_image`, `used_volume`, `used_anonymous_volume` and `used_network`."""
    stopped_container: str
    """Holds `stopped_image`, `stopped_volume` and `stopped_network`; exited with 3, wrote 2 MB."""
    created_container: str
    """Never started; of `used_image`."""
    used_image: str
    """`shop/web:2`."""
    stopped_image: str
    """`shop/job:1`, held by nothing but the stopped container."""
    unused_image: str
    """`shop/web:1`, tagged and held by nothing."""
    dangling_image: str
    """Without a tag, and held by nothing."""
    built_image: str | None
    """`shop/legacy:1`, of the legacy builder, where the engine has that."""
    intermediate_images: tuple[str, ...]
    """The parents of `built_image`, the oldest first."""
    unused_volume: str
    """`shop_old`, named, 4 MB."""
    used_volume: str
    """`shop_data`, named, 2 MB, mounted by the running container."""
    stopped_volume: str
    """`shop_job`, named, 1 MB, mounted by the stopped container only."""
    anonymous_volume: str
    """Anonymous, 3 MB, mounted by nothing."""
    used_anonymous_volume: str
    """Anonymous, mounted by the running container."""
    option_volume: str
    """`shop_tmpfs`, named, with driver options, so that no engine tells its size."""
    unused_network: str
    """`shop_old`."""
    used_network: str
    """`shop_default`, of the running container."""
    stopped_network: str
    """`shop_jobs`, of the stopped container only."""
    cache: tuple[str, ...]
    """Build-cache records, 5 MB; empty where the engine has none."""


def everything(litter: Litter) -> Everything:
    """Litter an engine with some of everything; it may take two seconds."""
    kind = litter.engine.kind
    built = litter.legacy_build("shop/legacy:1", steps=3, size=_MEGABYTE) if kind.has_legacy_builder else []
    cache = litter.build_cache("shop-cache", records=3, size=5 * _MEGABYTE) if kind.has_build_cache else []
    used, stopped_image, unused, dangling = litter.images(_images())
    networks = {name: litter.network(name) for name in ("shop_old", "shop_default", "shop_jobs")}
    volumes = _volumes(litter)
    running, stopped = _containers(litter, volumes)
    return Everything(
        running_container=running,
        stopped_container=stopped,
        created_container=litter.container("shop-web-2", image="shop/web:2", state="created"),
        used_image=used,
        stopped_image=stopped_image,
        unused_image=unused,
        dangling_image=dangling,
        built_image=built[-1] if built else None,
        intermediate_images=tuple(built[:-1]),
        unused_volume=volumes["unused"],
        used_volume=volumes["used"],
        stopped_volume=volumes["stopped"],
        anonymous_volume=volumes["anonymous"],
        used_anonymous_volume=_mounted(litter, running, "/cache"),
        option_volume=volumes["option"],
        unused_network=networks["shop_old"],
        used_network=networks["shop_default"],
        stopped_network=networks["shop_jobs"],
        cache=tuple(cache),
    )


def _images() -> list[ImageSpec]:
    return [
        ImageSpec(("shop/web:2",), {**_SHARED_BASE, "web-2": 2 * _MEGABYTE}, runnable=True),
        ImageSpec(("shop/job:1",), {**_SHARED_BASE, "job-1": _MEGABYTE}, runnable=True),
        ImageSpec(("shop/web:1",), {**_SHARED_BASE, "web-1": 2 * _MEGABYTE}, runnable=True),
        ImageSpec((), {**_SHARED_BASE, "web-0": 2 * _MEGABYTE}, labels={"stage": "build"}, runnable=True),
    ]


def _containers(litter: Litter, volumes: Mapping[str, str]) -> tuple[str, str]:
    """The running one and the stopped one."""
    running = litter.container(
        "shop-web-1",
        image="shop/web:2",
        state="running",
        writes=_MEGABYTE,
        volumes={volumes["used"]: "/data"},
        anonymous_volumes=["/cache"],
        networks=["shop_default"],
        labels=_COMPOSE,
        restart="unless-stopped",
    )
    stopped = litter.container(
        "shop-job-1",
        image="shop/job:1",
        exit_code=3,
        writes=2 * _MEGABYTE,
        volumes={volumes["stopped"]: "/data"},
        networks=["shop_jobs"],
    )
    return running, stopped


def _volumes(litter: Litter) -> dict[str, str]:
    tmpfs = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    return {
        "unused": litter.volume("shop_old", size=4 * _MEGABYTE),
        "used": litter.volume("shop_data", size=2 * _MEGABYTE, labels=_COMPOSE),
        "stopped": litter.volume("shop_job", size=_MEGABYTE),
        "anonymous": litter.anonymous_volume(3 * _MEGABYTE),
        "option": litter.volume("shop_tmpfs", options=tmpfs),
    }


def _mounted(litter: Litter, container: str, path: str) -> str:
    mounts = litter.engine.wire.call("GET", f"/containers/{container}/json")["Mounts"]
    return next(str(mount["Name"]) for mount in mounts if mount["Destination"] == path)


@dataclass(frozen=True)
class Heap:
    """A great many things, for benchmarks."""

    containers: tuple[str, ...]
    """Ids; none was ever started, each is of one of the images."""
    images: tuple[str, ...]
    """Ids; every tenth is dangling. They share layers, and differ in a label."""
    volumes: tuple[str, ...]
    """Names; every second is anonymous, and every fourth is mounted as long as there are containers."""


def heap(
    litter: Litter,
    *,
    containers: int = 0,
    images: int = 0,
    volumes: int = 0,
    bases: int = _BASES,
    middles: int = _MIDDLES,
) -> Heap:
    """Make that many things as fast as the engine can; 1,000 containers take some five seconds. The images stand on so
    many bases in turn, and each, where there are any, on one of so many middles."""
    engine = litter.engine
    made_images = list(_many_images(litter, [_heap_image(number, bases, middles) for number in range(images)]))
    with ThreadPoolExecutor(_THREADS) as pool:
        made_volumes = list(pool.map(lambda number: _one_volume(engine, number), range(volumes)))
        mounted = made_volumes[::4]
        base = [litter.base()] if containers and not made_images else []
        bodies = (
            _container_body(
                (made_images or base)[number % len(made_images or base)],
                mounted[number] if number < len(mounted) else None,
            )
            for number in range(containers)
        )
        made = list(pool.map(lambda body: str(engine.wire.call("POST", "/containers/create", body)["Id"]), bodies))
    return Heap(tuple(made), tuple(made_images), tuple(made_volumes))


def _many_images(litter: Litter, specs: list[ImageSpec]) -> Iterable[str]:
    for start in range(0, len(specs), _LOAD_AT_ONCE):
        yield from litter.images(specs[start : start + _LOAD_AT_ONCE])


def _heap_image(number: int, bases: int, middles: int) -> ImageSpec:
    # New layers cost the engine far more than new images, as each is written through to the disk.
    layers = {f"heap-base-{number % bases}": 100_000}
    if middles:
        layers[f"heap-middle-{number % middles}"] = 10_000
    tags = () if number % 10 == 9 else (f"heap/app-{number % _MIDDLES}:{number}",)
    return ImageSpec(tags, layers, {"number": str(number)})


def _one_volume(engine: Engine, number: int) -> str:
    body = {} if number % 2 else {"Name": f"heap-{number}"}
    return str(engine.wire.call("POST", "/volumes/create", body)["Name"])


def _container_body(image: str, volume: str | None) -> dict[str, object]:
    binds = [f"{volume}:/data"] if volume else []
    return {"Image": image, "Cmd": ["/bin/true"], "HostConfig": {"NetworkMode": "none", "Binds": binds}}
