"""Decisions and plans."""

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
from dockersweep.model.recovery import EarlyDeletion, Recovery
from dockersweep.model.storage import SizeBase


class Decision(OfObject, frozen=True, kw_only=True, gc=False):
    """The decision on one object. Every object of an inventory gets exactly one."""

    name: str
    verdict: Literal["keep", "remove"]
    size_bytes: Bytes | None
    age_seconds: int | None
    """None where it is not known; negative where the object is younger than the scan."""
    age_source: str | None
    """What the age counts from: "finished", "created", "last used", "seen unused", "first seen"."""
    reasons: Annotated[tuple[Reason, ...], Meta(min_length=1)]
    """At least one."""
    untag: tuple[str, ...] = ()
    """The tags to remove from an image that stays; this frees nothing."""


class Interval(Bounds, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A number of bytes between two bounds; `high_bytes` is None where the upper one is not known."""

    reason: str | None = None
    """Why the bounds differ, for people: "2 build-cache records may hold these layers"."""

    def __add__(self, other: "Interval") -> "Interval":
        """Return the sum, with the reason of the first that has one."""
        return Interval(
            low_bytes=self.low_bytes + other.low_bytes,
            high_bytes=known_sum((self.high_bytes, other.high_bytes)),
            reason=self.reason or other.reason,
        )


def exactly(amount_bytes: int) -> Interval:
    """Return the interval of one known amount."""
    return Interval(low_bytes=amount_bytes, high_bytes=amount_bytes)


NOTHING = exactly(0)


class LayersHeld(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Who else holds layers, so that a removal frees far less than the object's size."""

    by: Kind
    """"build-cache" where only records hold them, otherwise "image"."""
    count: int | None
    """How many objects of that kind hold them and stay; None for more than a hundred."""
    with_them: Interval | None = None
    """What the object, or the whole plan, would free if these were removed too; None for images, and if a build uses
    one of the records."""


class Removal(OfObject, frozen=True, kw_only=True, gc=False):
    """One step of a plan: the removal of an object, or of a tag before its image."""

    name: str
    action: Literal["remove", "untag"]
    judged: Object | Fingerprint
    """The object as it was judged; its fingerprint instead if earlier steps change the object."""
    reclaim: Interval
    """What it frees beyond the removals before it: these add up to the plan's total."""
    after: tuple[ObjectRef, ...]
    """Its holders, which this plan removes earlier; if one stays, this object stays."""
    reclaim_alone: Interval | None = None
    """What it frees if everything else stays."""
    layers_held: LayersHeld | None = None
    """Who holds the layers of an image, or the layer of a build-cache record, if it frees far less than its size;
    otherwise None."""
    recovery: Recovery | None = None
    """The way back; None in a plan of an older version. Removals share it where they can."""

    @property
    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the judged object: it is removed only while it still has that. Made when first needed:
        most plans are only shown."""
        return self.judged if isinstance(self.judged, dict) else fingerprint_of(self.judged)


class Limits(Struct, frozen=True, kw_only=True):
    """The verdict of the policy's limits."""

    exceeded: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    """The flags that raise the exceeded limits."""


class DiskVerdict(Struct, frozen=True, kw_only=True):
    """What the space target asks for on one disk; the fields are those of `TargetVerdict`."""

    disk: str
    """Where it is mounted: "/var/lib/docker/volumes"."""
    text: str
    begins: bool | None
    wanted_bytes: Bytes | None
    wanted_inodes: int | None
    reached: bool | None
    """Whether the plan frees enough on this disk."""


class Spared(Struct, frozen=True, kw_only=True):
    """Objects of one kind that a target may not remove, for one reason."""

    kind: Kind
    objects: int
    """How many there are."""
    frees: Interval
    """What removing them frees, with what holds them gone."""
    why: str
    """For people, to follow "are": "younger than 1 hour (target.older_than)"."""


class TargetVerdict(Struct, frozen=True, kw_only=True):
    """What the space target asks for, and whether the plan frees it."""

    text: str
    """For people: "92% of the disk is used, over 85%; down to 70% takes 21.3 GB"."""
    begins: bool | None
    """Whether space is short; None where that cannot be measured."""
    wanted_bytes: Bytes | None = None
    """The bytes to free, removals by rules included; 0 where space is not short, None where not measured."""
    wanted_inodes: int | None = None
    """The same for inodes; None where the target does not ask for them."""
    reached: bool | None = None
    """Whether the plan frees enough; None where only carrying it out shows that."""
    disks: tuple[DiskVerdict, ...] = ()
    """The verdict for each disk with objects of the kinds in `order`, if the engine has several and the target is for
    disks. The target begins if any does, and is reached if all are; wanted bytes are added up."""
    spared: tuple[Spared, ...] = ()
    """What it may not remove, what frees the most first; empty where it is surely reached, or does not begin."""


class UpcomingRemoval(OfObject, frozen=True, kw_only=True, gc=False):
    """An object that the plan of a later day removes, and those of the days before do not."""

    name: str
    size_bytes: Bytes | None
    rules: tuple[str, ...]
    """The rules that remove it."""


class UpcomingDay(Struct, frozen=True, kw_only=True):
    """What the plan of a later day adds, if nothing changes until then."""

    until_at: Instant
    """The end of the day in the user's time zone, or of the requested time."""
    added: tuple[UpcomingRemoval, ...]
    objects: int
    """How many objects the plan of that day removes, including those of the days before."""
    reclaim: Interval
    """What the plan of that day frees."""


class ArchiveShare(Struct, frozen=True, kw_only=True):
    """What a plan puts into the archive."""

    folder: str
    """The folder of the archive."""
    objects: int
    """How many removed objects go there."""
    takes: Interval
    """The bytes that they take there."""
    until: Instant
    """Until when they stay there."""
    on_engine_disk: bool | None
    """Whether the archive is on a disk of the engine, so that removals free that much less until then; None where that
    is not known."""
    disk: str | None = None
    """Where that disk is mounted; None for none, or where that is not known."""
    is_new: bool = False
    """Whether the folder is not there yet, and will be made."""
    makes_room: tuple[EarlyDeletion, ...] = ()
    """The runs that may go from the archive before their time for it, the oldest first."""


class Plan(Struct, frozen=True, kw_only=True):
    """Every decision, and the removals in the order of execution: dockersweep.plan/1."""

    schema: Literal["dockersweep.plan/1"]
    engine: Engine
    taken_at: Instant
    now: Instant
    """The instant at which ages were taken."""
    policy: Policy
    decisions: tuple[Decision, ...]
    removals: tuple[Removal, ...]
    reclaim: Interval
    """What the whole plan frees."""
    limits: Limits
    warnings: tuple[ScanWarning, ...]
    size_base: SizeBase = "lengths"
    """Whether all sizes of the plan are lengths or disk blocks."""
    not_from_disk: str | None = None
    """Why they are lengths; None where they are disk blocks."""
    reclaim_of_kinds: dict[Kind, Interval] = {}
    """What the removals of each kind add to those of the kinds before it."""
    target: TargetVerdict | None = None
    """None where the policy has no space target."""
    foreseen_at: Instant | None = None
    """The later instant of a plan for the future, which cannot be applied; None for a plan of now."""
    upcoming: tuple[UpcomingDay, ...] | None = None
    """The days that add something to the plan of now; None where they were not requested."""
    layers_held: LayersHeld | None = None
    """The build-cache records that hold layers of removed images, if the plan frees far less because of it."""
    used_bytes: Bytes | None = None
    """What all objects of the engine take; None where that is not known."""
    unlisted_volumes: tuple[str, ...] = ()
    """The volumes that containers mount, and that the engine does not list: their driver may not answer."""
    archive: ArchiveShare | None = None
    """What goes into the archive; None where nothing does."""


class RemovalReasons:
    """Finds the reasons of each removal; for a tag only those of this tag.

    An image may have thousands of tags, so its reasons are grouped by tag once.
    """

    def __init__(self) -> None:
        self._of_tags: dict[ObjectRef, Mapping[str | None, tuple[Reason, ...]]] = {}

    def of(self, removal: Removal, decision: Decision) -> tuple[Reason, ...]:
        """Return the reasons to remove an object or its tag, from the decision on the object."""
        if removal.action == "remove":
            return decision.reasons
        if removal.ref not in self._of_tags:
            self._of_tags[removal.ref] = _by_tag(decision.reasons)
        own = self._of_tags[removal.ref]
        return own.get(removal.name) or own.get(None, ())


def _by_tag(reasons: tuple[Reason, ...]) -> Mapping[str | None, tuple[Reason, ...]]:
    """Return tag -> its reasons, without the tag in them; None -> the reasons for all tags."""
    by_tag: defaultdict[str | None, list[Reason]] = defaultdict(list)
    for reason in reasons:
        by_tag[reason.tag].append(reason if reason.tag is None else replace(reason, tag=None))
    return {tag: tuple(own) for tag, own in by_tag.items()}
