"""A policy as it is understood: what is protected, what each rule matches, keeps and removes, limits, a space target.

The same values whether they come from the default, from flags or from a file (whose own nouns are in `policyfile`); a
plan carries the policy it was made with.

A pattern is a glob, in which `*` stands for `/` and `:` too, or a `/regular expression/`.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from dockersweep.model.inventory import KINDS, Kind, State
from dockersweep.units import Age

Count = Annotated[int, Meta(ge=1)] | Literal["all"]
"""How many to keep."""

SpareRegistryLess = Literal["no", "last", "never"]


class Protection(Struct, frozen=True, kw_only=True):
    """A pattern whose objects are never removed, and the flag or key that it stands in."""

    pattern: str
    source: str


class Protections(Struct, frozen=True, kw_only=True):
    """What wins over every rule."""

    labels: tuple[Protection, ...] = ()
    """`key` or `key=value`, on any kind; both sides may be globs."""
    names: tuple[Protection, ...] = ()
    """Names of containers, volumes and networks, tags of images."""
    images: tuple[Protection, ...] = ()
    """Repositories, tags, digests or ids of images."""
    projects: tuple[Protection, ...] = ()
    """Compose projects, with all that is theirs."""
    services: tuple[Protection, ...] = ()
    """Names of services of a swarm, with what they name."""
    younger_than: Age | None = None
    """Nothing younger goes, whatever a rule says, and nothing of unknown age."""
    init_containers: bool = True
    """Whether a container that has done its work stays while another one of its compose project runs."""
    pets: bool = True
    """Whether development containers and cluster nodes stay, by their labels."""
    compose_files: tuple[str, ...] = ()
    """Paths and globs of compose files: what they declare stays. Files joined by `:` belong together."""
    quadlets: tuple[str, ...] | bool = False
    """Whether what quadlets in the standard folders declare stays; or paths and globs of quadlets and their folders."""
    unseen_services: bool = True
    """Whether what services of a swarm may name stays where they cannot be seen."""

    @property
    def name_files(self) -> bool:
        """Whether files say what else is protected."""
        return bool(self.compose_files or self.quadlets)


class Match(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a rule matches. A field that is None asks nothing; of the values of one field any may hold, and all
    fields that are set must. For an image, `name`, `repository` and `tag` match each of its tags by itself."""

    name: tuple[str, ...] | None = None
    """Patterns for the name; for an image the whole tag, or its reference by digest where it has none."""
    repository: tuple[str, ...] | None = None
    """Patterns for the repository of an image, without its tag."""
    tag: tuple[str, ...] | None = None
    """Patterns for the tag of an image, without its repository."""
    digest: tuple[str, ...] | None = None
    """Patterns for the references of an image by digest, whole or from `sha256:` on."""
    labels: tuple[str, ...] | None = None
    """`key` or `key=value`; both sides may be globs."""
    project: tuple[str, ...] | None = None
    """Patterns for the compose project; what belongs to none has no match."""
    service: tuple[str, ...] | None = None
    """Patterns for the services of the swarm that name it, or whose task a container is. Where services cannot be
    seen, a rule keeps what they may name, and does not remove it."""
    declared: bool | None = None
    """Whether a file of `protect.compose_files` or `protect.quadlets` names it. Where no file was read, a rule keeps it
    under either value, and removes it under none."""
    state: tuple[State, ...] | None = None
    exit_code: tuple[int, ...] | None = None
    driver: tuple[str, ...] | None = None
    """Patterns for the driver of a volume or network."""
    options: tuple[str, ...] | None = None
    """`key` or `key=value` of the mount options of a volume; both sides may be globs."""
    type: tuple[str, ...] | None = None
    """Patterns for the type of a build-cache record."""
    size_over_bytes: int | None = None
    size_under_bytes: int | None = None
    anonymous: bool | None = None
    has_options: bool | None = None
    """Whether a volume has mount options."""
    tagged: bool | None = None
    recoverable: bool | None = None
    """Whether an image is known to lie in a registry, by which it can be pulled again. Where nothing tells, a rule
    keeps it under either value, and removes it under none."""
    restarts_by_itself: bool | None = None
    """Whether a container comes back by itself: its restart policy is `always` or `unless-stopped`, or `on-failure`
    and it failed and has retries left."""


EVERYTHING = Match()


