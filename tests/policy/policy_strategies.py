"""Policies for properties: all that a policy can ask, of objects as `inventory_strategies` makes them.

Each rule is made of one number that hypothesis draws, as objects are.
"""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.policy import (
    EVERYTHING,
    ArchiveSettings,
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
from tests.policy.inventory_strategies import SEED, maybe, some_of
from tests.rig.examples import examples
from tests.rig.inventories import NOW

some = examples(100)
"""For properties that take long."""

AGES = ("0s", "1h", "24h", "2d", "1w", "1mo", "1d12h", "1y")
DATES = tuple(NOW - timedelta(hours=hours) for hours in (1, 24, 168, 744))
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
    for field in some_of(random, ["name", *fields], most):
        if field in VALUES:
            chosen[field] = tuple(some_of(random, VALUES[field], 3, least=1))
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
    for field in some_of(random, fields, 2, least=1):
        if field == "within":
            chosen[field] = _age(random)
        elif field == "tags":
            chosen[field] = tuple(some_of(random, VALUES["tag"], 2, least=1))
        else:
            chosen[field] = random.choice((1, 1, 2, 3, "all"))
    return Keep(group_by=random.choice(groups), **chosen)


def _remove(random: Random, kinds: Sequence[Kind]) -> Remove:
    fields = ["older_than", "unused_for", "before"]
    fields += ["stopped_for"] if set(kinds) == {"container"} else []
    fields += ["built_before", "built_over"] if set(kinds) == {"image"} else []
    fields += ["created_over"] if "image" not in kinds else []
    after = not {"container", "build-cache"} & set(kinds) and random.random() < 0.4
    if random.random() < 0.4:
        return Remove(older_than=parse_age("0s"), after_container=after)
    chosen = some_of(random, fields, 2, least=1)
    asked: dict[str, Any] = {field: random.choice(DATES) if "before" in field else _age(random) for field in chosen}
    return Remove(**asked, after_container=after)


def make_rule(name: str, seed: int) -> Rule:
    """Return the rule that a number stands for."""
    random = Random(seed)
    kinds = tuple(some_of(random, KINDS, 3 if random.random() < 0.4 else 1, least=1))
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
    return tuple(Protection(pattern=one, source="protect") for one in some_of(random, patterns, 1))


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
        init_containers=random.random() < 0.5,
        pets=random.random() < 0.5,
        unseen_services=random.random() < 0.5,
        younger_than=maybe(random, _age(random), 0.3),
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
        order=tuple(some_of(random, KINDS, 5, least=2)),
        spare_registry_less=spare,
        older_than=parse_age(random.choice(("0s", "1h", "1w"))),
    )


TARGETS = SEED.map(make_target)


def make_limits(seed: int) -> LimitSettings:
    """Return the limits that a number stands for."""
    random = Random(seed)
    return LimitSettings(
        objects=maybe(random, random.randint(0, 6), 0.7),
        size_bytes=maybe(random, random.choice((0, 100, 2000, 10**6)), 0.7),
        share_percent=maybe(random, random.choice((0.0, 20.0, 50.0, 100.0)), 0.7),
        unrecoverable=maybe(random, random.randint(0, 4), 0.7),
    )


def make_archive(seed: int) -> ArchiveSettings:
    """Return the archive that a number stands for."""
    random = Random(seed)
    kinds: tuple[Kind, ...] = ("volume", "container", "image", "network")
    return ArchiveSettings(
        kinds=tuple(some_of(random, kinds, 3)),
        keep_for=parse_age(random.choice(("1d", "2w", "1mo"))),
        min_free=Space(text="10%", percent=10),
    )


def _policy(
    seeds: Sequence[int],
    protections: Protections,
    kinds: Sequence[Kind],
    archive: ArchiveSettings | None = None,
    *,
    only_recoverable: bool = False,
    only_target: bool = False,
) -> Policy:
    rules = tuple(make_rule(f"rule {number}", seed) for number, seed in enumerate(seeds))
    return Policy(
        source="a test",
        protections=protections,
        rules=rules,
        kinds=tuple(kinds) or KINDS,
        archive=archive,
        only_recoverable=only_recoverable,
        only_target=only_target,
    )


ARCHIVES = SEED.map(make_archive)
KINDS_ASKED_FOR = st.sampled_from([()] * 9 + [("image",), ("container", "volume"), ("network", "build-cache")])
POLICIES = st.builds(
    _policy,
    st.lists(SEED, max_size=6),
    SEED.map(make_protections),
    KINDS_ASKED_FOR,
    st.none() | ARCHIVES,
    only_recoverable=st.sampled_from([False] * 3 + [True]),
    only_target=st.sampled_from([False] * 5 + [True]),
)
"""Policies of up to six rules; limits and a target are added where a test is about them."""
AIMED_POLICIES = st.builds(lambda policy, target: replace(policy, target=target), POLICIES, st.none() | TARGETS)
"""The same, of which some have a target."""


def _lenient(policy: Policy) -> Policy:
    rules = [replace(one, remove=None) if one.keep and one.name != "rule 0" else one for one in policy.rules]
    return replace(policy, rules=tuple(rules))


LENIENT_POLICIES = st.builds(_policy, st.lists(SEED, max_size=2), SEED.map(make_protections), st.just(())).map(_lenient)
"""Policies that leave most to a target."""
