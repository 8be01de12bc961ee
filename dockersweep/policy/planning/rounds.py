"""A sweep for a space target may take several rounds: what to free after one, and all of them as one document."""

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from dockersweep.model.outcome import FreedOnDisk, OutcomeDocument, Reclaimed, TargetOutcome
from dockersweep.model.plan import Interval, Plan, TargetVerdict
from dockersweep.model.policy import Policy
from dockersweep.model.quantities import known_sum
from dockersweep.policy.planning.limits import Gone
from dockersweep.policy.planning.target import going_on


def gone_in(document: OutcomeDocument) -> Gone:
    """Return what a round of a sweep removed."""
    removed = Counter(
        outcome.kind for outcome in document.outcomes if outcome.action == "remove" and outcome.status == "removed"
    )
    lost = sum(
        outcome.action == "remove"
        and outcome.status == "removed"
        and outcome.recovery is not None
        and outcome.recovery.how == "none"
        for outcome in document.outcomes
    )
    reclaimed = document.reclaimed
    freed = reclaimed.low_bytes if reclaimed.measured_bytes is None else reclaimed.measured_bytes
    return Gone(removed, freed, lost)


def can_go_on(policy: Policy, outcome: OutcomeDocument) -> bool:
    """Whether it is known after a round how much there is left to free."""
    return policy.target is None or policy.target.free_bytes is None or outcome.reclaimed.measured_bytes is not None


def policy_after(policy: Policy, outcome: OutcomeDocument, archived_bytes: int) -> Policy:
    """Return the policy for what is left to free after a round, of which `archived_bytes` were taken by the archive."""
    freed = max(0, (outcome.reclaimed.measured_bytes or 0) - archived_bytes)
    return replace(policy, target=None if policy.target is None else going_on(policy.target, freed))


def archived_of_freed(first: Plan, outcome: OutcomeDocument) -> int:
    """Return how many bytes of what was freed the archive took, on the disks that the target asked for."""
    share = first.archive
    if share is None or share.on_engine_disk is False:
        return 0
    asking = disks_asking(first)
    if asking and share.disk is not None and share.disk not in asking:
        return 0
    return sum(done.archived_bytes or 0 for done in outcome.outcomes)


def only_fills_archive(first: Plan, outcome: OutcomeDocument) -> bool:
    """Whether the archive took all that was freed, so that removing more would free nothing either."""
    archived, freed = archived_of_freed(first, outcome), outcome.reclaimed.measured_bytes
    return bool(archived) and freed is not None and archived >= freed


def disks_asking(first: Plan) -> tuple[str, ...]:
    """Return the names of the disks that the first plan's target found short of space, where there are several. The
    target did not start on the others, even if they use more than where it stops."""
    return () if first.target is None else tuple(verdict.disk for verdict in first.target.disks if verdict.begins)


def is_satisfied(plan: Plan) -> bool:
    """Whether nothing more has to be freed, as far as measured."""
    target = plan.target
    return target is None or target.begins is False or (target.wanted_bytes == 0 and not target.wanted_inodes)


def goes_for_space(plan: Plan) -> bool:
    """Whether a plan removes anything only for its space target."""
    return any(reason.code == "space" for decision in plan.decisions for reason in decision.reasons)


def target_outcome(
    first: Plan, last: Plan, outcome: OutcomeDocument, why_no_more: str, is_known: bool = True
) -> TargetOutcome | None:
    """Return whether the target of the first plan is reached, where the last plan is for what is left to free.

    Without `is_known`, that is for what was freed, the answer is not known either.
    """
    if first.target is None or last.target is None or first.target.begins is False:
        return None
    reached = None if last.target.begins is None or not is_known else is_satisfied(last)
    return TargetOutcome(
        wanted_bytes=first.target.wanted_bytes,
        freed_bytes=_freed_for(first, outcome),
        reached=reached,
        text="; ".join(_measured(first, last.target) if reached else (*_measured(first, last.target), why_no_more)),
    )


def _measured(first: Plan, last: TargetVerdict) -> tuple[str, ...]:
    """Return the last measurement; none for a target that is a number of bytes, where the freed bytes say enough."""
    target = first.policy.target
    return () if target is not None and target.free_bytes is not None else (last.text,)


def _freed_for(first: Plan, outcome: OutcomeDocument) -> int | None:
    """Return what was freed on the disks that the target asked for, without what the archive took of it."""
    asking, reclaimed = disks_asking(first), outcome.reclaimed
    freed = reclaimed.measured_bytes
    if asking:
        of_disks = {on_disk.disk: on_disk.measured_bytes for on_disk in reclaimed.on_disks}
        freed = known_sum(of_disks.get(disk) for disk in asking)
    return None if freed is None else max(0, freed - archived_of_freed(first, outcome))


def together(rounds: Sequence[OutcomeDocument], target: TargetOutcome | None) -> OutcomeDocument:
    """Return the rounds of a sweep, at least one, as one document."""
    first, last = rounds[0], rounds[-1]
    if len(rounds) == 1:
        return replace(first, target=target)
    reclaimed = [document.reclaimed for document in rounds]
    return replace(
        first,
        finished_at=last.finished_at,
        ended_early=last.ended_early,
        ended_by=last.ended_by,
        outcomes=tuple(outcome for document in rounds for outcome in document.outcomes),
        reclaimed=Reclaimed(
            low_bytes=sum(of_round.low_bytes for of_round in reclaimed),
            high_bytes=known_sum(of_round.high_bytes for of_round in reclaimed),
            measured_bytes=known_sum(of_round.measured_bytes for of_round in reclaimed),
            measured_by=reclaimed[0].measured_by,
            free_space_bytes=known_sum(of_round.free_space_bytes for of_round in reclaimed),
            surprises=tuple(line for of_round in reclaimed for line in of_round.surprises),
            on_disks=_sum_by_disk(reclaimed),
        ),
        predicted=_sum_of_intervals([document.predicted for document in rounds]),
        target=target,
    )


def _sum_by_disk(rounds: Sequence[Reclaimed]) -> tuple[FreedOnDisk, ...]:
    """Return what all rounds freed on each disk; None where one of them did not measure it."""
    freed = [{on_disk.disk: on_disk.measured_bytes for on_disk in of_round.on_disks} for of_round in rounds]
    disks = dict.fromkeys(disk for of_round in freed for disk in of_round)
    return tuple(
        FreedOnDisk(disk=disk, measured_bytes=known_sum(of_round.get(disk) for of_round in freed)) for disk in disks
    )


def _sum_of_intervals(intervals: Sequence[Interval | None]) -> Interval | None:
    known = [interval for interval in intervals if interval is not None]
    reasons = dict.fromkeys(interval.reason for interval in known if interval.reason)
    return Interval(
        low_bytes=sum(interval.low_bytes for interval in known),
        high_bytes=known_sum(interval.high_bytes for interval in known),
        reason="; ".join(reasons) or None,
    )
