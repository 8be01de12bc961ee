"""A policy: protections, what each rule matches, keeps and removes, limits, and a space target.

The types are the same for the default policy, for flags and for a file (whose own types are in `policyfile`); a plan
includes the policy that it was made with.

A pattern is a glob, in which `*` stands for `/` and `:` too, or a `/regular expression/`.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from dockersweep.model.inventory import KINDS, Kind, State
from dockersweep.units import Age

Count = Annotated[int, Meta(ge=1)] | Literal["all"]
"""How many to keep."""

SpareRegistryLess = Literal["no", "last", "never"]


class Protection(Struct, frozen=True, kw_only=True):
    """A pattern for objects that are never removed, and the flag or key that it comes from."""

    pattern: str
    source: str


class Protections(Struct, frozen=True, kw_only=True):
    """Protections override every rule."""

    labels: tuple[Protection, ...] = ()
    """`key` or `key=value`, on any kind; both sides may be globs."""
    names: tuple[Protection, ...] = ()
    """Names of containers, volumes and networks, tags of images."""
    images: tuple[Protection, ...] = ()
    """Repositories, tags, digests or ids of images."""
    projects: tuple[Protection, ...] = ()
    """Compose projects, with everything that belongs to them."""
    services: tuple[Protection, ...] = ()
    """Names of swarm services, with the objects that they name."""
    younger_than: Age | None = None
    """Nothing younger, and nothing of unknown age, is removed."""
    init_containers: bool = True
    """Whether to keep a container that has done its work while another one of its compose project runs."""
    pets: bool = True
    """Whether to keep development containers and cluster nodes, by their labels."""
    compose_files: tuple[str, ...] = ()
    """Paths and globs of compose files: objects that they declare are kept. Files joined by `:` belong together."""
    quadlets: tuple[str, ...] | bool = False
    """True for the quadlets in the standard folders, or paths and globs: objects that they declare are kept."""
    unseen_services: bool = True
    """Whether to keep what swarm services may name, where services cannot be seen."""

    @property
    def name_files(self) -> bool:
        """Whether the policy names files that declare objects to keep."""
        return bool(self.compose_files or self.quadlets)


class Match(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a rule matches. A field that is None is no condition; any value of a field is enough, and all fields that
    are set have to match. For an image, `name`, `repository` and `tag` match each of its tags by itself."""

    name: tuple[str, ...] | None = None
    """Patterns for the name; for an image the whole tag, or without tags its reference by digest."""
    repository: tuple[str, ...] | None = None
    """Patterns for the repository of an image, without its tag."""
    tag: tuple[str, ...] | None = None
    """Patterns for the tag of an image, without its repository."""
    digest: tuple[str, ...] | None = None
    """Patterns for the references of an image by digest, whole or starting at `sha256:`."""
    labels: tuple[str, ...] | None = None
    """`key` or `key=value`; both sides may be globs."""
    project: tuple[str, ...] | None = None
    """Patterns for the compose project; an object without one does not match."""
    service: tuple[str, ...] | None = None
    """Patterns for the swarm services that name it, or whose task a container is. Where services cannot be seen, a rule
    keeps what they may name, and does not remove it."""
    declared: bool | None = None
    """Whether a file of `protect.compose_files` or `protect.quadlets` names it. Where no file was read, a rule with
    either value keeps the object, and none removes it."""
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
    """Whether an image is known to be in a registry, so that it can be pulled again. Where that is not known, a rule
    with either value keeps the image, and none removes it."""
    restarts_by_itself: bool | None = None
    """Whether a container restarts by itself: its restart policy is `always` or `unless-stopped`, or `on-failure`, and
    it failed and has retries left."""


EVERYTHING = Match()


