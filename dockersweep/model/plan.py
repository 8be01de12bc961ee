"""Decisions and the plan made of them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from dockersweep.model.inventory import Engine, Kind, ScanWarning
from dockersweep.model.policy import Policy
from dockersweep.model.quantities import Bounds, Bytes, Instant
from dockersweep.model.storage import SizeBase

Fingerprint = dict[str, str | int | bool | list[str] | dict[str, str] | None]
"""What an object looked like when it was judged; it is removed only while it still looks like that."""


ReasonCode = Literal[
    "in-use", "predefined", "swarm", "unread", "protected", "not-asked-for", "no-rule", "too-young", "age-unknown",
    "old-enough", "released", "recoverable", "kept", "tag-goes", "space", "enough", "marked", "external", "read-only",
    "refused", "service", "unseen-services", "kubelet",
]  # fmt: skip


class Reason(Struct, frozen=True, kw_only=True, gc=False):
    """Why an object is kept or removed."""

    code: ReasonCode
    """For machines; "released" and "recoverable" stand beside "old-enough" and tell more of it. "kept" is by a keep
    rule, "tag-goes" tells of a tag that goes while its image stays, "space" goes for the space target, "enough" would
    have gone for it if less had come back before, and "marked" is a candidate of a rule with remove.marked_for, which
    stays for it until the time has passed; then it stands beside "old-enough". "refused" is kept for a week after the
    engine has refused it in three runs. "service" is named by a service of the swarm, "unseen-services" may be by one
    that cannot be seen, "kubelet" belongs to Kubernetes. "external" is used by another tool in the same storage,
    "read-only" lies in a store from which nothing can be removed."""
    rule: str
    """The rule that speaks, or what stands above the rules: "hard protection", "protected", "protection", "--kind"."""
    text: str
    """For a person: "stopped for 10 days, over 24 hours"."""


class Decision(Struct, frozen=True, kw_only=True, gc=False):
    """What becomes of one object. Every object of an inventory gets exactly one."""

    kind: Kind
    id: str
    name: str
    verdict: Literal["keep", "remove"]
    size_bytes: Bytes | None
    age_seconds: int | None
    """None where it is not known; negative where the object is younger than the scan."""
    age_source: str | None
    """Since when the age counts: "finished", "created", "last used", "seen unused", "first seen"."""
    reasons: Annotated[tuple[Reason, ...], Meta(min_length=1)]
    """At least one."""
    untag: tuple[str, ...] = ()
    """The tags of an image that go while the image stays; this gives back nothing."""


class Interval(Bounds, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A number of bytes that lies between the two; `high_bytes` is None where it is not known."""

    reason: str | None = None
    """Why the two are not the same, for a person: "2 build-cache records may hold these layers"."""


NOTHING = Interval(low_bytes=0, high_bytes=0)


class ObjectRef(Struct, frozen=True, kw_only=True, gc=False):
    """Names one object."""

    kind: Kind
    id: str


class Removal(Struct, frozen=True, kw_only=True, gc=False):
    """One step of a plan: an object that goes, or a tag that goes before its image does."""

    kind: Kind
    id: str
    name: str
    action: Literal["remove", "untag"]
    fingerprint: Fingerprint
    reclaim: Interval
    """What it adds to what the removals before it give back: these add up to what the plan gives back."""
    after: tuple[ObjectRef, ...]
    """What holds it now and goes earlier in this plan; where that stays, this stays."""
    reclaim_alone: Interval | None = None
    """What it would give back if everything else stayed."""


class Limits(Struct, frozen=True, kw_only=True):
    """The verdict of the policy's limits."""

    exceeded: tuple[str, ...] = ()


class TargetVerdict(Struct, frozen=True, kw_only=True):
    """What the space target asks for, and whether the plan gives it."""

    text: str
    """For a person: "92 % of the disk is used, over 85 %; down to 70 % takes 21.3 GB"."""
    begins: bool | None
    """Whether space is short; None where what it speaks of cannot be measured."""
    wanted_bytes: Bytes | None = None
    """What has to come back, what the rules remove included; 0 where space is not short, None where not measured."""
    wanted_inodes: int | None = None
    """The same for inodes; None where the target does not speak of them."""
    reached: bool | None = None
    """Whether the plan gives back as much; None where that is only seen when it is carried out."""


class Plan(Struct, frozen=True, kw_only=True):
    """Every decision, and the removals in the order in which they are carried out: dockersweep.plan/1."""

    schema: Literal["dockersweep.plan/1"]
    engine: Engine
    taken_at: Instant
    now: Instant
    """The instant up to which ages were counted."""
    policy: Policy
    decisions: tuple[Decision, ...]
    removals: tuple[Removal, ...]
    reclaim: Interval
    """What the whole plan gives back."""
    limits: Limits
    warnings: tuple[ScanWarning, ...]
    size_base: SizeBase = "lengths"
    """What all sizes of the plan are counted in."""
    not_from_disk: str | None = None
    """Why they are lengths; None where they are disk blocks."""
    reclaim_of_kinds: dict[Kind, Interval] = {}
    """What the removals of each kind add to those of the kinds before it."""
    target: TargetVerdict | None = None
    """None where the policy has no space target."""
