"""Turns decisions into a plan: the removals in order, the removals that each waits for, and what they free."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import compress
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from dockersweep.model.fingerprint import image_fingerprint
from dockersweep.model.inventory import KINDS, Image, Inventory, Kind, Object, ObjectRef, ScanWarning
from dockersweep.model.plan import (
    NOTHING,
    ArchiveShare,
    Decision,
    Interval,
    LayersHeld,
    Limits,
    Plan,
    Removal,
    TargetVerdict,
)
from dockersweep.model.policy import Policy, Protection
from dockersweep.model.recovery import Recovery
from dockersweep.policy.bytes.reclaim import Prediction
from dockersweep.policy.bytes.sizes import is_far_less
from dockersweep.policy.judging.case import Case
from dockersweep.policy.judging.foreseen import Foreseen
from dockersweep.policy.judging.holders import Holder
from dockersweep.policy.judging.judge import Judge, in_order
from dockersweep.policy.judging.order import ORDER, holders_first
from dockersweep.policy.judging.recovery import TAG_AGAIN, WaysBack
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.limits import NOTHING_GONE, Gone, exceeded

if TYPE_CHECKING:
    from dockersweep.policy.bytes.layer_holders import LayerHolders

T = TypeVar("T", Case, Decision)
WayBack = Callable[[Object], Recovery]
"""Finds how the removal of an object can be taken back."""


def make_plan(survey: Survey, policy: Policy, before: Gone = NOTHING_GONE, asked_before: Collection[str] = ()) -> Plan:
    """Return the plan for an inventory under a policy.

    `before` is what earlier rounds of the run removed; the policy's limits apply to all rounds together. `asked_before`
    has the names of the disks that these rounds were for, on an engine with several disks.
    """
    return plan_of_decisions(_decide(survey, policy, asked_before), before)


def foresee(survey: Survey, policy: Policy) -> Foreseen:
    """Return what the plan of `make_plan` removes, without the memory that all decisions and removals take."""
    judge = Judge(survey, policy)
    if policy.target is None:
        going = [case.ref for case in judge.decide_removals()]
        return Foreseen(going, warnings_of(judge), judge.decide_again)
    # A space target chooses after the rules have decided every object.
    decided = _decide(survey, policy)
    outline = outline_of(decided)
    decision_of = {decision.ref: decision for decision in decided.decisions}
    return Foreseen(outline.going, decided.warnings, decision_of.__getitem__)


class Decided(Struct, frozen=True):
    """The decision on every object under a policy."""

    survey: Survey
    policy: Policy
    decisions: tuple[Decision, ...]
    warnings: tuple[ScanWarning, ...]
    ways_back: WaysBack
    target: TargetVerdict | None = None

    def is_lost(self, ref: ObjectRef) -> bool:
        """Whether nothing brings an object back."""
        return self.ways_back.of(self.survey.objects[ref]).how == "none"


def _decide(survey: Survey, policy: Policy, asked_before: Collection[str] = ()) -> Decided:
    # The judge ends here: its caches take as much memory as the removals of a million objects.
    judge = Judge(survey, policy)
    return by_judge(judge, *with_target(judge, judge.decide_all(), asked_before))


def by_judge(judge: Judge, decisions: tuple[Decision, ...], target: TargetVerdict | None = None) -> Decided:
    """Return the decisions of a judge: one for every object."""
    return Decided(judge.survey, judge.policy, decisions, warnings_of(judge), judge.ways_back, target)


def with_target(
    judge: Judge, by_rules: Sequence[Decision], asked_before: Collection[str] = ()
) -> tuple[tuple[Decision, ...], TargetVerdict | None]:
    """Return the decisions of the rules as the space target changes them, and the target's verdict; None where the
    policy has no target."""
    if judge.policy.target is None:
        return in_order(by_rules), None
    # Few policies have a target.
    from dockersweep.policy.planning.target import decide_for_target

    return decide_for_target(judge, judge.policy.target, by_rules, again=asked_before)


def oldest_first(steps: Iterable[T], survey: Survey) -> Iterator[T]:
    """Yield objects in the order of a plan: the longest unused first, in case the sweep is cut short."""
    of_kind: dict[Kind, list[T]] = {kind: [] for kind in ORDER}
    for step in steps:
        of_kind[step.kind].append(step)
    for kind, alike in of_kind.items():
        alike.sort(key=attrgetter("id"))
        alike.sort(key=lambda step: -(step.age_seconds or 0))
        if kind in survey.holders.own_kinds:
            places = survey.listing.of_kind(kind).places
            placed = {places[step.id]: step for step in alike}
            yield from (placed[place] for place in holders_first(kind, list(placed), survey.holders))
        else:
            yield from alike


def plan_of_decisions(decided: Decided, before: Gone = NOTHING_GONE) -> Plan:
    """Return the plan that carries out decisions."""
    survey, inventory = decided.survey, decided.survey.inventory
    outline = outline_of(decided, before)
    going = [survey.objects[ref] for ref in outline.going] if decided.ways_back.archiving is not None else []
    way_back = decided.ways_back.of_plan(going)
    removals = tuple(_removals(outline, survey, way_back))
    return Plan(
        schema="dockersweep.plan/1",
        engine=inventory.engine,
        taken_at=inventory.taken_at,
        now=survey.now,
        policy=decided.policy.for_documents,
        decisions=decided.decisions,
        removals=removals,
        reclaim=outline.prediction.total,
        limits=outline.limits,
        warnings=decided.warnings,
        size_base=survey.size_base,
        not_from_disk=inventory.storage.not_from_disk if inventory.storage else None,
        reclaim_of_kinds=outline.prediction.of_kinds,
        target=decided.target,
        layers_held=_layers_held(outline, removals),
        used_bytes=survey.totals.held_bytes,
        unlisted_volumes=_unlisted_volumes(inventory),
        archive=_archive_share(going, decided.ways_back, way_back),
    )


def _unlisted_volumes(inventory: Inventory) -> tuple[str, ...]:
    mounted = {mount.volume for container in inventory.containers for mount in container.mounts if mount.volume}
    return tuple(sorted(mounted.difference(volume.name for volume in inventory.volumes))) if mounted else ()


def _archive_share(going: Sequence[Object], ways_back: WaysBack, way_back: WayBack) -> ArchiveShare | None:
    if ways_back.archiving is None:
        return None
    ways = [(item, way_back(item)) for item in going]
    archived = [item for item, way in ways if way.how == "archive"]
    return ways_back.archiving.share(archived, tried=[item for item, way in ways if way.may_fit])


def outline_of(decided: Decided, before: Gone = NOTHING_GONE) -> "Outline":
    """Return the outline of the plan that carries out decisions."""
    survey, decisions = decided.survey, decided.decisions
    acting = [decision for decision in decisions if decision.verdict == "remove" or decision.untag]
    steps = list(oldest_first(acting, survey))
    place_of = {kind: survey.listing.of_kind(kind).places for kind in KINDS}
    places = [place_of[step.kind][step.id] for step in steps]
    goes = [step.verdict == "remove" for step in steps]
    kinds = [step.kind for step in compress(steps, goes)]
    prediction = survey.reclaim.of_places(kinds, compress(places, goes))
    return Outline(
        steps=steps,
        places=places,
        prediction=prediction,
        limits=exceeded(decided.policy.limits, decisions, prediction.total, before, decided.is_lost),
        inventory=survey.inventory,
    )


def warnings_of(judge: Judge) -> tuple[ScanWarning, ...]:
    """Return the warnings of the inventory, and those about protections that match nothing."""
    return (*judge.survey.inventory.warnings, *_idle(judge.idle_protections()))


def _idle(patterns: Iterable[Protection]) -> Iterator[ScanWarning]:
    for pattern in patterns:
        yield ScanWarning(about=pattern.source, text=f"{pattern.pattern} matches nothing here", is_problem=False)


class Outline(Struct, frozen=True, dict=True):
    """A plan without its removals: their order, and what they free."""

    steps: list[Decision]
    """The decisions that remove an object or tags, in order."""
    places: list[int]
    """The indices of their objects among those of the kind, in the same order."""
    prediction: Prediction
    """What each of them frees, and all together."""
    limits: Limits
    inventory: Inventory

    @property
    def going(self) -> list[ObjectRef]:
        """The objects to remove, in order."""
        return [step.ref for step in self.steps if step.verdict == "remove"]

    @cached_property
    def layer_holders(self) -> "LayerHolders":
        """Who holds the layers that stay."""
        # Most plans free the whole size of their objects.
        from dockersweep.policy.bytes.layer_holders import LayerHolders

        return LayerHolders(self.prediction.graph, self.prediction.freed, self.inventory)


def _removals(outline: Outline, survey: Survey, way_back: WayBack) -> Iterator[Removal]:
    """Yield the removals of all steps; the prediction has a row for each removed object, in the same order."""
    reclaim = survey.reclaim
    items = {kind: survey.listing.of_kind(kind).items for kind in KINDS}
    holders = {kind: survey.holders.of_kind(kind) for kind in KINDS}
    predicted = zip(outline.prediction.rows, outline.prediction.nodes, strict=True)
    for step, place in zip(outline.steps, outline.places, strict=True):
        kind = step.kind
        item, after = items[kind][place], _refs(holders[kind][place])
        judged = item
        recovery = way_back(item) if step.verdict == "remove" else TAG_AGAIN
        if type(item) is Image and len(item.tags) > 1:
            # To remove an image, remove all tags but the first one before it: an engine refuses to remove an image
            # with several tags by id (engine-api.md §4).
            yield from _untags(item, step.untag or item.tags[:0:-1], after, recovery)
            judged = image_fingerprint(item.id, item.tags[:1])
        if step.verdict == "remove":
            row, node = next(predicted)
            yield Removal(
                kind=kind,
                id=step.id,
                name=step.name,
                action="remove",
                judged=judged,
                reclaim=row,
                after=after,
                reclaim_alone=reclaim.node_alone(node, row),
                layers_held=_layers_of(step, node, row, outline),
                recovery=recovery,
            )


def _layers_of(step: Decision, node: int | None, frees: Interval, outline: Outline) -> LayersHeld | None:
    if node is None or not is_far_less(frees, step.size_bytes):
        return None
    return outline.layer_holders.of(step.kind, node, frees)


def _layers_held(outline: Outline, removals: Iterable[Removal]) -> LayersHeld | None:
    """Return the records that hold layers of the removed images, where that is shown for any of these."""
    held = (removal.layers_held for removal in removals)
    if not any(layers is not None and layers.by == "build-cache" for layers in held):
        return None
    predicted = zip(outline.going, outline.prediction.nodes, strict=True)
    images = [node for ref, node in predicted if ref.kind == "image" and node is not None]
    return outline.layer_holders.of_images(images, outline.prediction.total)


def _refs(holders: Sequence[Holder]) -> tuple[ObjectRef, ...]:
    return tuple([hold.by for hold in holders]) if holders else ()


def _untags(image: Image, going: Iterable[str], after: tuple[ObjectRef, ...], recovery: Recovery) -> Iterator[Removal]:
    left = list(image.tags)
    for tag in going:
        yield Removal(
            kind="image",
            id=image.id,
            name=tag,
            action="untag",
            judged=image_fingerprint(image.id, tuple(left)),
            reclaim=NOTHING,
            after=after,
            recovery=recovery,
        )
        left.remove(tag)
