"""The disk report: per kind what is there, used and reclaimable, and the largest consumers."""

from collections.abc import Sequence

from dockersweep.model.inventory import Inventory
from dockersweep.model.plan import Interval, Plan
from dockersweep.model.use import KindTotal, Use
from dockersweep.report.headline import TITLE_OF, base_sentence, engine_line, fold, format_interval, warning_lines
from dockersweep.report.table import Column, render_table
from dockersweep.units import format_size

LARGEST = 10
_TOTALS = (
    Column("KIND"),
    Column("COUNT", right=True),
    Column("IN USE", right=True),
    Column("UNUSED", right=True),
    Column("SIZE", right=True, wraps=True, narrowest=12),
    Column("RECLAIMABLE", right=True, wraps=True, narrowest=12),
    Column("ALL UNUSED", right=True, wraps=True, narrowest=12),
)
_LARGEST = (
    Column("SIZE", right=True),
    Column("KIND"),
    Column("NAME", shortens=True),
    Column("STATE", wraps=True),
)


def disk_table(
    inventory: Inventory,
    plan: Plan,
    uses: Sequence[Use],
    totals: Sequence[KindTotal],
    unused: Interval,
    width: int | None,
) -> str:
    """Return the report; "reclaimable" is what the plan gives back, `unused` what all that is unused would."""
    base = base_sentence(plan.size_base, plan.not_from_disk)
    text = (
        f"Reclaimable is what {plan.policy.source} would remove: {format_interval(plan.reclaim)}. "
        f"All that is unused would give back {format_interval(unused)}. {base}"
    )
    parts = [
        engine_line(inventory.engine, inventory.taken_at, width),
        render_table(_TOTALS, [_total_row(total) for total in totals], width),
        fold(text, width),
    ]
    largest = sorted((use for use in uses if use.size_bytes), key=lambda use: (-(use.size_bytes or 0), use.name))
    if largest:
        shown = [(format_size(use.size_bytes), use.kind, use.name, use.why) for use in largest[:LARGEST]]
        parts.append(f"Largest consumers\n{render_table(_LARGEST, shown, width)}")
    if inventory.warnings:
        parts.append(warning_lines(inventory.warnings, width))
    return "\n".join(parts)


def _total_row(total: KindTotal) -> tuple[str, ...]:
    title = TITLE_OF[total.kind]
    if not total.is_known:
        return title, "unknown", "unknown", "unknown", "unknown", "unknown", "unknown"
    counts = str(total.count), str(total.in_use), str(total.count - total.in_use)
    if total.kind == "network":
        return title, *counts, "", "", ""
    return title, *counts, *map(format_interval, (total.size, total.reclaimable, total.unused))
