"""The explanation of one object, or of several that belong together: the documents dockersweep.explanation/1 and
dockersweep.group/1."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.inventory import Engine, Kind, ObjectRef, ScanWarning
from dockersweep.model.last_use import PastUse, Span
from dockersweep.model.plan import Decision, Interval, LayersHeld, Limits
from dockersweep.model.quantities import Bytes, Instant
from dockersweep.model.reason import OfProject
from dockersweep.model.recovery import Recovery
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
    """The compose project that it belongs to, or may belong to."""
    last_used_by: OfProject | None = None
    """The compose project that used it last, if that is another one."""
    registry_answer: RegistryAnswer | None = None
    """What the registries of an image answered; None where they were not asked, or it is not known."""
    size_bytes: Bytes | None
    """All of it, including what it shares with others; None where it is not known."""
    age_text: str
    """For people: "stopped 10 days ago", "in use now", or why its age is not known."""
    age_counts_from_at: Instant | None
    """The instant that its age counts from; None where that is not known, or it is in use now."""


class UseEvidence(Struct, frozen=True, kw_only=True):
    """The known uses of the object."""

    uses: tuple[PastUse, ...]
    """Its last known uses, the latest first."""
    containers_gone: tuple[str, ...]
    """The ids of the containers of these uses that no longer exist."""
    written_at: Instant | None
    """The newest time of a file or folder in a volume."""
    built_on_at: Instant | None
    """When a build last used a step that depends on an image."""
    first_seen_at: Instant | None
    unused_since_at: Instant | None
    """Since when every scan saw it unused; None where it is in use, or that is not known."""
    scans_unused: int | None
    """How many scans that were."""
    gaps: tuple[Span, ...] | None
    """The latest gaps in the watched time since its age counts, in order; None where it is not known when uses would
    have been noticed."""


class Link(Struct, frozen=True, kw_only=True):
    """One object in a chain of references."""

    kind: Kind
    id: str
    name: str
    goes: bool
    """Whether the plan removes it."""
    notes: tuple[str, ...]
    """Notes for people: "running", "exited 2 hours ago", "tagged", "goes in this plan"."""


class Chain(Struct, frozen=True, kw_only=True):
    """A holder of the object, a holder of that, and so on, up to one that nothing holds."""

    links: tuple[Link, ...]
    """At least one; the object itself is not among them."""


RuleSays = Literal["removes", "keeps", "not-yet", "does-not-remove"]


class RuleWord(Struct, frozen=True, kw_only=True):
    """How one rule alone decides the object."""

    rule: str
    says: RuleSays
    text: str
    """Why, for people."""
    tags: tuple[str, ...] = ()
    """The tags of an image that it matches, if not all."""


class SilentRules(Struct, frozen=True, kw_only=True):
    """Rules that do not match the object for the same reason."""

    rules: tuple[str, ...]
    why: str


class TagWord(Struct, frozen=True, kw_only=True):
    """Whether one tag of an image that stays is removed."""

    tag: str
    goes: bool
    why: str


class Forecast(Struct, frozen=True, kw_only=True):
    """When the object can be removed if nothing changes."""

    when: Literal["now", "later", "never"]
    text: str
    """For people: "in 3 days, at 2026-11-27T12:00:00Z, by rule "old releases""; or why it never can."""
    until: str | None = None
    """What a rule that keeps it waits for, if nothing else keeps it: "3 more images of app come"; otherwise None."""
    removable_at: Instant | None = None
    """The first whole second at which a rule removes it; None where that is now or never."""
    wait_seconds: int | None = None
    """How long that is from now."""
    rules: tuple[str, ...] = ()
    """The rules that remove it then: several for an image with tags that match different rules."""


class ForSpace(Struct, frozen=True, kw_only=True):
    """That the space target may remove an object that is kept now, once space is short enough."""

    from_at: Instant | None = None
    """From when on: it is younger than the target takes. None for now."""


class Unless(Struct, frozen=True, kw_only=True):
    """The least change that makes an object removable that otherwise never is."""

    flag: str | None
    """The flag to add; None for none."""
    containers: tuple[str, ...]
    """The names of the containers to remove first, all that hold it; none if they may stay."""
    forecast: Forecast
    """When it can be removed if that is done now."""
    reclaim_in_plan: Interval | None = None
    """What its removal then adds to the plan; None where it cannot be removed now, or containers have to be first."""


class Explanation(Struct, frozen=True, kw_only=True):
    """What one object is, the decision on it and why, and what removing it frees: dockersweep.explanation/1."""

    schema: Literal["dockersweep.explanation/1"]
    engine: Engine
    taken_at: Instant
    now: Instant
    """The instant at which ages were taken."""
    policy_source: str
    """The policy in force, for people."""
    subject: Subject
    use: UseEvidence
    decision: Decision
    """The plan's decision on it, with the reasons."""
    tags: tuple[TagWord, ...]
    """All tags of an image that loses only some; otherwise empty."""
    chains: tuple[Chain, ...]
    """A shortest chain to each of its last holders; chains to a holder that stays come first."""
    rules: tuple[RuleWord, ...]
    """The rules that match it, in the order in which they are judged; last, where there is one, the space target."""
    silent: tuple[SilentRules, ...]
    """All other rules."""
    forecast: Forecast
    for_space: ForSpace | None = None
    """Whether the space target may still remove it, though no rule does; None where it may not, or does so now."""
    unless: Unless | None = None
    """What makes it removable if the forecast is "never"; None where nothing is known that does."""
    reclaim_alone: Interval
    """What removing only this object frees."""
    reclaim_in_plan: Interval | None
    """What its removal adds to those before it in the plan; None where the plan does not remove it."""
    layers_held: LayersHeld | None = None
    """Who holds the layers of an image, or the layer of a build-cache record, if removing only this object frees far
    less than its size."""
    limits: Limits
    """The limits of the policy that the plan exceeds: if any, a sweep removes nothing."""
    warnings: tuple[ScanWarning, ...]
    size_base: SizeBase
    """Whether sizes are lengths or disk blocks."""
    not_from_disk: str | None
    """Why they are lengths; None where they are disk blocks."""
    recovery: Recovery | None = None
    """How its removal could be taken back; None from an earlier version."""