class Keep(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which of what a rule matches it keeps, counted in each group from the newest on. Any one of these is enough.

    Newest is: images by the date of their build, all others by that of their creation.
    """

    group_by: str = "none"
    """"repository", "project", "label:KEY", or "none": all that the rule matches is one group."""
    last: Count | None = None
    within: Age | None = None
    """Counted back from the newest of the group."""
    hourly: Count | None = None
    daily: Count | None = None
    weekly: Count | None = None
    monthly: Count | None = None
    yearly: Count | None = None
    tags: tuple[str, ...] = ()
    """Patterns for tags without their repository."""
    majors: Count | None = None
    """The newest version of each of the newest major versions, by tags that are semantic versions."""
    minors: Count | None = None
    """The newest patch of each of the newest minor versions."""


class Remove(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a rule removes what it matches and does not keep: all that are set must hold."""

    older_than: Age | None = None
    """By the age of the object, as tables show it; zero asks for no age at all."""
    unused_for: Age | None = None
    """Only what is known to be unused for so long, where uses would have been noticed for half of that time."""
    stopped_for: Age | None = None
    """Containers only."""
    before: datetime | None = None
    """The instant that its age counts from lies before this."""
    built_before: datetime | None = None
    """Images only: the date of the build."""
    built_over: Age | None = None
    """Images only: the age of the build."""
    created_over: Age | None = None
    """Not images: since the engine says that it was created."""
    after_container: bool = False
    """Whether ages count from the removal of the last container that holds it, so that it outlives that container."""
    marked_for: Age | None = None
    """Only what all the rest of this has held for in every run for so long."""


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Keeps some of what it matches, and removes the rest when it is old enough; without `remove` it only keeps."""

    name: str
    kinds: tuple[Kind, ...]
    match: Match = EVERYTHING
    excludes: Match = field(default=EVERYTHING, name="not")
    """What it does not match: any one of the fields is enough."""
    keep: Keep | None = None
    remove: Remove | None = None
    flag_for_others: str | None = None
    """The flag that brings the rule for those of its kinds that this default rule leaves out."""


class LimitSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much a plan may remove at the most; above it nothing is removed at all."""

    objects: int | None = None
    size_bytes: int | None = None
    share_percent: float | None = None
    """Of all objects of a kind."""


class Space(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An amount of space: bytes, or a share of a disk. One of the two is set."""

    text: str
    size_bytes: int | None = None
    percent: float | None = None


SPACE_TARGET = "space target"
"""What the target is called where reasons name a rule."""


class Target(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Space that must be free; what it takes is removed after the rules, the least recently used first.

    It is asked for on each disk that the kinds in `order` lie on, but for `free`, which is so on whichever disk.
    One of three families is set: `start_above` and `stop_below`, as the kubelet has them (and the same for inodes);
    `max_used`, `min_free` and `reserved`, as BuildKit has them; or `free`.
    """

    start_above: Space | None = None
    """Begins when more is used: a share of the disk, or bytes of all that the engine holds there."""
    stop_below: Space | None = None
    """Ends when no more than this is used."""
    inodes_above_percent: float | None = None
    inodes_below_percent: float | None = None
    max_used: Space | None = None
    """What the engine may hold at the most."""
    min_free: Space | None = None
    """What must be free."""
    reserved: Space | None = None
    """What the engine may always hold, whatever the other two say."""
    free_bytes: int | None = None
    """So many bytes are to be freed now."""
    order: tuple[Kind, ...] = ("build-cache", "image")
    """The kinds that may go, one after the other."""
    spare_registry_less: SpareRegistryLess = "no"
    """Whether images that are not known to lie in a registry go after all others, or never."""
    older_than: Age


DEFAULT_SOURCE = "the default policy"


class Policy(Struct, frozen=True, kw_only=True):
    """Protections, rules, limits and a target. What neither a rule nor the target removes is kept."""

    source: str
    """Where it comes from, for people: "the default policy", "the policy in /etc/dockersweep/dockersweep.toml"."""
    protections: Protections
    rules: tuple[Rule, ...]
    kinds: tuple[Kind, ...] = KINDS
    """The kinds that are asked for; all others are kept."""
    limits: LimitSettings = LimitSettings()
    target: Target | None = None
    asks_registries: bool = False
    """Whether registries are asked if they still have an image, where that matters."""
    silenced_findings: tuple[str, ...] = ()
    """The ids of findings that a report does not tell."""
    retry_refused: bool = False
    """Whether what the engine refused in several runs is planned all the same."""
