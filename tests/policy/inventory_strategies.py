"""Inventories for properties: everything that a policy can ask about, in few values that often meet.

Each object is made of one number that hypothesis draws: a choice for every field would take most of the time of a test,
and a failure still shrinks to few objects.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.model.disk import Disk
from dockersweep.model.external import ExternalContainer
from dockersweep.model.inventory import (
    KINDS,
    STOPPED_STATES,
    BuildCacheRecord,
    Container,
    Image,
    Inventory,
    Kind,
    Mount,
    Network,
    Object,
    Service,
    ServiceSpec,
    Volume,
)
from dockersweep.model.last_use import LastProject, PastUse, Span, UseAction
from tests.rig.inventories import ENGINE, NOW, container, image, inventory, network, record, volume

T = TypeVar("T")

LETTERS = "abcde"
VOLUMES = {"a": "va", "b": "vab", "c": "vc", "d": "vd", "e": "ve"}
"""One name begins with another, which Podman mistakes for it."""
# Many of these lie just at, before and after the ages and dates that rules ask for.
HOURS = (-30, -1, 0, 1, 2, 23, 24, 25, 47, 48, 49, 72, 167, 168, 169, 300, 500, 743, 744, 745, 900, 2000, 9000)
REPOSITORIES = ("app", "team/app", "docker.io/library/base", "localhost/x", "reg.example.com:5000/app")
TAGS = {
    "a": ("1.0.0", "latest", "v3.0.0-rc.1"),
    "b": ("1.0.1", "stable", "v3.0.0-rc.2"),
    "c": ("1.1.0", "nightly", "2.0.0-rc.1"),
    "d": ("v2.0.0", "2.0", "dev"),
    "e": ("2.0.1", "edge", "v1.1.4"),
}
"""Of each image its own, since an engine has every reference only once."""

OF_OTHERS: tuple[dict[str, str], ...] = (
    {"com.docker.swarm.task.id": "x", "com.docker.swarm.service.name": "web"},
    {"io.kubernetes.pod.name": "x"},
)
"""Labels of what the swarm and the kubelet own."""

PETS: tuple[dict[str, str], ...] = ({"manager": "distrobox"}, {"manager": "x"}, {"io.x-k8s.kind.cluster": "kind"})
"""Labels of which some say that a container is a development container or a cluster node."""
NO_OR_FEW = (0, 0, 1, 2)

SEED = st.integers(min_value=0, max_value=2**24)


def _instant(random: Random) -> datetime:
    hours = random.choice(HOURS) if random.random() < 0.7 else random.randint(-50, 3000)
    return NOW - timedelta(hours=hours)


def maybe(random: Random, value: T, share: float = 0.8) -> T | None:
    return value if random.random() < share else None


def some_of(random: Random, values: Sequence[T], most: int, least: int = 0) -> list[T]:
    return random.sample(list(values), min(len(values), random.randint(least, most)))


def _size(random: Random) -> int | None:
    return maybe(random, random.choice((0, 10, 100, 500, 1000, 10**6)), 0.95)


def _labels(random: Random) -> dict[str, str]:
    return {key: random.choice(("", "prod", "dev")) for key in some_of(random, ("keep", "env", "team"), 2)}


def _project(random: Random) -> str | None:
    return maybe(random, random.choice(("billing", "shop")), 0.5)


def _compose(random: Random) -> dict[str, str]:
    return random.choice(
        (
            {},
            {"com.docker.compose.service": "db"},
            {"com.docker.compose.service": "db", "com.docker.compose.oneoff": random.choice(("True", "False"))},
            {"com.docker.compose.depends_on": "init:service_started:false,db:service_healthy:true"},
        )
    )


def _projects(random: Random) -> dict[str, str | None]:
    """A project that is certain, one that is not, or none."""
    project = _project(random)
    doubtful = random.random() < 0.2
    return {"project": None if doubtful else project, "maybe_project": project if doubtful else None}


def _last_projects(random: Random) -> tuple[LastProject, ...]:
    return tuple(LastProject(project=one, at=NOW) for one in some_of(random, ("billing", "shop", "blog"), 2))


def _uses(random: Random, *actions: UseAction) -> tuple[PastUse, ...]:
    """Return the uses that events told of an object, mostly none."""
    uses = [
        PastUse(at=_instant(random), action=random.choice(actions), by="job") for _ in range(random.choice(NO_OR_FEW))
    ]
    return tuple(sorted(uses, key=lambda use: use.at, reverse=True))


def _watched(random: Random) -> tuple[Span, ...] | None:
    """Return when uses would have been noticed: all the time, never, or in parts of it."""
    if random.random() < 0.4:
        return (Span(begins_at=NOW - timedelta(days=4000), ends_at=NOW),)
    ends = sorted({max(timedelta(), timedelta(hours=random.choice(HOURS))) for _ in range(2 * random.randint(0, 3))})
    spans = [
        Span(begins_at=NOW - late, ends_at=NOW - early, of_held=random.random() < 0.7)
        for early, late in zip(ends[::2], ends[1::2], strict=False)
    ]
    return maybe(random, tuple(reversed(spans)))


def _container(random: Random, letter: str) -> Container:
    stopped = random.random() < 0.9
    state = random.choice(STOPPED_STATES if stopped else ("running", "paused", "restarting", "removing", "odd"))
    of = random.choice((*LETTERS, "none", "none"))
    made = container(
        f"c{letter}" if random.random() < 0.95 else f"c{letter}-infra",
        state,
        created=_instant(random),
        image=f"sha256:i{of}",
        volumes=[VOLUMES[one] for one in some_of(random, LETTERS, 1)],
        networks=[f"{random.choice(('net-', ''))}n{one}" for one in some_of(random, LETTERS, 1)],
        shares_with=[f"c{one}" for one in some_of(random, LETTERS, 1)] if random.random() < 0.2 else (),
        restart=random.choice(("no", "no", "no", "on-failure", "always", "unless-stopped", None)),
        labels=_labels(random)
        | _compose(random)
        | random.choice(OF_OTHERS if random.random() < 0.08 else ({},))
        | random.choice(PETS if random.random() < 0.08 else ({},)),
        size=_size(random),
        logs=random.choice((0, 0, 0, _size(random))),
        unread=maybe(random, "it hung", 0.04),
    )
    mounts = list(made.mounts)
    if random.random() < 0.1:
        folder = f"/var/lib/docker/volumes/{VOLUMES[random.choice(LETTERS)]}/_data/sub"
        mounts.append(Mount(type="bind", volume=None, source=folder))
    if random.random() < 0.05:
        mounts.append(Mount(type="image", volume=None, source=random.choice((f"i{of}", "app:1.0.0", "team/app:edge"))))
    ran = made.started_at is not None
    return replace(
        made,
        image_id=maybe(random, made.image_id, 0.9),
        image=random.choice((made.image, f"app:{random.choice(TAGS.get(of, TAGS['a']))}")),
        started_at=maybe(random, _instant(random)) if ran else None,
        finished_at=maybe(random, _instant(random)) if made.finished_at else None,
        exit_code=random.choice((None, 0, 0, 1, 137)),
        retries_left=random.choice((True, True, False, None)),
        uses=_uses(random, "copied files", "committed", "exported", "started", "exited"),
        **_projects(random),
        mounts=tuple(mounts),
    )


def _image(random: Random, letter: str) -> Image:
    references = [f"{repository}:{tag}" for repository in REPOSITORIES for tag in TAGS[letter]]
    digests = [f"{repository}@sha256:{letter}{letter}" for repository in REPOSITORIES]
    size = _size(random)
    seen = maybe(random, _instant(random))
    unused = maybe(random, _instant(random)) if seen else None
    earlier = [f"i{one}" for one in LETTERS if one < letter]
    made = image(
        f"i{letter}",
        *some_of(random, references, 3),
        digests=some_of(random, digests, 2) if random.random() < 0.6 else (),
        parent=random.choice([None, None, *earlier]),
        size=size,
        shared=None if size is None else maybe(random, random.choice((0, size // 2, size))),
        labels=_labels(random),
    )
    return replace(
        made,
        built_at=maybe(random, _instant(random), 0.85),
        in_registry=random.choice((None, False, True, bool(made.digests))),
        read_only=random.random() < 0.1,
        **_projects(random),
        last_projects=_last_projects(random) if random.random() < 0.2 else (),
        first_seen_at=seen,
        first_seen_unused_at=max(seen, unused) if seen and unused else None,
        uses=_uses(random, "created", "pulled", "loaded", "imported", "tagged", "made by commit"),
    )


def _seen(random: Random, made: Any) -> Any:
    """Return a volume or a network with a memory of when it was first seen, or without."""
    seen = maybe(random, _instant(random), 0.5)
    unused = maybe(random, _instant(random)) if seen else None
    return replace(
        made,
        created_at=maybe(random, made.created_at),
        first_seen_at=seen,
        first_seen_unused_at=max(seen, unused) if seen and unused else None,
        project=_project(random),
        last_projects=_last_projects(random) if random.random() < 0.2 else (),
        uses=_uses(random, "created", "mounted", "connected"),
    )


def _volume(random: Random, letter: str) -> Volume:
    made: Volume = _seen(
        random,
        volume(
            VOLUMES[letter],
            anonymous=random.random() < 0.6,
            driver=random.choice(("local", "local", "nfs")),
            options=random.choice((None, None, {"type": "nfs"}, {"type": "none", "o": "bind"})),
            created=_instant(random),
            free=random.random() < 0.85,
            size=_size(random),
            labels=_labels(random),
        ),
    )
    return replace(made, written_at=maybe(random, _instant(random), 0.3))


def _network(random: Random, letter: str) -> Network:
    made: Network = _seen(
        random,
        network(
            f"n{letter}",
            predefined=random.random() < 0.1,
            scope="swarm" if random.random() < 0.1 else "local",
            config_from=random.choice([None, None, *(f"n{one}" for one in LETTERS if one < letter)]),
            created=_instant(random),
        ),
    )
    return replace(made, labels=_labels(random), driver=random.choice(("bridge", "overlay", "macvlan")))


def _record(random: Random, letter: str) -> BuildCacheRecord:
    earlier = [f"r{one}" for one in LETTERS if one < letter]
    made = record(
        f"r{letter}",
        *some_of(random, earlier, 2),
        in_use=random.random() < 0.15,
        shared=random.random() < 0.3,
        last_used=_instant(random),
        size=_size(random),
    )
    return replace(
        made,
        type=random.choice(("regular", "source.local", "exec.cachemount", "internal")),
        description=random.choice((made.description, "")),
        created_at=maybe(random, _instant(random)),
        last_used_at=maybe(random, made.last_used_at),
    )


MAKERS: dict[Kind, Callable[[Random, str], Object]] = {
    "container": _container,
    "image": _image,
    "volume": _volume,
    "network": _network,
    "build-cache": _record,
}


def _inventory(seeds: Sequence[Sequence[int]], random: Random) -> Inventory:
    objects = [
        MAKERS[kind](Random(seed), letter)
        for kind, of_kind in zip(KINDS, seeds, strict=True)
        for letter, seed in zip(LETTERS, of_kind, strict=False)
    ]
    engine = replace(
        ENGINE,
        flavour=random.choice(("docker", "docker", "podman")),
        image_store=random.choice(("overlay2", "overlay2", "containerd")),
    )
    disk = Disk(
        total_bytes=2 * 10**6, free_bytes=random.choice((0, 10**5, 10**6)), total_inodes=1000, free_inodes=100,
        mount_point="/", places=("/var/lib/docker",),
    )  # fmt: skip
    made = inventory(
        *objects,
        engine=engine,
        own_container=random.choice((None, None, None, "ca")),
        cache_read=random.random() < 0.9,
        watched=_watched(random),
    )
    held = [image.id for image in made.images if random.random() < 0.1]
    external = tuple(_external(image_id) for image_id in held)
    seen = replace(made, disk=maybe(random, disk), external=external, services=_services(random))
    return replace(seen, other_disks=() if seen.disk is None else _disk_of_volumes(random))


VOLUMES_DISK = "/var/lib/docker/volumes"


def _disk_of_volumes(random: Random) -> tuple[Disk, ...]:
    """Return a disk of their own for local volumes, or none."""
    if random.random() < 0.5:
        return ()
    free = random.choice((0, 10, 900))
    return (
        Disk(
            total_bytes=1000, free_bytes=free, total_inodes=100, free_inodes=50,
            mount_point=VOLUMES_DISK, places=(VOLUMES_DISK,),
        ),
    )  # fmt: skip


def _external(image_id: str) -> ExternalContainer:
    return ExternalContainer(
        id="x", name="x-working-container", image_id=image_id, tool="podman build", created_at=None
    )


def _services(random: Random) -> tuple[Service, ...] | None:
    if random.random() < 0.8:
        return random.choice(((), None))
    return tuple(
        Service(
            id=name,
            name=name,
            mode="replicated",
            spec=ServiceSpec(
                images=tuple(some_of(random, ("app:1.0.0", "docker.io/team/app:edge", "app:v1@sha256:a1"), 1)),
                mounts=tuple(
                    Mount(type="volume", volume=VOLUMES[one], source=None) for one in some_of(random, LETTERS, 1)
                ),
                networks=tuple(f"n{one}" for one in some_of(random, LETTERS, 1)),
            ),
        )
        for name in some_of(random, ("web", "db"), 2)
    )


_SEEDS = st.lists(SEED, max_size=5)
_MANY = st.lists(SEED, min_size=3, max_size=5)
INVENTORIES = st.builds(_inventory, st.tuples(*[_SEEDS] * 5), SEED.map(Random))
FULL_INVENTORIES = st.builds(_inventory, st.tuples(*[_MANY] * 5), SEED.map(Random))
"""With several objects of each kind, so that there is something to choose from."""
