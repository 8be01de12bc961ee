"""Chooses what to remove for a space target, after the rules: the least recently used first, until enough is freed.

The bytes are those of the plan's prediction, with shared layers. Of an interval the upper end counts, and an object
that frees an unknown amount is the last one: never more is removed than may be needed. So what goes into an archive on
the same disk counts as freed, as it may compress to hardly anything. If space is short on one of several disks, only
objects on that disk are removed, and only bytes there count. A sweep measures afterwards, and plans another round while
space is short.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush

from msgspec.structs import replace

from dockersweep.model.inventory import Container, Image, Network, Object, ObjectRef, Volume
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import Decision, TargetVerdict
from dockersweep.model.policy import SPACE_TARGET, Remove, Target
from dockersweep.model.reason import Fact, ForSpace, OnlyByRule, Reason
from dockersweep.model.restarts import restart_of, restarts_by_itself
from dockersweep.policy.judging.aged import aged
from dockersweep.policy.judging.case import Case
from dockersweep.policy.judging.judge import Judge, in_order
from dockersweep.policy.judging.old_enough import AgeTest, why_unknown
from dockersweep.policy.judging.order import in_order_of_removal
from dockersweep.policy.judging.rulings import removal_notes
from dockersweep.policy.planning.target_by_disk import Asked, verdict_on, what_is_asked

_Entry = tuple[datetime, str, Case]
"""Since when an object is unused, its id, and its case."""


def decide_for_target(
    judge: Judge, target: Target, by_rules: Sequence[Decision], is_endless: bool = False, again: Collection[str] = ()
) -> tuple[tuple[Decision, ...], TargetVerdict]:
    """Return the decisions of the rules as the target changes them, and its verdict.

    With `is_endless`, every object is removed that may be removed for it, however much that frees. `again` has the
    names of the disks that the first round was for.
    """
    choice = _Choice(target, judge, by_rules, what_is_asked(target, judge.survey, again), is_endless)
    if choice.begins or is_endless:
        choice.choose()
    decisions, verdict = in_order(choice.decisions.values()), choice.verdict()
    if choice.begins and not verdict.reached and not is_endless:
        # Imported late: most targets are reached.
        from dockersweep.policy.planning.spared import what_is_spared

        verdict = replace(verdict, spared=what_is_spared(decisions, target, judge.survey))
    return decisions, verdict


class _Choice:
    """The state of the choice: decisions and freed bytes so far."""

    def __init__(
        self, target: Target, judge: Judge, by_rules: Sequence[Decision], asked: tuple[Asked, ...], is_endless: bool
    ) -> None:
        self.decisions = {decision.ref: decision for decision in by_rules}
        self._inventory = judge.survey.inventory
        self._objects = judge.survey.objects
        self._target = target
        self._judge = judge
        self._on_disks = judge.survey.on_disks
        self._asked = asked
        is_by_disk = any(on_disk.disk is not None for on_disk in asked)
        self._steps = judge.survey.reclaim.steps(self._on_disks.of_nodes if is_by_disk else ())
        self._is_endless = is_endless
        self._age = AgeTest(Remove(older_than=target.older_than), judge.now, judge.survey.watch)
        self._holders_left: dict[ObjectRef, set[ObjectRef]] = {}
        for decision in in_order_of_removal(by_rules):
            if decision.verdict == "remove":
                self._steps.add(decision.ref)

    @property
    def begins(self) -> bool:
        """Whether space is short on any disk."""
        return any(asked.want.begins for asked in self._asked)

    def verdict(self) -> TargetVerdict:
        """Return what is asked for, and whether the removals free it."""
        return verdict_on(self._asked, self._steps, self._target, self._archived_on)

    def _archived_on(self, disk: str | None) -> int | None:
        """Return how many bytes the removals put into an archive on a disk at most; None where that is not known, and
        for the disk None on all disks."""
        ways_back = self._judge.ways_back
        if ways_back.archiving is None or not ways_back.archiving.may_be_on(disk):
            return 0
        removed = (self._objects[ref] for ref, decision in self.decisions.items() if decision.verdict == "remove")
        return ways_back.archiving.most_bytes([item for item in removed if ways_back.of(item).asks_archive])

    def choose(self) -> None:
        """Remove objects, kind by kind, until enough is freed."""
        spare = self._target.spare_registry_less
        for kind in self._target.order:
            objects = objects_of(self._inventory, kind)
            self._take([item for item in objects if spare != "last" or not _is_local(item)])
        if spare == "last" and "image" in self._target.order:
            self._take([item for item in self._inventory.images if _is_local(item)])
        for ref, left in self._holders_left.items():
            if left:
                self.decisions[ref] = self._judge.decide(self._judge.case(self._objects[ref]))

    def _take(self, objects: Sequence[Object]) -> None:
        """Remove objects of one kind, the least recently used first; what a removed one held may follow."""
        listed = {ref_of(item): item for item in objects}
        waiting = [entry for ref in listed if (entry := self._entry(ref, listed)) is not None]
        heapify(waiting)
        passed_over: list[Case] = []
        while waiting and not self._is_enough():
            case = heappop(waiting)[2]
            if not self._is_where_space_is_short(case.ref):
                passed_over.append(case)
                continue
            for ref in self._remove(case):
                entry = self._entry(ref, listed)
                if entry is not None:
                    heappush(waiting, entry)
        for case in (*passed_over, *(case for _, _, case in waiting)):
            self._add_reason(case, self._why_not(case))

    def _is_where_space_is_short(self, ref: ObjectRef) -> bool:
        """Whether an object has anything on a disk that is still short of space."""
        if self._is_endless:
            return True
        return any(self._is_on(ref, asked) for asked in self._asked if not asked.is_enough(self._steps))

    def _is_on(self, ref: ObjectRef, asked: Asked) -> bool:
        return asked.disk is None or self._on_disks.has(ref, asked.disk)

    def _why_not(self, case: Case) -> Reason:
        """Return why an object is kept that the target could have removed."""
        if any(self._is_on(case.ref, asked) for asked in self._asked if asked.want.begins):
            return Reason(code="enough", rule=SPACE_TARGET, about=Fact(name="enough"))
        return Reason(code="no-rule", rule=SPACE_TARGET, about=Fact(name="on-another-disk"))

    def _entry(self, ref: ObjectRef, listed: Mapping[ObjectRef, Object]) -> _Entry | None:
        """Return the entry of an object for the queue, None where it may not be removed."""
        if ref not in listed or self.decisions[ref].verdict == "remove":
            return None
        case = self._judge.case(listed[ref])
        barring = self._judge.barring(case)
        if barring:
            if barring[0].code == "unrecoverable":
                self._add_reason(case, barring[0])
            return None
        objection = self._objection(case)
        if objection is None and case.since is not None:
            return case.since.instant, ref.id, case
        if objection is not None:
            self._add_reason(case, objection)
        return None

    def _objection(self, case: Case) -> Reason | None:
        """Return why the target does not remove an object that is not protected or kept; None where it does."""
        never = _never_for_space(case.item)
        if self._target.spare_registry_less == "never" and _is_local(case.item):
            never = Fact(name="not-recoverable")
        if never is not None:
            return Reason(code="no-rule", rule=SPACE_TARGET, about=never)
        if case.since is None:
            about = replace(why_unknown(case.item), asked_for="last-use")
            return Reason(code="age-unknown", rule=SPACE_TARGET, about=about)
        objection = self._age.objection(case)
        return None if objection is None else Reason(code=objection.code, rule=SPACE_TARGET, about=objection.about)

    def _remove(self, case: Case) -> list[ObjectRef]:
        """Remove an object, and what the rules remove now that it no longer holds it; return what it held and stays."""
        watch = self._judge.survey.watch
        age = None if case.since is None else aged(case.item, case.since, self._judge.now, watch)
        reason = Reason(code="space", rule=SPACE_TARGET, about=ForSpace(age=age))
        self.decisions[case.ref] = self._judge.decision(case, True, (reason, *removal_notes(case, SPACE_TARGET)))
        self._steps.add(case.ref)
        staying: list[ObjectRef] = []
        waiting = [(ref, case.ref) for ref in self._judge.held_by(case.ref)]
        while waiting:
            ref, gone = waiting.pop()
            if ref not in self._objects or self.decisions[ref].verdict == "remove" or self._is_still_held(ref, gone):
                continue
            self.decisions[ref] = self._judge.decide(self._judge.case(self._objects[ref]))
            if self.decisions[ref].verdict == "remove":
                self._steps.add(ref)
                waiting += [(held, ref) for held in self._judge.held_by(ref)]
            else:
                staying.append(ref)
        return staying

    def _is_still_held(self, ref: ObjectRef, gone: ObjectRef) -> bool:
        """Whether an object still has holders that stay, after one more is removed.

        Judging it after each of them would be quadratic, as thousands of records may hold one. So it is judged after
        the last one, or at the end if some are left, so that its reasons name only these.
        """
        left = self._holders_left.get(ref)
        if left is None:
            staying = self._judge.case(self._objects[ref]).staying
            left = self._holders_left[ref] = {hold.by for hold in staying}
        left.discard(gone)
        return bool(left)

    def _add_reason(self, case: Case, reason: Reason) -> None:
        known = self.decisions[case.ref]
        self.decisions[case.ref] = replace(known, reasons=(*known.reasons, reason))

    def _is_enough(self) -> bool:
        """Whether the removals so far may free enough on every disk."""
        return not self._is_endless and all(asked.is_enough(self._steps) for asked in self._asked)


def _is_local(item: Object) -> bool:
    """Whether it is an image that cannot be pulled again, as far as is known."""
    return isinstance(item, Image) and item.in_registry is not True


def _never_for_space(item: Object) -> Fact | OnlyByRule | None:
    """Return why only a rule may remove an object; None where a target may."""
    if isinstance(item, Container) and restarts_by_itself(item) is not False:
        return OnlyByRule(restart=restart_of(item))
    if isinstance(item, Network):
        return Fact(name="takes-no-space")
    if isinstance(item, Volume) and not (item.anonymous and item.driver == "local" and not item.options):
        return Fact(name="not-anonymous-local")
    return None


def going_on(target: Target, freed_bytes: int) -> Target:
    """Return the target for what is left after some bytes are freed: it starts where the first one stops."""
    return replace(
        target,
        is_later=True,
        start_above=target.stop_below,
        inodes_above_percent=target.inodes_below_percent,
        free_bytes=None if target.free_bytes is None else max(0, target.free_bytes - freed_bytes),
    )
