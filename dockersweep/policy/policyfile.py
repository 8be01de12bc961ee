"""The policy that holds without a file, and what the flags change in it."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from dockersweep.errors import UsageError
from dockersweep.model.inventory import KINDS, STOPPED_STATES, Kind
from dockersweep.model.policy import Match, Policy, Protection, Protections, Rule
from dockersweep.units import Age, parse_age

_DAY = parse_age("24h")

STOPPED_CONTAINERS = Rule(
    name="stopped containers",
    kind="container",
    match=Match(states=STOPPED_STATES, restarts_by_itself=False),
    older_than=_DAY,
)
DANGLING_IMAGES = Rule(name="dangling images", kind="image", match=Match(tagged=False), older_than=_DAY)
TAGGED_IMAGES = Rule(name="unused tagged images", kind="image", match=Match(tagged=True), older_than=_DAY)
ANONYMOUS_VOLUMES = Rule(
    name="anonymous volumes",
    kind="volume",
    match=Match(anonymous=True, drivers=("local",), has_options=False),
    older_than=_DAY,
)
NAMED_VOLUMES = Rule(
    name="unused named volumes",
    kind="volume",
    match=Match(anonymous=False, drivers=("local",), has_options=False),
    older_than=_DAY,
)
UNUSED_NETWORKS = Rule(name="unused networks", kind="network", match=Match(), older_than=_DAY)
OLD_BUILD_CACHE = Rule(name="old build cache", kind="build-cache", match=Match(), older_than=parse_age("7d"))

DEFAULT_RULES = (STOPPED_CONTAINERS, DANGLING_IMAGES, ANONYMOUS_VOLUMES, UNUSED_NETWORKS, OLD_BUILD_CACHE)


@dataclass(frozen=True)
class PolicyFlags:
    """What the command line changes in a policy."""

    older_than: Age | None = None
    kinds: tuple[Kind, ...] = ()
    all_images: bool = False
    named_volumes: bool = False
    keep_labels: tuple[str, ...] = ()
    keep_names: tuple[str, ...] = ()
    keep_images: tuple[str, ...] = ()


def policy_from_flags(flags: PolicyFlags) -> Policy:
    """Return the default policy as the flags change it."""
    rules = list(DEFAULT_RULES)
    if flags.all_images:
        rules.insert(rules.index(DANGLING_IMAGES) + 1, TAGGED_IMAGES)
    if flags.named_volumes:
        rules.insert(rules.index(ANONYMOUS_VOLUMES) + 1, NAMED_VOLUMES)
    if flags.older_than is not None:
        rules = [msgspec.structs.replace(rule, older_than=flags.older_than) for rule in rules]
    return Policy(
        source="the default policy" if flags == PolicyFlags() else "the default policy, changed by flags",
        protections=Protections(
            labels=_protections(flags.keep_labels, "--keep-label"),
            names=_protections(flags.keep_names, "--keep-name"),
            images=_protections(flags.keep_images, "--keep-image"),
        ),
        rules=tuple(rules),
        kinds=tuple(kind for kind in KINDS if kind in flags.kinds) or KINDS,
    )


def _protections(patterns: Iterable[str], source: str) -> tuple[Protection, ...]:
    for pattern in patterns:
        if not pattern.strip("/ "):
            raise UsageError(f"{source} is empty and would protect nothing: write a name or a pattern like web-*")
    return tuple(Protection(pattern=pattern, source=source) for pattern in patterns)
