"""What of a saved plan may still be carried out: what is there, unchanged, held by nothing that stays, and not kept by
the policy that is in force now.

A plan is a file, and whoever can write it could have put anything into it. So nothing of it is believed but which
objects it names and what they looked like; what waits for what, and in which order, is found anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from dockersweep.model.attempt import outcome_for
from dockersweep.model.fingerprint import differences, fingerprint_of
from dockersweep.model.inventory import Image, Inventory, Object
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Decision, ObjectRef, Plan, Reason, Removal
from dockersweep.model.policy import Policy
from dockersweep.policy.order import ORDER
from dockersweep.policy.planner import plan_of_decisions
from dockersweep.policy.reclaim import Reclaim
from dockersweep.policy.references import find_holds
from dockersweep.policy.rules import Case, Judge, in_order

NOT_NAMED = Reason(code="not-asked-for", rule="saved plan", text="the saved plan does not name it")
NAMED = Reason(code="old-enough", rule="saved plan", text="the plan names it")

# Whoever wrote the file, its words are told and kept.
MOST_REASONS = 50
LONGEST_TEXT = 1000

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Permitted:
    """A saved plan, held against what is there now."""

    plan: Plan
    """What may still be carried out, with the limits of the policy in force."""
    settled: tuple[tuple[Removal, Outcome], ...]
    """What became of all other removals of the saved plan: gone, or skipped."""


def what_may_go(saved: Plan, inventory: Inventory, policy: Policy, now: datetime) -> Permitted:
    """Return what of a saved plan may be carried out on an engine that looks like `inventory` now."""
    wanted = _by_object(saved.removals)
    inventory = replace(inventory, images=tuple(_as_planned(image, wanted) for image in inventory.images))
    check = _Check(saved, inventory, policy, now)
    settled: list[tuple[Removal, Outcome]] = []
    decisions: list[Decision] = []
    for kind in ORDER:
        for ref, seen in check.judge.holders_first(kind):
            removals = wanted.pop(ref, ())
            case = check.judge.case(ref, seen)
            why_not = check.why_not(case, removals) if removals else None
            if removals and why_not is None:
                decisions.append(check.goes(case, removals))
                continue
            reason = NOT_NAMED if why_not is None else Reason(code="not-asked-for", rule="saved plan", text=why_not)
            decisions.append(check.judge.decision(case, False, (reason,)))
            settled += [
                (removal, outcome_for(removal, "skipped", why_not)) for removal in removals if why_not is not None
            ]
    for removals in wanted.values():
        settled += [(removal, _of_what_is_not_listed(removal, inventory)) for removal in removals]
    plan = plan_of_decisions(
        inventory, policy, now, in_order(decisions), check.holds, Reclaim(inventory), check.judge.idle_protections()
    )
    return Permitted(plan=plan, settled=tuple(settled))


def _of_what_is_not_listed(removal: Removal, inventory: Inventory) -> Outcome:
    if removal.kind == "build-cache" and inventory.build_cache is None:
        return outcome_for(removal, "skipped", "the build cache could not be read")
    return outcome_for(removal, "gone", "gone since, or never there")


def _by_object(removals: Iterable[Removal]) -> dict[ObjectRef, tuple[Removal, ...]]:
    found: dict[ObjectRef, list[Removal]] = {}
    for removal in removals:
        found.setdefault(ObjectRef(kind=removal.kind, id=removal.id), []).append(removal)
    return {ref: tuple(of_object) for ref, of_object in found.items()}


def _as_planned(image: Image, wanted: dict[ObjectRef, tuple[Removal, ...]]) -> Image:
    """Return an image with its tags in the order in which the plan takes them off: an engine tells them in any."""
    removals = wanted.get(ObjectRef(kind="image", id=image.id), ())
    going = [one.name for one in removals if one.action == "untag" and one.name in image.tags]
    if not going:
        return image
    staying = tuple(tag for tag in image.tags if tag not in going)
    return replace(image, tags=(*staying, *dict.fromkeys(reversed(going))))


class _Check:
    def __init__(self, saved: Plan, inventory: Inventory, policy: Policy, now: datetime) -> None:
        self.holds = find_holds(inventory, now)
        self.judge = Judge(inventory, policy, now, self.holds)
        self._reasons = {
            ObjectRef(kind=one.kind, id=one.id): tuple(_short(reason) for reason in one.reasons[:MOST_REASONS])
            for one in saved.decisions
            if one.verdict == "remove" or one.untag
        }

    def why_not(self, case: Case, removals: Sequence[Removal]) -> str | None:
        """Return why an object that the plan names may not go now; None where it may."""
        changed = differences(removals[0].fingerprint, fingerprint_of(case.seen))
        if changed:
            return f"changed since it was judged: {changed}"
        if not _fit_together(case.seen, removals):
            return "the removals that the plan has of it do not fit together"
        tags = None if removals[-1].action == "remove" else [one.name for one in removals]
        against = self.judge.barring(case, tags)
        if not against:
            return None
        first = against[0]
        return f"in use: {first.text}" if first.code == "in-use" else f"{first.rule}: {first.text}"

    def goes(self, case: Case, removals: Sequence[Removal]) -> Decision:
        """Return the decision of an object that may go, for the reasons that the plan gives."""
        whole = removals[-1].action == "remove"
        reasons = self._reasons.get(case.ref) or (NAMED,)
        untag = () if whole else tuple(removal.name for removal in removals)
        return self.judge.decision(case, whole, reasons, untag)


def _short(reason: Reason) -> Reason:
    return Reason(code=reason.code, rule=reason.rule[:LONGEST_TEXT], text=reason.text[:LONGEST_TEXT])


def _fit_together(seen: Object, removals: Sequence[Removal]) -> bool:
    """Whether these are all tags of an image but one and then the image, some tags but not all, or the one object."""
    untags = [removal.name for removal in removals if removal.action == "untag"]
    removes = [removal for removal in removals if removal.action == "remove"]
    if not isinstance(seen, Image):
        return not untags and len(removes) == 1
    if len(set(untags)) < len(untags) or not set(untags) <= set(seen.tags):
        return False
    if not removes:
        return len(untags) < len(seen.tags)
    return removals[-1] is removes[-1] and len(removes) == 1 and len(untags) == max(0, len(seen.tags) - 1)


def in_order_of_plan(saved: Plan, outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Return the outcomes of a saved plan in the order of its removals."""
    place = {_key(removal): number for number, removal in enumerate(saved.removals)}
    return tuple(sorted(outcomes, key=lambda outcome: place.get(_key(outcome), len(place))))


def _key(one: Removal | Outcome) -> Key:
    return one.kind, one.id, one.action, one.name if one.action == "untag" else ""
