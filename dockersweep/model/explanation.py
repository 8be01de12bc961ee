"""What is to be said of one object, or of several that belong together: the documents dockersweep.explanation/1 and
dockersweep.group/1."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.inventory import Engine, Kind, ObjectRef, ScanWarning
from dockersweep.model.last_use import PastUse, Span
from dockersweep.model.plan import Decision, Interval, LayersHeld, Limits
from dockersweep.model.quantities import Bytes, Instant
from dockersweep.model.reason import OfProject
from dockersweep.model.registry import RegistryAnswer
from dockersweep.model.storage import SizeBase


class Subject(Struct, frozen=True, kw_only=True):
    """What the object is."""

    kind: Kind
    id: str
    name: str
    tags: tuple[str, ...]
    """All tags of an image."""
    digests: tuple[str, ...]
    """All references of an image by digest."""
    owner: OfProject | None = None
    """The compose project that it is of, or may be."""
    last_used_by: OfProject | None = None
    """The compose project that used it last, where that is another."""
    registry_answer: RegistryAnswer | None = None
    """What the registries of an image answered; None where they were not asked, or it is not known."""
    size_bytes: Bytes | None
    """All of it, what it shares with others included; None where it is not known."""
    age_text: str
    """For a person: "stopped 10 days ago", "in use now", or why its age is not known."""
    age_counts_from_at: Instant | None
    """Since when its age counts; None where that is not known, and where it is in use now."""


class UseEvidence(Struct, frozen=True, kw_only=True):
    """What is known of when the object was used."""

    uses: tuple[PastUse, ...]
    """Its last known uses, the latest first."""
    containers_gone: tuple[str, ...]
    """The ids of the containers of these uses that are not there any more."""
    written_at: Instant | None
    """The newest time of a file or folder in a volume."""
    built_on_at: Instant | None
    """When a build last used a step that depends on an image."""
    first_seen_at: Instant | None
    unused_since_at: Instant | None
    """Since when every scan saw it unused; None where it is used, or nothing remembers it."""
    scans_unused: int | None
    """How many scans that were."""
    gaps: tuple[Span, ...] | None
    """The times since its age counts in which a use would not have been noticed, the latest ones, the earliest first;
    None where nothing remembers that."""


class Link(Struct, frozen=True, kw_only=True):
    """One object in a chain of references."""

    kind: Kind
    id: str
    name: str
    goes: bool
    """Whether the plan removes it."""
    notes: tuple[str, ...]
    """What else is to be said of it, for a person: "running", "exited 2 hours ago", "tagged", "goes in this plan"."""


class Chain(Struct, frozen=True, kw_only=True):
    """What holds the object, what holds that, and so on, to the one that nothing holds."""

    links: tuple[Link, ...]
    """At least one; the object itself is not among them."""


RuleSays = Literal["removes", "keeps", "not-yet", "does-not-remove"]


class RuleWord(Struct, frozen=True, kw_only=True):
    """What one rule by itself says of the object."""

    rule: str
    says: RuleSays
    text: str
    """Why, for a person."""
    tags: tuple[str, ...] = ()
    """The tags of an image that it matches, where these are not all that the image has."""


class SilentRules(Struct, frozen=True, kw_only=True):
    """Rules that do not match the object for the same reason."""

    rules: tuple[str, ...]
    why: str


class TagWord(Struct, frozen=True, kw_only=True):
    """Whether one tag of an image goes while the image stays."""

    tag: str
    goes: bool
    why: str


class Forecast(Struct, frozen=True, kw_only=True):
    """When the object can be removed if nothing changes."""

    when: Literal["now", "later", "never"]
    text: str
    """For a person: "in 3 days, at 2026-11-27T12:00:00Z, by rule "old releases""; or why it never can."""
    until: str | None = None
    """What a rule that keeps it waits for, where nothing else keeps it: "3 newer images exist"; None for all else."""
    removable_at: Instant | None = None
    """The first whole second at which a rule removes it; None where that is now or never."""
    wait_seconds: int | None = None
    """How long that is from now."""
    rules: tuple[str, ...] = ()
    """The rules that remove it then: several for an image of whose tags different rules speak."""


class Unless(Struct, frozen=True, kw_only=True):
    """The least that would let an object go that otherwise never goes."""

    flag: str | None
    """The flag to add; None for none."""
    containers: tuple[str, ...]
    """The names of the containers that would have to be removed, all that hold it; none where they may stay."""
    forecast: Forecast
    """When it can be removed if that is done now."""
    reclaim_in_plan: Interval | None = None
    """What its removal would then add to what goes before it; None where it cannot go now, or containers go first."""


class Explanation(Struct, frozen=True, kw_only=True):
    """What one object is, what becomes of it and why, and what it would free: dockersweep.explanation/1."""

    schema: Literal["dockersweep.explanation/1"]
    engine: Engine
    taken_at: Instant
    now: Instant
    """The instant up to which ages were counted."""
    policy_source: str
    """Which policy is in force, for people."""
    subject: Subject
    use: UseEvidence
    decision: Decision
    """What the plan does with it, and why."""
    tags: tuple[TagWord, ...]
    """All tags of an image of which only some go; empty for all others."""
    chains: tuple[Chain, ...]
    """A shortest chain to everything that holds it in the end, those that end at what stays first."""
    rules: tuple[RuleWord, ...]
    """The rules that match it, in the order in which they are judged; last, where there is one, the space target."""
    silent: tuple[SilentRules, ...]
    """All other rules."""
    forecast: Forecast
    unless: Unless | None = None
    """What would let it go where the forecast is "never"; None where nothing is known that would."""
    reclaim_alone: Interval
    """What removing only it would free."""
    reclaim_in_plan: Interval | None
    """What its removal adds to what those before it in the plan free; None where the plan does not remove it."""
    layers_held: LayersHeld | None = None
    """Who holds layers of an image, or that of a build-cache record, where removing only it frees far less than its
    size."""
    limits: Limits
    """Over which limits of the policy the plan is: then a sweep removes nothing."""
    warnings: tuple[ScanWarning, ...]
    size_base: SizeBase
    """What sizes are counted in."""
    not_from_disk: str | None
    """Why they are lengths; None where they are disk blocks."""


GroupedBy = Literal["project", "repository", "name"]
"""A compose project, a repository, or objects of different kinds that have the same name."""


class Group(Struct, frozen=True, kw_only=True):
    """Objects that belong together."""

    grouped_by: GroupedBy
    name: str
    refs: tuple[ObjectRef, ...]


class GroupedKind(Struct, frozen=True, kw_only=True):
    """What there is of one kind in a group."""

    kind: Kind
    objects: int
    goes: int
    """How many of them the plan removes."""
    frees: Interval
    """What removing these would free, after those of the kinds before it."""


class GroupExplanation(Struct, frozen=True, kw_only=True):
    """What becomes of each object of a group and why, and what they free together: dockersweep.group/1."""

    schema: Literal["dockersweep.group/1"]
    engine: Engine
    taken_at: Instant
    now: Instant
    """The instant up to which ages were counted."""
    policy_source: str
    """Which policy is in force, for people."""
    grouped_by: GroupedBy
    name: str
    decisions: tuple[Decision, ...]
    """What the plan does with each of them, and why."""
    kinds: tuple[GroupedKind, ...]
    """The kinds of which there is any."""
    reclaim: Interval
    """What removing those that the plan removes would free, all else staying."""
    reclaim_of_all: Interval
    """What removing all of them would free, all else staying."""
    limits: Limits
    """Over which limits of the policy the plan is: then a sweep removes nothing."""
    warnings: tuple[ScanWarning, ...]
    size_base: SizeBase
    """What sizes are counted in."""
    not_from_disk: str | None
    """Why they are lengths; None where they are disk blocks."""
