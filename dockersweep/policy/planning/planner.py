"""Makes a plan of decisions: the removals in order, what each waits for, and what they free."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import compress
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from dockersweep.model.fingerprint import image_fingerprint
from dockersweep.model.inventory import KINDS, Image, Inventory, Kind, ObjectRef, ScanWarning
from dockersweep.model.plan import NOTHING, Decision, Interval, LayersHeld, Limits, Plan, Removal, TargetVerdict
from dockersweep.model.policy import Policy, Protection
from dockersweep.policy.bytes.reclaim import Prediction
from dockersweep.policy.bytes.sizes import is_far_less
from dockersweep.policy.judging.case import Case
from dockersweep.policy.judging.foreseen import Foreseen
from dockersweep.policy.judging.holders import Holder
from dockersweep.policy.judging.judge import Judge, in_order
from dockersweep.policy.judging.order import ORDER, holders_first
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.limits import NOTHING_GONE, Gone, exceeded

if TYPE_CHECKING:
    from dockersweep.policy.bytes.layer_holders import LayerHolders

T = TypeVar("T", Case, Decision)


def make_plan(survey: Survey, policy: Policy, before: Gone = NOTHING_GONE, asked_before: Collection[str] = ()) -> Plan:
    """Return the plan for an inventory under a policy.

    `before` is what the same run has removed already; the limits of the policy are for both. `asked_before` has the
    names of the disks that it removed that for, where the engine lies on several.
    """
    return plan_of_decisions(_decide(survey, policy, asked_before), before)


def foresee(survey: Survey, policy: Policy) -> Foreseen:
    """Return what `make_plan` comes to, without a decision and a removal for each object."""
    judge = Judge(survey, policy)
    if policy.target is None:
        going = [case.ref for case in judge.decide_removals()]
        return Foreseen(going, warnings_of(judge), judge.decide_again)
    # What goes for space is chosen by what the rules decide of all.
    decided = _decide(survey, policy)
    outline = outline_of(decided)
    told = {one.ref: one for one in decided.decisions}
    return Foreseen(outline.going, decided.warnings, told.__getitem__)


class Decided(Struct, frozen=True):
    """What becomes of every object under a policy."""

    survey: Survey
    policy: Policy
    decisions: tuple[Decision, ...]
    warnings: tuple[ScanWarning, ...]
    target: TargetVerdict | None = None


def _decide(survey: Survey, policy: Policy, asked_before: Collection[str] = ()) -> Decided:
    # The judge is left here: what it has found of a million objects takes as much memory as their removals.
    judge = Judge(survey, policy)
    return by_judge(judge, *with_target(judge, judge.decide_all(), asked_before))


def by_judge(judge: Judge, decisions: tuple[Decision, ...], target: TargetVerdict | None = None) -> Decided:
    """Return what a judge has decided: one decision for every object."""
    return Decided(judge.survey, judge.policy, decisions, warnings_of(judge), target)


def with_target(
    judge: Judge, by_rules: Sequence[Decision], asked_before: Collection[str] = ()
) -> tuple[tuple[Decision, ...], TargetVerdict | None]:
    """Return what becomes of all objects by the rules and for the space target, and what that asks for; None where the
    policy has none."""
    if judge.policy.target is None:
        return in_order(by_rules), None
    # Few policies have one.
    from dockersweep.policy.planning.target import decide_for_target

    return decide_for_target(judge, judge.policy.target, by_rules, again=asked_before)


def oldest_first(steps: Iterable[T], survey: Survey) -> Iterator[T]:
    """Yield objects in the order of a plan: one that is cut short has then removed what was of no use for the
    longest."""
    of_kind: dict[Kind, list[T]] = {kind: [] for kind in ORDER}
    for step in steps:
        of_kind[step.kind].append(step)
    for kind, of_one in of_kind.items():
        of_one.sort(key=attrgetter("id"))
        of_one.sort(key=lambda step: -(step.age_seconds or 0))
        if kind in survey.holders.own_kinds:
            places = survey.listing.of_kind(kind).places
            placed = {places[step.id]: step for step in of_one}
            yield from (placed[place] for place in holders_first(kind, list(placed), survey.holders))
        else:
            yield from of_one


def plan_of_decisions(decided: Decided, before: Gone = NOTHING_GONE) -> Plan:
    """Return the plan that carries out decisions."""
    survey, inventory = decided.survey, decided.survey.inventory
    outline = outline_of(decided, before)
    removals = tuple(_removals(outline, survey))
    return Plan(
        schema="dockersweep.plan/1",
        engine=inventory.engine,
        taken_at=inventory.taken_at,
        now=survey.now,
        policy=decided.policy,
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
    )


def outline_of(decided: Decided, before: Gone = NOTHING_GONE) -> "Outline":
    """Return what carrying out decisions would free, without each removal."""
    survey, decisions = decided.survey, decided.decisions
    acting = [one for one in decisions if one.verdict == "remove" or one.untag]
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
        limits=Limits(exceeded=exceeded(decided.policy.limits, decisions, prediction.total, before)),
        inventory=survey.inventory,
    )


def warnings_of(judge: Judge) -> tuple[ScanWarning, ...]:
    """Return what is to be told of the inventory, and of the policy where it protects nothing."""
    return (*judge.survey.inventory.warnings, *_idle(judge.idle_protections()))


def _idle(patterns: Iterable[Protection]) -> Iterator[ScanWarning]:
    for pattern in patterns:
        yield ScanWarning(about=pattern.source, text=f"{pattern.pattern} matches nothing here", is_problem=False)


class Outline(Struct, frozen=True, dict=True):
    """What a plan comes to."""

    steps: list[Decision]
    """Those of what goes, or loses tags, in order."""
    places: list[int]
    """Those of the objects among their kinds, in the same order."""
    prediction: Prediction
    """What each of them frees, and all."""
    limits: Limits
    inventory: Inventory

    @property
    def going(self) -> list[ObjectRef]:
        """The objects that go, in order."""
        return [step.ref for step in self.steps if step.verdict == "remove"]

    @cached_property
    def layer_holders(self) -> "LayerHolders":
        """Who holds the layers that stay."""
        # Most plans free what their objects take.
        from dockersweep.policy.bytes.layer_holders import LayerHolders

        return LayerHolders(self.prediction.graph, self.prediction.freed, self.inventory)


def _removals(outline: Outline, survey: Survey) -> Iterator[Removal]:
    """Yield the removals of all steps; the prediction is of the objects that go, in the same order."""
    reclaim = survey.reclaim
    items = {kind: survey.listing.of_kind(kind).items for kind in KINDS}
    holders = {kind: survey.holders.of_kind(kind) for kind in KINDS}
    predicted = zip(outline.prediction.rows, outline.prediction.nodes, strict=True)
    for step, place in zip(outline.steps, outline.places, strict=True):
        kind = step.kind
        item, after = items[kind][place], _refs(holders[kind][place])
        judged = item
        if type(item) is Image and len(item.tags) > 1:
            # Of one that goes all tags but the first: an engine refuses to remove by its id an image that has several
            # (engine-api.md §4).
            yield from _untags(item, step.untag or item.tags[:0:-1], after)
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
            )


def _layers_of(step: Decision, node: int | None, frees: Interval, outline: Outline) -> LayersHeld | None:
    if node is None or not is_far_less(frees, step.size_bytes):
        return None
    return outline.layer_holders.of(step.kind, node, frees)


def _layers_held(outline: Outline, removals: Iterable[Removal]) -> LayersHeld | None:
    """Return the records that hold layers of the images that go, where that is told of one of them."""
    if not any(one.layers_held is not None and one.layers_held.by == "build-cache" for one in removals):
        return None
    predicted = zip(outline.going, outline.prediction.nodes, strict=True)
    images = [node for ref, node in predicted if ref.kind == "image" and node is not None]
    return outline.layer_holders.of_images(images, outline.prediction.total)


def _refs(holders: Sequence[Holder]) -> tuple[ObjectRef, ...]:
    return tuple([hold.by for hold in holders]) if holders else ()


def _untags(image: Image, going: Iterable[str], after: tuple[ObjectRef, ...]) -> Iterator[Removal]:
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
        )
        left.remove(tag)
