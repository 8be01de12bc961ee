"""Inventories and policies for properties: everything that a policy can ask about, in few values that often meet.

Each object and each rule is made of one number that hypothesis draws: a choice for every field would take most of the
time of a test, and a failure still shrinks to few objects and few rules.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.model.inventory import (
    KINDS,
    STOPPED_STATES,
    BuildCacheRecord,
    Container,
    Disk,
    ExternalContainer,
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
from dockersweep.model.policy import (
    EVERYTHING,
    Keep,
    LimitSettings,
    Match,
    Policy,
    Protection,
    Protections,
    Remove,
    Rule,
    Space,
    SpareRegistryLess,
    Target,
)
from dockersweep.units import parse_age
from tests.inventories import ENGINE, NOW, container, image, inventory, network, record, volume

T = TypeVar("T")

LETTERS = "abcde"
VOLUMES = {"a": "va", "b": "vab", "c": "vc", "d": "vd", "e": "ve"}
"""One name begins with another, which Podman mistakes for it."""
# Many of these lie just at, before and after the ages and dates that rules ask for.
HOURS = (-30, -1, 0, 1, 2, 23, 24, 25, 47, 48, 49, 72, 167, 168, 169, 300, 500, 743, 744, 745, 900, 2000, 9000)
AGES = ("0s", "1h", "24h", "2d", "1w", "1mo", "1d12h", "1y")
DATES = tuple(NOW - timedelta(hours=hours) for hours in (1, 24, 168, 744))
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

SEED = st.integers(min_value=0, max_value=2**24)


def _instant(random: Random) -> datetime:
    hours = random.choice(HOURS) if random.random() < 0.7 else random.randint(-50, 3000)
    return NOW - timedelta(hours=hours)


def _maybe(random: Random, value: T, share: float = 0.8) -> T | None:
    return value if random.random() < share else None


def _some(random: Random, values: Sequence[T], most: int, least: int = 0) -> list[T]:
    return random.sample(list(values), min(len(values), random.randint(least, most)))


def _size(random: Random) -> int | None:
    return _maybe(random, random.choice((0, 10, 100, 500, 1000, 10**6)), 0.95)


def _labels(random: Random) -> dict[str, str]:
    return {key: random.choice(("", "prod", "dev")) for key in _some(random, ("keep", "env", "team"), 2)}


def _project(random: Random) -> str | None:
    return _maybe(random, random.choice(("billing", "shop")), 0.5)


def _container(random: Random, letter: str) -> Container:
    stopped = random.random() < 0.9
    state = random.choice(STOPPED_STATES if stopped else ("running", "paused", "restarting", "removing", "odd"))
    of = random.choice((*LETTERS, "none", "none"))
    made = container(
        f"c{letter}" if random.random() < 0.95 else f"c{letter}-infra",
        state,
        created=_instant(random),
        image=f"sha256:i{of}",
        volumes=[VOLUMES[one] for one in _some(random, LETTERS, 1)],
        networks=[f"{random.choice(('net-', ''))}n{one}" for one in _some(random, LETTERS, 1)],
        shares_with=[f"c{one}" for one in _some(random, LETTERS, 1)] if random.random() < 0.2 else (),
        restart=random.choice(("no", "no", "no", "on-failure", "always", "unless-stopped", None)),
        labels=_labels(random) | random.choice(OF_OTHERS if random.random() < 0.08 else ({},)),
        size=_size(random),
        logs=random.choice((0, 0, 0, _size(random))),
        unread=_maybe(random, "it hung", 0.04),
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
        image_id=_maybe(random, made.image_id, 0.9),
        image=random.choice((made.image, f"app:{random.choice(TAGS.get(of, TAGS['a']))}")),
        started_at=_maybe(random, _instant(random)) if ran else None,
        finished_at=_maybe(random, _instant(random)) if made.finished_at else None,
        exit_code=random.choice((None, 0, 0, 1, 137)),
        retries_left=random.choice((True, True, False, None)),
        project=_project(random),
        mounts=tuple(mounts),
    )


def _image(random: Random, letter: str) -> Image:
    references = [f"{repository}:{tag}" for repository in REPOSITORIES for tag in TAGS[letter]]
    digests = [f"{repository}@sha256:{letter}{letter}" for repository in REPOSITORIES]
    size = _size(random)
    seen = _maybe(random, _instant(random))
    unused = _maybe(random, _instant(random)) if seen else None
    earlier = [f"i{one}" for one in LETTERS if one < letter]
    made = image(
        f"i{letter}",
        *_some(random, references, 3),
        digests=_some(random, digests, 2) if random.random() < 0.6 else (),
        parent=random.choice([None, None, *earlier]),
        size=size,
        shared=None if size is None else _maybe(random, random.choice((0, size // 2, size))),
        labels=_labels(random),
    )
    return replace(
        made,
        built_at=_maybe(random, _instant(random), 0.85),
        in_registry=random.choice((None, False, True, bool(made.digests))),
        read_only=random.random() < 0.1,
        project=_project(random),
        first_seen_at=seen,
        first_seen_unused_at=max(seen, unused) if seen and unused else None,
    )


def _seen(random: Random, made: Any) -> Any:
    """Return a volume or a network with a memory of when it was first seen, or without."""
    seen = _maybe(random, _instant(random), 0.5)
    unused = _maybe(random, _instant(random)) if seen else None
    return replace(
        made,
        created_at=_maybe(random, made.created_at),
        first_seen_at=seen,
        first_seen_unused_at=max(seen, unused) if seen and unused else None,
        project=_project(random),
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
    return made


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
        *_some(random, earlier, 2),
        in_use=random.random() < 0.15,
        shared=random.random() < 0.3,
        last_used=_instant(random),
        size=_size(random),
    )
    return replace(
        made,
        type=random.choice(("regular", "source.local", "exec.cachemount", "internal")),
        description=random.choice((made.description, "")),
        created_at=_maybe(random, _instant(random)),
        last_used_at=_maybe(random, made.last_used_at),
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
    disk = Disk(total_bytes=2 * 10**6, free_bytes=random.choice((0, 10**5, 10**6)), total_inodes=1000, free_inodes=100)
    made = inventory(
        *objects,
        engine=engine,
        own_container=random.choice((None, None, None, "ca")),
        cache_read=random.random() < 0.9,
    )
    held = [image.id for image in made.images if random.random() < 0.1]
    external = tuple(_external(image_id) for image_id in held)
    return replace(made, disk=_maybe(random, disk), external=external, services=_services(random))


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
                images=tuple(_some(random, ("app:1.0.0", "docker.io/team/app:edge", "app:v1@sha256:a1"), 1)),
                mounts=tuple(
                    Mount(type="volume", volume=VOLUMES[one], source=None) for one in _some(random, LETTERS, 1)
                ),
                networks=tuple(f"n{one}" for one in _some(random, LETTERS, 1)),
            ),
        )
        for name in _some(random, ("web", "db"), 2)
    )


_SEEDS = st.lists(SEED, max_size=5)
_MANY = st.lists(SEED, min_size=3, max_size=5)
INVENTORIES = st.builds(_inventory, st.tuples(*[_SEEDS] * 5), SEED.map(Random))
FULL_INVENTORIES = st.builds(_inventory, st.tuples(*[_MANY] * 5), SEED.map(Random))
"""With several objects of each kind, so that there is something to choose from."""

OF_KIND: dict[Kind, tuple[str, ...]] = {
    "container": ("labels", "project", "service", "state", "exit_code", "restarts_by_itself", "size_over_bytes"),
    "image": (
        "repository",
        "tag",
        "digest",
        "labels",
        "project",
        "service",
        "tagged",
        "recoverable",
        "size_under_bytes",
    ),
    "volume": ("labels", "project", "service", "driver", "options", "has_options", "anonymous", "size_over_bytes"),
    "network": ("labels", "project", "service", "driver"),
    "build-cache": ("type", "size_under_bytes", "size_over_bytes"),
}  # fmt: skip
"""The fields of Match that each kind has, besides the name."""
VALUES: dict[str, tuple[Any, ...]] = {
    "name": ("*a", "/b/", "c*", "team/app:*", "docker.io/base:*", "/:v[0-9]/", "vab", "step r[ab]", "*:latest", "x*"),
    "repository": ("app", "team/*", "library/base", "base", "x", "/app$/", "reg.example.com:5000/*"),
    "tag": ("v*", "latest", "/^[0-9.]+$/", "*.0", "dev", "*"),
    "digest": ("sha256:a*", "app@*", "docker.io/library/base@sha256:*", "/sha256:[bc]/"),
    "labels": ("keep", "env=prod", "e*", "team=*", "*=dev", "env="),
    "project": ("billing", "s*", "*"),
    "service": ("web", "d*", "*"),
    "state": ("created", "exited", "dead", "running"),
    "exit_code": (0, 1, 137),
    "driver": ("local", "bridge", "n*", "/over/"),
    "options": ("type", "type=nfs", "o=*"),
    "type": ("regular", "*local", "exec.*"),
}
NUMBERS: dict[str, tuple[Any, ...]] = {
    "size_over_bytes": (0, 100, 10**5),
    "size_under_bytes": (1, 101, 10**6),
}


def _match(random: Random, kinds: Sequence[Kind], most: int) -> Match:
    fields = [field for field in OF_KIND[kinds[0]] if all(field in OF_KIND[kind] for kind in kinds)]
    chosen: dict[str, Any] = {}
    if "tagged" in fields and random.random() < 0.5:
        fields = ["repository", "tag"]
    for field in _some(random, ["name", *fields], most):
        if field in VALUES:
            chosen[field] = tuple(_some(random, VALUES[field], 3, least=1))
        else:
            chosen[field] = random.choice(NUMBERS.get(field, (True, False)))
    return Match(**chosen)


def _age(random: Random) -> Any:
    return parse_age(random.choice(AGES))


def _keep(random: Random, kinds: Sequence[Kind]) -> Keep:
    fields = ["last", "within", "hourly", "daily", "weekly", "monthly", "yearly"]
    groups = ["none"]
    if "build-cache" not in kinds:
        groups += ["project", "label:env"]
    if set(kinds) == {"image"}:
        fields += ["tags", "majors", "minors", "last", "tags"]
        groups += ["repository", "repository"]
    chosen: dict[str, Any] = {}
    for field in _some(random, fields, 2, least=1):
        if field == "within":
            chosen[field] = _age(random)
        elif field == "tags":
            chosen[field] = tuple(_some(random, VALUES["tag"], 2, least=1))
        else:
            chosen[field] = random.choice((1, 1, 2, 3, "all"))
    return Keep(group_by=random.choice(groups), **chosen)


def _remove(random: Random, kinds: Sequence[Kind]) -> Remove:
    fields = ["older_than", "unused_for", "before"]
    fields += ["stopped_for"] if set(kinds) == {"container"} else []
    fields += ["built_before", "built_over"] if set(kinds) == {"image"} else []
    if random.random() < 0.4:
        return Remove(older_than=parse_age("0s"))
    chosen = _some(random, fields, 2, least=1)
    asked: dict[str, Any] = {field: random.choice(DATES) if "before" in field else _age(random) for field in chosen}
    return Remove(**asked)


def make_rule(name: str, seed: int) -> Rule:
    """Return the rule that a number stands for."""
    random = Random(seed)
    kinds = tuple(_some(random, KINDS, 3 if random.random() < 0.4 else 1, least=1))
    # Images have the most to ask about.
    kinds = ("image",) if random.random() < 0.3 else kinds
    removes = random.random() < 0.85
    keeps = not removes or random.random() < 0.3
    return Rule(
        name=name,
        kinds=kinds,
        match=_match(random, kinds, 2) if random.random() < 0.6 else EVERYTHING,
        excludes=_match(random, kinds, 2) if random.random() < 0.4 else EVERYTHING,
        keep=_keep(random, kinds) if keeps else None,
        remove=_remove(random, kinds) if removes else None,
    )


def _protected(random: Random, patterns: Sequence[str]) -> tuple[Protection, ...]:
    return tuple(Protection(pattern=one, source="protect") for one in _some(random, patterns, 1))


def make_protections(seed: int) -> Protections:
    """Return the protections that a number stands for: often none, otherwise a few."""
    random = Random(seed)
    if random.random() < 0.7:
        return Protections()
    return Protections(
        labels=_protected(random, ("keep", "env=prod", "*=dev")),
        names=_protected(random, ("ca", "v*", "/^n/", "*:v*")),
        images=_protected(random, ("app", "team/*", "*:latest", "app@*", "docker.io/library/base:*")),
        projects=_protected(random, ("billing", "/^s/")),
        services=_protected(random, ("web", "*b")),
        unseen_services=random.random() < 0.5,
        younger_than=_maybe(random, _age(random), 0.3),
    )


def make_target(seed: int) -> Target:
    """Return the target that a number stands for."""
    random = Random(seed)
    spare: SpareRegistryLess = random.choice(("no", "last", "never"))
    size = random.choice((0, 1, 10, 100, 500, 1000, 1000, 10**6))
    space = Space(text=f"{size}B", size_bytes=size)
    share = Space(text="60%", percent=60.0)
    family: dict[str, Any] = random.choice(
        (
            {"free_bytes": size},
            {"free_bytes": size},
            {"free_bytes": size},
            {"start_above": space, "stop_below": space},
            {"start_above": share, "stop_below": Space(text="20%", percent=20.0)},
            {"max_used": space, "reserved": Space(text="100B", size_bytes=100)},
            {"min_free": share},
        )
    )
    return Target(
        **family,
        order=tuple(_some(random, KINDS, 5, least=2)),
        spare_registry_less=spare,
        older_than=parse_age(random.choice(("0s", "1h", "1w"))),
    )


def make_limits(seed: int) -> LimitSettings:
    """Return the limits that a number stands for."""
    random = Random(seed)
    return LimitSettings(
        objects=_maybe(random, random.randint(0, 6), 0.7),
        size_bytes=_maybe(random, random.choice((0, 100, 2000, 10**6)), 0.7),
        share_percent=_maybe(random, random.choice((0.0, 20.0, 50.0, 100.0)), 0.7),
    )


def _policy(seeds: Sequence[int], protections: Protections, kinds: Sequence[Kind]) -> Policy:
    rules = tuple(make_rule(f"rule {number}", seed) for number, seed in enumerate(seeds))
    return Policy(source="a test", protections=protections, rules=rules, kinds=tuple(kinds) or KINDS)


KINDS_ASKED_FOR = st.sampled_from([()] * 9 + [("image",), ("container", "volume"), ("network", "build-cache")])
POLICIES = st.builds(_policy, st.lists(SEED, max_size=6), SEED.map(make_protections), KINDS_ASKED_FOR)
"""Policies of up to six rules; limits and a target are added where a test is about them."""


def _lenient(policy: Policy) -> Policy:
    rules = [replace(one, remove=None) if one.keep and one.name != "rule 0" else one for one in policy.rules]
    return replace(policy, rules=tuple(rules))


LENIENT_POLICIES = st.builds(_policy, st.lists(SEED, max_size=2), SEED.map(make_protections), st.just(())).map(_lenient)
"""Policies that leave most to a target."""
