"""A plan for spreadsheets: a row for each decision."""

from dockersweep.model.plan import Decision, ObjectRef, Plan, Removal
from dockersweep.report.csv_text import Cell, csv_text

HEADINGS = (
    "kind", "id", "name", "verdict", "size_bytes", "gives_back_low_bytes", "gives_back_high_bytes", "age_seconds",
    "age_source", "tags_removed", "reasons",
)  # fmt: skip


def plan_csv(plan: Plan) -> str:
    """Return a row for each object; what is not known is an empty cell, and so is what one that stays gives back."""
    removals = {ObjectRef(kind=one.kind, id=one.id): one for one in plan.removals if one.action == "remove"}
    return csv_text(HEADINGS, [_row(one, removals.get(ObjectRef(kind=one.kind, id=one.id))) for one in plan.decisions])


def _row(decision: Decision, removal: Removal | None) -> tuple[Cell, ...]:
    return (
        decision.kind,
        decision.id,
        decision.name,
        decision.verdict,
        decision.size_bytes,
        removal.reclaim.low_bytes if removal else None,
        removal.reclaim.high_bytes if removal else None,
        decision.age_seconds,
        decision.age_source,
        " ".join(decision.untag),
        "; ".join(f"{reason.rule}: {reason.text}" for reason in decision.reasons),
    )