GroupedBy = Literal["project", "repository", "name"]
"""A compose project, a repository, or objects of different kinds that have the same name."""


class Group(Struct, frozen=True, kw_only=True):
    """Objects that belong together."""

    grouped_by: GroupedBy
    name: str
    refs: tuple[ObjectRef, ...]


class GroupedKind(Struct, frozen=True, kw_only=True):
    """The objects of one kind in a group."""

    kind: Kind
    objects: int
    goes: int
    """How many of them the plan removes."""
    frees: Interval
    """What removing these frees, after those of the kinds before it."""


class GroupExplanation(Struct, frozen=True, kw_only=True):
    """The decision on each object of a group and why, and what removing them frees: dockersweep.group/1."""

    schema: Literal["dockersweep.group/1"]
    engine: Engine
    taken_at: Instant
    now: Instant
    """The instant at which ages were taken."""
    policy_source: str
    """The policy in force, for people."""
    grouped_by: GroupedBy
    name: str
    decisions: tuple[Decision, ...]
    """The plan's decisions on them, with the reasons."""
    kinds: tuple[GroupedKind, ...]
    """The kinds with any object in the group."""
    reclaim: Interval
    """What removing those frees that the plan removes, if all others stay."""
    reclaim_of_all: Interval
    """What removing all of them frees, if all others stay."""
    limits: Limits
    """The limits of the policy that the plan exceeds: if any, a sweep removes nothing."""
    warnings: tuple[ScanWarning, ...]
    size_base: SizeBase
    """Whether sizes are lengths or disk blocks."""
    not_from_disk: str | None
    """Why they are lengths; None where they are disk blocks."""
