"""The figures of one host, from the document of the verb there."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from dockersweep.fleet.shared_volumes import shareable_removals
from dockersweep.model.fleet import Amount, HostSums
from dockersweep.model.inventory import KINDS, Inventory, Kind, ScanWarning
from dockersweep.model.outcome import OutcomeDocument, Status
from dockersweep.model.plan import NOTHING, Interval, Plan, exactly
from dockersweep.model.report import Report
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.use import reclaim_of_unused
from dockersweep.report.headline import STATUS_WORDS, problems_of, warning_sentences
from dockersweep.report.question import words_for_lost

UNSEEN = "sweep"
"""What the warning of a plan is about that nobody has looked at its engine."""
_UNKNOWN = Interval(low_bytes=0, high_bytes=None)


def sums_of(document: Struct) -> HostSums:
    """Return the figures of an inventory, plan, outcome or report; none for other documents."""
    sums = _SUMS.get(type(document))
    return HostSums() if sums is None else sums(document)


def _of_inventory(inventory: Inventory) -> HostSums:
    survey = Survey(inventory, inventory.taken_at)
    unused = list(survey.unused)
    freed = reclaim_of_unused(survey, unused)
    return HostSums(
        freed=_amounts(Counter(ref.kind for ref in unused), freed.of_kinds),
        total=freed.total,
        used_bytes=survey.totals.held_bytes,
        warnings=len(inventory.warnings),
        problems=_problems(inventory.warnings),
    )


def _of_plan(plan: Plan) -> HostSums:
    counts = Counter(step.kind for step in plan.removals if step.action == "remove")
    return HostSums(
        freed=_amounts(counts, plan.reclaim_of_kinds),
        total=plan.reclaim,
        used_bytes=plan.used_bytes,
        warnings=len(plan.warnings),
        removals=len(plan.removals),
        ways_back=Counter(
            step.recovery.how for step in plan.removals if step.action == "remove" and step.recovery is not None
        ),
        lost=words_for_lost(plan) or None,
        is_unseen=any(warning.about == UNSEEN for warning in plan.warnings),
        over_limits=plan.limits.exceeded,
        shareable_volumes=shareable_removals(plan),
        problems=_problems(plan.warnings),
    )


def _of_outcome(document: OutcomeDocument) -> HostSums:
    removed = {outcome.ref for outcome in document.outcomes if outcome.status == "removed"}
    reclaimed = document.reclaimed
    measured = reclaimed.measured_bytes
    predicted = Interval(low_bytes=reclaimed.low_bytes, high_bytes=reclaimed.high_bytes)
    return HostSums(
        # An outcome tells what each request freed, which does not add up to what a kind did.
        freed=_amounts(Counter(ref.kind for ref in removed), {}),
        total=predicted if measured is None else exactly(measured),
        others=_others(document),
        is_predicted=measured is None and bool(removed) and not predicted.is_exact,
        failed=sum(outcome.status in ("failed", "not-attempted") for outcome in document.outcomes),
        warnings=len(document.warnings),
        ended_by=document.ended_by,
        problems=_problems(document.warnings),
    )


def _others(document: OutcomeDocument) -> dict[str, int]:
    counts = Counter(outcome.status for outcome in document.outcomes)
    others: tuple[Status, ...] = ("skipped", "gone")
    return {STATUS_WORDS[status]: counts[status] for status in others if counts[status]}


def _of_report(report: Report) -> HostSums:
    return HostSums(
        total=report.reclaimable,
        used_bytes=report.folder_bytes,
        warnings=len(report.warnings),
        problems=_problems(report.warnings),
    )


def _problems(warnings: Sequence[ScanWarning]) -> tuple[str, ...]:
    return warning_sentences([warning for warning in problems_of(warnings) if warning.about != UNSEEN])


def _amounts(counts: Mapping[Kind, int], of_kinds: Mapping[Kind, Interval]) -> dict[Kind, Amount]:
    return {
        kind: Amount(objects=counts[kind], bytes=of_kinds.get(kind, NOTHING if kind == "network" else _UNKNOWN))
        for kind in KINDS
        if counts.get(kind)
    }


_SUMS: dict[type, Callable[[Any], HostSums]] = {
    Inventory: _of_inventory,
    Plan: _of_plan,
    OutcomeDocument: _of_outcome,
    Report: _of_report,
}
