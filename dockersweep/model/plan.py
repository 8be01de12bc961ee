"""Decisions and the plan made of them."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from dockersweep.model.fingerprint import Fingerprint, fingerprint_of
from dockersweep.model.inventory import Engine, Kind, Object, ObjectRef, OfObject, ScanWarning
from dockersweep.model.policy import Policy
from dockersweep.model.quantities import Bounds, Bytes, Instant, known_sum
from dockersweep.model.reason import Reason
from dockersweep.model.storage import SizeBase


class Decision(OfObject, frozen=True, kw_only=True, gc=False):
    """What becomes of one object. Every object of an inventory gets exactly one."""

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
    """The tags of an image that go while the image stays; this frees nothing."""


class Interval(Bounds, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A number of bytes that lies between the two; `high_bytes` is None where it is not known."""

    reason: str | None = None
    """Why the two are not the same, for a person: "2 build-cache records may hold these layers"."""

    def __add__(self, other: "Interval") -> "Interval":
        """Return both together, with the reason of the first that has one."""
        return Interval(
            low_bytes=self.low_bytes + other.low_bytes,
            high_bytes=known_sum((self.high_bytes, other.high_bytes)),
            reason=self.reason or other.reason,
        )


def exactly(amount_bytes: int) -> Interval:
    """Return the interval that is just one known amount."""
    return Interval(low_bytes=amount_bytes, high_bytes=amount_bytes)


NOTHING = exactly(0)


class LayersHeld(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Who else holds layers, so that what goes frees far less than its size."""

    by: Kind
    """"build-cache" where nothing else holds them, or "image"."""
    count: int | None
    """How many objects of that kind hold them and stay; None where they are more than a hundred."""
    with_them: Interval | None = None
    """What would be freed if these went too: by the object, or by the whole plan; None of images, and where a build
    uses one of the records."""


class Removal(OfObject, frozen=True, kw_only=True, gc=False):
    """One step of a plan: an object that goes, or a tag that goes before its image does."""

    name: str
    action: Literal["remove", "untag"]
    judged: Object | Fingerprint
    """What it looked like: itself where nothing but this step changes that, else what must not change."""
    reclaim: Interval
    """What it adds to what the removals before it free: these add up to what the plan frees."""
    after: tuple[ObjectRef, ...]
    """What holds it now and goes earlier in this plan; where that stays, this stays."""
    reclaim_alone: Interval | None = None
    """What it would free if everything else stayed."""
    layers_held: LayersHeld | None = None
    """Who holds layers of an image, or that of a build-cache record, that frees far less than its size; None where it
    does not."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What it looked like when it was judged; it is removed only while it still looks like that. Made when it is
        asked for: most plans are only shown."""
        return self.judged if isinstance(self.judged, dict) else fingerprint_of(self.judged)


class Limits(Struct, frozen=True, kw_only=True):
    """The verdict of the policy's limits."""

    exceeded: tuple[str, ...] = ()


class DiskVerdict(Struct, frozen=True, kw_only=True):
    """What the space target asks for on one disk; the fields are those of the target as a whole."""

    disk: str
    """Where it is mounted: "/var/lib/docker/volumes"."""
    text: str
    begins: bool | None
    wanted_bytes: Bytes | None
    wanted_inodes: int | None
    reached: bool | None
    """Whether what the plan frees on this disk is as much."""


class TargetVerdict(Struct, frozen=True, kw_only=True):
    """What the space target asks for, and whether the plan gives it."""

    text: str
    """For a person: "92% of the disk is used, over 85%; down to 70% takes 21.3 GB"."""
    begins: bool | None
    """Whether space is short; None where what it names cannot be measured."""
    wanted_bytes: Bytes | None = None
    """What has to be freed, what the rules remove included; 0 where space is not short, None where not measured."""
    wanted_inodes: int | None = None
    """The same for inodes; None where the target does not name them."""
    reached: bool | None = None
    """Whether the plan frees as much; None where that is only seen when it is carried out."""
    disks: tuple[DiskVerdict, ...] = ()
    """Each disk by itself that the kinds in `order` lie on, where the engine lies on several and the target names
    them. It begins where any does, and is reached where all are; what is wanted is added up."""


class UpcomingRemoval(OfObject, frozen=True, kw_only=True, gc=False):
    """An object that a plan of a later day removes, and one of the days before does not."""

    name: str
    size_bytes: Bytes | None
    rules: tuple[str, ...]
    """Which remove it."""


class UpcomingDay(Struct, frozen=True, kw_only=True):
    """What would go on a day that is to come, if nothing changes until then."""

    until_at: Instant
    """When the day ends in the time zone of who asked, or the time that was asked about does."""
    added: tuple[UpcomingRemoval, ...]
    objects: int
    """How many a plan of then removes, those of the days before included."""
    reclaim: Interval
    """What a plan of then frees."""


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
    """What the whole plan frees."""
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
    foreseen_at: Instant | None = None
    """The later instant that it is a plan of, if nothing changes until then: it cannot be applied. None for one of
    now."""
    upcoming: tuple[UpcomingDay, ...] | None = None
    """The days that add something to what goes now; None where nobody asked."""
    layers_held: LayersHeld | None = None
    """The build-cache records that hold layers of the images that go, where the plan frees far less for it."""


class RemovalReasons:
    """Why each removal is planned: of a tag what is said of that one, not of the other tags of its image.

    An image may have thousands of tags: its reasons are parted by them once.
    """

    def __init__(self) -> None:
        self._of_tags: dict[ObjectRef, Mapping[str | None, tuple[Reason, ...]]] = {}

    def of(self, removal: Removal, decision: Decision) -> tuple[Reason, ...]:
        """Return why an object goes, or its tag, by the decision on the object."""
        if removal.action == "remove":
            return decision.reasons
        if removal.ref not in self._of_tags:
            self._of_tags[removal.ref] = _by_tag(decision.reasons)
        own = self._of_tags[removal.ref]
        return own.get(removal.name) or own.get(None, ())


def _by_tag(reasons: tuple[Reason, ...]) -> Mapping[str | None, tuple[Reason, ...]]:
    """Return the reasons of each tag, as of that alone; those of all tags by None."""
    found: defaultdict[str | None, list[Reason]] = defaultdict(list)
    for reason in reasons:
        found[reason.tag].append(reason if reason.tag is None else replace(reason, tag=None))
    return {tag: tuple(own) for tag, own in found.items()}
