"""What a person leaves of a plan: an object that is unticked stays, and with it all that it holds."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from dockersweep.model.inventory import ObjectRef
from dockersweep.model.naming import name_of
from dockersweep.model.plan import NOTHING, Decision, Interval, Plan, TargetVerdict
from dockersweep.model.reason import Fact, Reason
from dockersweep.policy.judging.recovery import WaysBack
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.limits import NO_LIMITS, NOTHING_GONE, Gone, exceeded
from dockersweep.policy.planning.planner import Decided, plan_of_decisions

UNTICKED = Reason(code="not-asked-for", rule="review", about=Fact(name="unticked"))


def without(plan: Plan, survey: Survey, unticked: Iterable[ObjectRef], before: Gone = NOTHING_GONE) -> Plan:
    """Return a plan in which these objects stay, and what they hold; all else goes as before.

    The survey is the one that the plan was made of. `before` is what earlier rounds of the run removed, as in
    `make_plan`.
    """
    staying = staying_with(plan, frozenset(unticked))
    if not staying:
        return plan
    decided = _decided(plan, survey, staying)
    chosen = plan_of_decisions(decided, before)
    return replace(chosen, target=None if plan.target is None else _verdict(plan.target, chosen.reclaim))


def _decided(plan: Plan, survey: Survey, staying: Mapping[ObjectRef, ObjectRef | None]) -> Decided:
    ways_back = WaysBack(survey, plan.policy)
    return Decided(survey, plan.policy, _decisions(plan, survey, staying), plan.warnings, ways_back)


def staying_with(plan: Plan, unticked: frozenset[ObjectRef]) -> dict[ObjectRef, ObjectRef | None]:
    """Return what of a plan stays where these objects are unticked: each with a holder that stays, and None for what
    is itself unticked."""
    staying: dict[ObjectRef, ObjectRef | None] = {}
    # What holds another goes before it.
    for step in plan.removals:
        ref = step.ref
        if ref in unticked:
            staying[ref] = None
        elif step.after and ref not in staying:
            holder = next((one for one in step.after if one in staying), None)
            if holder is not None:
                staying[ref] = holder
    return staying


def _decisions(plan: Plan, survey: Survey, staying: Mapping[ObjectRef, ObjectRef | None]) -> tuple[Decision, ...]:
    return tuple([_staying(one, survey, staying) if one.ref in staying else one for one in plan.decisions])


def _staying(decision: Decision, survey: Survey, staying: Mapping[ObjectRef, ObjectRef | None]) -> Decision:
    ref = decision.ref
    reasons: tuple[Reason, ...] = (UNTICKED,)
    if staying[ref] is not None:
        reasons = tuple(hold.reason for hold in survey.holders.of(ref) if hold.by in staying)
    return replace(decision, verdict="keep", untag=(), name=name_of(survey.objects[ref]), reasons=reasons)


def _verdict(target: TargetVerdict, frees: Interval) -> TargetVerdict:
    """Return whether a target is still reached; of several disks, and of inodes, that is only seen afterwards."""
    if not target.reached:
        return target
    if target.disks or target.wanted_inodes or target.wanted_bytes is None:
        return replace(target, reached=None, disks=tuple(replace(one, reached=None) for one in target.disks))
    return replace(target, reached=frees.high_bytes is None or frees.high_bytes >= target.wanted_bytes)


class Choice:
    """What is ticked of a plan, and what that frees: counted anew with each change, as layers are shared."""

    def __init__(self, plan: Plan, survey: Survey) -> None:
        """Begin with all of the plan; the survey is the one that it was made of."""
        self.plan = plan
        self._survey = survey
        self._removed = [step.ref for step in plan.removals if step.action == "remove"]
        self.unticked: frozenset[ObjectRef] = frozenset()
        self.staying: Mapping[ObjectRef, ObjectRef | None] = {}
        """What stays: each with a holder that stays; None for what is itself unticked."""
        self.frees: Mapping[ObjectRef, Interval] = {}
        """What each object that goes adds to what those before it free."""
        self.total: Interval = NOTHING
        """What all that goes frees."""
        self._count()

    def change(self, refs: Iterable[ObjectRef], *, ticks: bool) -> None:
        """Tick or untick objects of the plan."""
        self.unticked = self.unticked.difference(refs) if ticks else self.unticked.union(refs)
        self._count()

    def _count(self) -> None:
        self.staying = staying_with(self.plan, self.unticked)
        going = [ref for ref in self._removed if ref not in self.staying]
        prediction = self._survey.reclaim.in_order(going)
        self.frees = dict(zip(going, prediction.rows, strict=True))
        self.total = prediction.total

    def name_of(self, ref: ObjectRef) -> str:
        """Return the name of an object."""
        return name_of(self._survey.objects[ref])

    def over_limits(self) -> tuple[str, ...]:
        """Return a sentence for each limit of the policy that what is ticked is over."""
        limits = self.plan.policy.limits
        if limits == NO_LIMITS:
            return ()
        decided = _decided(self.plan, self._survey, self.staying)
        return exceeded(limits, decided.decisions, self.total, NOTHING_GONE, decided.is_lost).exceeded

    def chosen(self) -> Plan:
        """Return the plan of what is ticked."""
        return without(self.plan, self._survey, self.unticked)
