"""The disk report: per kind what is there, used and reclaimable, and the largest consumers."""

from collections.abc import Sequence

from dockersweep.model.inventory import KINDS, Inventory, Kind
from dockersweep.model.plan import Interval, Plan, add_up
from dockersweep.model.use import Use
from dockersweep.report.headline import TITLE_OF, engine_line, fold, format_interval, warning_lines
from dockersweep.report.table import Column, render_table
from dockersweep.units import format_size

LARGEST = 10
_TOTALS = (
    Column("KIND"),
    Column("COUNT", right=True),
    Column("IN USE", right=True),
    Column("UNUSED", right=True),
    Column("SIZE", right=True),
    Column("RECLAIMABLE", right=True),
)
_LARGEST = (
    Column("SIZE", right=True),
    Column("KIND"),
    Column("NAME", shortens=True),
    Column("STATE", wraps=True),
)


def disk_table(inventory: Inventory, plan: Plan, uses: Sequence[Use], width: int | None) -> str:
    """Return the report; "reclaimable" is what the plan gives back."""
    rows = [_total_row(inventory, plan, uses, kind) for kind in KINDS]
    parts = [
        engine_line(inventory.engine, inventory.taken_at, width),
        render_table(_TOTALS, rows, width),
        fold(f"Reclaimable is what {plan.policy.source} would remove: {format_interval(plan.reclaim)}.", width),
    ]
    largest = sorted((use for use in uses if use.size_bytes), key=lambda use: (-(use.size_bytes or 0), use.name))
    if largest:
        shown = [(format_size(use.size_bytes), use.kind, use.name, use.why) for use in largest[:LARGEST]]
        parts.append(f"Largest consumers\n{render_table(_LARGEST, shown, width)}")
    if inventory.warnings:
        parts.append(warning_lines(inventory.warnings, width))
    return "\n".join(parts)


def _total_row(inventory: Inventory, plan: Plan, uses: Sequence[Use], kind: Kind) -> tuple[str, ...]:
    if kind == "build-cache" and inventory.build_cache is None:
        return TITLE_OF[kind], "unknown", "unknown", "unknown", "unknown", "unknown"
    of_kind = [use for use in uses if use.kind == kind]
    used = sum(use.in_use for use in of_kind)
    counts = str(len(of_kind)), str(used), str(len(of_kind) - used)
    if kind == "network":
        return TITLE_OF[kind], *counts, "", ""
    reclaim = add_up(removal.reclaim for removal in plan.removals if removal.kind == kind)
    return TITLE_OF[kind], *counts, _size(inventory, of_kind, kind), format_interval(reclaim)


def _size(inventory: Inventory, of_kind: list[Use], kind: Kind) -> str:
    if kind == "image" and inventory.layers_bytes is not None:
        return format_size(inventory.layers_bytes)
    unknown = any(use.size_bytes is None for use in of_kind)
    total = sum(use.size_bytes or 0 for use in of_kind)
    if kind in ("image", "build-cache") and not unknown:
        # Layers that several share are in each of their sizes.
        return format_interval(Interval(low_bytes=0, high_bytes=total))
    return format_interval(Interval(low_bytes=total, high_bytes=None if unknown else total))
