"""Which removals of a saved plan are still allowed: those of existing, unchanged objects that nothing that stays holds,
and that the policy in force now does not keep.

A plan is a file, and whoever can write it could have put anything into it. Only names and fingerprints are taken
from it; dependencies and order are computed again.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.model.attempt import outcome_for
from dockersweep.model.fingerprint import differences, fingerprint_of
from dockersweep.model.inventory import Image, Inventory, Object, ObjectRef
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Decision, Plan, Removal
from dockersweep.model.policy import Policy
from dockersweep.model.reason import Fact, InWords, Reason, Skipped
from dockersweep.policy.judging.aged import aged
from dockersweep.policy.judging.case import Case
from dockersweep.policy.judging.judge import Judge, in_order
from dockersweep.policy.judging.order import ORDER
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.planner import by_judge, plan_of_decisions
from dockersweep.words.ages import aged_text
from dockersweep.words.reasons import reason_text, rule_and_text, untagged_text

NOT_NAMED = Reason(code="not-asked-for", rule="saved plan", about=Fact(name="not-in-saved-plan"))
NAMED = Reason(code="old-enough", rule="saved plan", about=Fact(name="named-by-saved-plan"))

# The file is not trusted, but its words are printed and recorded.
MOST_REASONS = 50
LONGEST_TEXT = 1000

_OF_USE = ("last-used", "written")
_BEFORE_IT_GOES = ("saved", "pushed")

Key = tuple[str, str, str, str]


class Permitted(Struct, frozen=True):
    """A saved plan, checked against the engine of now."""

    plan: Plan
    """The removals that are still allowed, with the limits of the policy in force."""
    survey: Survey
    """The engine of now, with tags in the order of the saved plan."""
    settled: tuple[tuple[Removal, Outcome], ...]
    """The outcomes of all other removals of the saved plan: gone or skipped."""


def what_may_go(saved: Plan, survey: Survey, policy: Policy, *, may_lose_ways_back: bool = False) -> Permitted:
    """Return what is still allowed of a saved plan on the engine of a survey. An object that could be taken back when
    the plan was made has to be so now, unless somebody wants to go without (`may_lose_ways_back`)."""
    wanted = _by_object(saved.removals)
    survey = _in_order_of(wanted, survey)
    check = _Check(saved, Judge(survey, policy), may_lose_ways_back=may_lose_ways_back)
    settled: list[tuple[Removal, Outcome]] = []
    decisions: list[Decision] = []
    for kind in ORDER:
        for case in check.judge.cases(kind):
            removals = wanted.pop(case.ref, ())
            why_not = check.why_not(case, removals) if removals else None
            if removals and why_not is None:
                decisions.append(check.removal(case, removals))
                continue
            reason = NOT_NAMED if why_not is None else _skipped(why_not)
            decisions.append(check.judge.decision(case, False, (reason,)))
            settled += [
                (removal, outcome_for(removal, "skipped", why_not)) for removal in removals if why_not is not None
            ]
    for removals in wanted.values():
        settled += [(removal, _outcome_of_unlisted(removal, survey.inventory)) for removal in removals]
    plan = plan_of_decisions(by_judge(check.judge, in_order(decisions)))
    return Permitted(plan=plan, survey=survey, settled=tuple(settled))


def _outcome_of_unlisted(removal: Removal, inventory: Inventory) -> Outcome:
    if removal.kind == "build-cache" and inventory.build_cache is None:
        return outcome_for(removal, "skipped", "the build cache could not be read")
    return outcome_for(removal, "gone", "gone since, or never there")


def _by_object(removals: Iterable[Removal]) -> dict[ObjectRef, tuple[Removal, ...]]:
    by_object: dict[ObjectRef, list[Removal]] = {}
    for removal in removals:
        by_object.setdefault(removal.ref, []).append(removal)
    return {ref: tuple(of_object) for ref, of_object in by_object.items()}


def _in_order_of(wanted: dict[ObjectRef, tuple[Removal, ...]], survey: Survey) -> Survey:
    images = tuple(_as_planned(image, wanted) for image in survey.inventory.images)
    if images == survey.inventory.images:
        return survey
    reordered = replace(survey.inventory, images=images)
    # The reason of a parent names its child by the first tag: then compute the holders again.
    return (
        Survey(reordered, survey.now, survey.declarations, survey.archive)
        if "image" in survey.holders.own_kinds
        else survey.with_inventory(reordered)
    )


def _as_planned(image: Image, wanted: dict[ObjectRef, tuple[Removal, ...]]) -> Image:
    """Return an image with its tags in the order in which the plan removes them: engines list them in any order."""
    removals = wanted.get(ObjectRef(kind="image", id=image.id), ())
    untags = (removal for removal in removals if removal.action == "untag")
    going = [untag.name for untag in untags if untag.name in image.tags]
    if not going:
        return image
    staying = tuple(tag for tag in image.tags if tag not in going)
    return replace(image, tags=(*staying, *dict.fromkeys(reversed(going))))


class _Check:
    def __init__(self, saved: Plan, judge: Judge, *, may_lose_ways_back: bool) -> None:
        self.judge = judge
        self._may_lose_ways_back = may_lose_ways_back
        self._made_at = saved.taken_at
        self._reasons = {
            decision.ref: tuple(_short(reason) for reason in decision.reasons[:MOST_REASONS])
            for decision in saved.decisions
            if decision.verdict == "remove" or decision.untag
        }

    def why_not(self, case: Case, removals: Sequence[Removal]) -> str | None:
        """Return why an object of the plan may not be removed now; None where it may."""
        changed = differences(removals[0].fingerprint, fingerprint_of(case.item))
        if changed:
            return f"changed since it was judged: {changed}"
        if not _fit_together(case.item, removals):
            return "the removals that the plan has of it do not fit together"
        tags = None if removals[-1].action == "remove" else [removal.name for removal in removals]
        barring = self.judge.barring(case, tags)
        if barring and barring[0].code == "in-use":
            return f"in use: {reason_text(barring[0])}"
        used = self._used_since(case)
        if used is not None:
            return f"used since the plan was made: {used}"
        if barring:
            return rule_and_text(barring[0])
        return self._no_way_back(case, removals[-1]) if tags is None else None

    def _no_way_back(self, case: Case, removal: Removal) -> str | None:
        """Return that an object could be taken back when the plan was made, and now cannot; None where that is not
        so. In a plan of an older version nothing tells."""
        was, now = removal.recovery, self.judge.ways_back.of(case.item)
        if self._may_lose_ways_back or was is None or was.how == "none" or now.how != "none":
            return None
        return f"it could be recovered when the plan was made ({was.how}), and now it cannot: {now.text}"

    def _used_since(self, case: Case) -> str | None:
        """Return how an object was used since the plan was made, None where it was not, as far as is known. Saving or
        pushing an image is no such use: people do that before they remove it."""
        since = case.since
        if since is None or since.measure not in _OF_USE or since.instant <= self._made_at:
            return None
        if since.use is not None and since.use.action in _BEFORE_IT_GOES:
            return None
        return aged_text(aged(case.item, since, self.judge.now, self.judge.survey.watch))

    def removal(self, case: Case, removals: Sequence[Removal]) -> Decision:
        """Return the decision to remove an object or its tags, with the reasons of the plan."""
        whole = removals[-1].action == "remove"
        reasons = self._reasons.get(case.ref) or (NAMED,)
        untag = () if whole else tuple(removal.name for removal in removals)
        return self.judge.decision(case, whole, reasons, untag)


def _short(reason: Reason) -> Reason:
    text = reason_text(reason)
    if len(text) <= LONGEST_TEXT and len(reason.rule) <= LONGEST_TEXT:
        return reason
    rule, untagged = reason.rule[:LONGEST_TEXT], untagged_text(reason)
    room = LONGEST_TEXT - (len(text) - len(untagged))
    if reason.tag is None or room <= 0:
        return Reason(code=reason.code, rule=rule, about=InWords(text=text[:LONGEST_TEXT]))
    return Reason(code=reason.code, rule=rule, tag=reason.tag, about=InWords(text=untagged[:room]))


def _skipped(why: str) -> Reason:
    return Reason(code="not-asked-for", rule="saved plan", about=Skipped(why=why))


def _fit_together(item: Object, removals: Sequence[Removal]) -> bool:
    """Whether these removals are possible together: all tags of an image but one and then the image, some of its tags,
    or one object."""
    untags = [removal.name for removal in removals if removal.action == "untag"]
    removes = [removal for removal in removals if removal.action == "remove"]
    if not isinstance(item, Image):
        return not untags and len(removes) == 1
    if len(set(untags)) < len(untags) or not set(untags) <= set(item.tags):
        return False
    if not removes:
        return len(untags) < len(item.tags)
    return removals[-1] is removes[-1] and len(removes) == 1 and len(untags) == max(0, len(item.tags) - 1)


def in_order_of_plan(saved: Plan, outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Return the outcomes of a saved plan in the order of its removals."""
    place = {_key(removal): number for number, removal in enumerate(saved.removals)}
    return tuple(sorted(outcomes, key=lambda outcome: place.get(_key(outcome), len(place))))


def _key(removal: Removal | Outcome) -> Key:
    return removal.kind, removal.id, removal.action, removal.name if removal.action == "untag" else ""