class Keep(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which of its matches a rule keeps, counted in each group from the newest on. Any one of these is enough.

    Images are ordered by build date, all other kinds by creation.
    """

    group_by: str = "none"
    """"repository", "project", "label:KEY", or "none": all matches are one group."""
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
    """When a rule removes what it matches and does not keep: all that are set have to be met."""

    older_than: Age | None = None
    """The age of the object, as tables show it; zero for no required age."""
    unused_for: Age | None = None
    """How long it has to be known as unused; uses would have been noticed for at least half of that time."""
    stopped_for: Age | None = None
    """Containers only."""
    before: datetime | None = None
    """The instant that its age counts from has to be before this."""
    built_before: datetime | None = None
    """Images only: the date of the build."""
    built_over: Age | None = None
    """Images only: the age of the build."""
    created_over: Age | None = None
    """Not images: the time since its creation, by the engine."""
    after_container: bool = False
    """Whether ages count from the removal of the last container that holds it, so that it is kept after that."""
    marked_for: Age | None = None
    """How long it has to meet all other conditions here, in every run."""


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Keeps some of its matches, and removes the rest when it is old enough; without `remove` it only keeps."""

    name: str
    kinds: tuple[Kind, ...]
    match: Match = EVERYTHING
    excludes: Match = field(default=EVERYTHING, name="not")
    """What it does not match: any one field is enough."""
    keep: Keep | None = None
    remove: Remove | None = None
    flag_for_others: str | None = None
    """The flag that adds a rule for the objects of its kinds that this default rule does not match."""


class LimitSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much a plan may remove; if it exceeds any limit, nothing is removed at all."""

    objects: int | None = None
    size_bytes: int | None = None
    share_percent: float | None = None
    """The percentage of all objects of a kind."""
    unrecoverable: int | None = None
    """How many objects without a way back it may remove."""


class Space(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An amount of space: bytes, or a percentage of a disk. One of the two is set."""

    text: str
    size_bytes: int | None = None
    percent: float | None = None


SPACE_TARGET = "space target"
"""The `rule` of reasons that come from the target."""


class Target(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Space that has to be free: after the rules, the least recently used objects are removed until it is.

    It applies to each disk with objects of the kinds in `order`; only `free_bytes` counts bytes on whatever disk. One
    of three groups is set: `start_above` and `stop_below`, like the kubelet (and the same for inodes); `max_used`,
    `min_free` and `reserved`, like BuildKit; or `free_bytes`.
    """

    start_above: Space | None = None
    """Starts when more is used: a percentage of the disk, or bytes of all that the engine holds there."""
    stop_below: Space | None = None
    """Stops when no more than this is used."""
    inodes_above_percent: float | None = None
    inodes_below_percent: float | None = None
    max_used: Space | None = None
    """The most that the engine may hold."""
    min_free: Space | None = None
    """What has to be free."""
    reserved: Space | None = None
    """What the engine may always hold, despite the other two."""
    free_bytes: int | None = None
    """The number of bytes to free now."""
    order: tuple[Kind, ...] = ("build-cache", "image")
    """The kinds to remove, one after the other."""
    spare_registry_less: SpareRegistryLess = "no"
    """Whether images that are not known to be in a registry are removed last, or never."""
    older_than: Age
    is_later: bool = False
    """Whether earlier rounds of the same sweep were for it: it goes on until it stops."""


WhenFull = Literal["keep", "remove"]


class ArchiveSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What goes into the archive before it is removed, and for how long it stays there."""

    folder: str | None = None
    """The folder of the archive, absolute; None for `archive` in the state folder."""
    kinds: tuple[Kind, ...] = ("volume", "container")
    """The archived kinds. Images that no registry is known to have are archived in any case; "image" is all of them."""
    keep_for: Age
    max_size: Space | None = None
    """The most that the archive may take, in bytes; None for no limit."""
    min_free: Space
    """What has to stay free on the archive's disk: bytes, or a percentage."""
    when_full: WhenFull = "keep"
    """What becomes of an object for which the archive has no room: it stays, or it is removed without."""


class Schedule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a watcher carries out the rules: at a time of the day, every so often, or never. At most one is set."""

    text: str
    daily_minute: int | None = None
    """Minutes after midnight, by the clock on the wall of the machine."""
    every_seconds: int | None = None


class WatchSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a watcher acts."""

    sweep: Schedule
    """When it carries out the rules."""
    splay: Age
    """Up to how much later than `sweep` says, always the same on one machine: a hundred hosts do not start together."""
    settle: Age
    """How long no pull, load or build may have ended before anything is removed."""
    settle_at_most: Age
    """How long a sweep waits for that; then it removes all the same."""
    backoff: Age
    """How long after a sweep that missed its target, or failed, none is made for space."""


NotifyOn = Literal["removed", "failed", "target-missed", "silent"]
"""How a run ended: it removed something; it was refused, failed or removed only some; it missed its space target; or
none of these."""


class NotifySettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is told how a run ended."""

    command: tuple[str, ...] = ()
    """A program and its arguments, which gets the outcome document on standard input; empty for none."""
    urls: tuple[str, ...] = ()
    """Addresses of services, as apprise takes them. They hold secrets: never to be printed or written to a document."""
    on: tuple[NotifyOn, ...] = ("removed", "failed", "target-missed")
    timeout_seconds: int

    @property
    def services(self) -> tuple[str, ...]:
        """The addresses without their secrets: "slack://..."."""
        return tuple(without_secrets(url) for url in self.urls)

    def __repr__(self) -> str:
        return f"NotifySettings(command={self.command!r}, services={self.services!r}, on={self.on!r})"


def without_secrets(url: str) -> str:
    """Return what may be shown of the address of a service: its scheme."""
    scheme, separator, _ = url.partition("://")
    return f"{scheme}://..." if separator and scheme.isascii() and scheme.isalnum() else "..."


DEFAULT_SOURCE = "the default policy"


class Policy(Struct, frozen=True, kw_only=True):
    """Protections, rules, limits and a target. What neither a rule nor the target removes is kept."""

    source: str
    """Where it comes from, for people: "the default policy", "the policy in /etc/dockersweep/dockersweep.toml"."""
    protections: Protections
    rules: tuple[Rule, ...]
    kinds: tuple[Kind, ...] = KINDS
    """The selected kinds; objects of all others are kept."""
    limits: LimitSettings = LimitSettings()
    target: Target | None = None
    archive: ArchiveSettings | None = None
    """None where nothing is archived."""
    only_recoverable: bool = False
    """Whether to keep what has no way back."""
    asks_registries: bool = False
    """Whether to ask registries if they still have an image, where that matters."""
    silenced_findings: tuple[str, ...] = ()
    """The ids of findings that a report leaves out."""
    retry_refused: bool = False
    """Whether to plan removals that the engine refused in several runs."""
    only_target: bool = False
    """Whether only the space target removes something: rules keep what they keep."""
    watch: WatchSettings | None = None
    """None where the file has no such table: a watcher then has its defaults."""
    notify: NotifySettings | None = None
    """None where nobody is told. It is in no document: see `urls`."""

    @property
    def for_documents(self) -> Self:
        """The policy without whom it tells: for what is printed, kept, or handed to others."""
        return self if self.notify is None else replace(self, notify=None)

    @property
    def removes_without_room(self) -> bool:
        """Whether what the archive has no room for is removed without it. Where the policy spares or limits what has no
        way back, it stays."""
        guards = self.only_recoverable or self.limits.unrecoverable is not None
        return self.archive is not None and self.archive.when_full == "remove" and not guards
