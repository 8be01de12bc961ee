"""The table of a scan: per kind what is unused, or all, with a line of totals."""

from collections.abc import Mapping, Sequence
from typing import Literal

from dockersweep.model.inventory import KINDS, Inventory, Kind
from dockersweep.model.plan import Interval
from dockersweep.model.storage import Storage
from dockersweep.model.use import Use
from dockersweep.report.headline import TITLE_OF, base_sentence, engine_line, fold, format_interval, warning_lines
from dockersweep.report.table import Column, render_table
from dockersweep.units import format_duration, format_size

SortKey = Literal["size", "age", "name"]

_COLUMNS = (
    Column("NAME", shortens=True),
    Column("SIZE", right=True),
    Column("AGE"),
    Column("SINCE"),
    Column("STATE", wraps=True),
)


def scan_table(
    inventory: Inventory,
    uses: Sequence[Use],
    gives_back: Mapping[Kind, Interval],
    kinds: Sequence[Kind],
    sort: SortKey,
    show_all: bool,
    header: bool,
    width: int | None,
) -> str:
    """Return the sections of the kinds that are asked for; without `header` just rows, each with its kind.

    `gives_back` is what all that is unused of a kind would give back.
    """
    shown = {
        kind: _sorted([use for use in uses if use.kind == kind and (show_all or not use.in_use)], sort)
        for kind in kinds
    }
    if not header:
        rows = [(kind, *_row(use)) for kind in kinds for use in shown[kind]]
        return render_table((Column("KIND"), *_COLUMNS), rows, width, header=False) if rows else ""
    parts = [engine_line(inventory.engine, inventory.taken_at, width)]
    for kind in kinds:
        of_kind = [use for use in uses if use.kind == kind]
        if not _was_read(inventory, kind):
            parts.append(f"{TITLE_OF[kind]}: not read\n")
        else:
            parts.append(_section(kind, of_kind, shown[kind], gives_back.get(kind), show_all, width))
    storage = inventory.storage or Storage(base="lengths")
    parts.append(fold(base_sentence(storage.base, storage.not_from_disk), width))
    if inventory.warnings:
        parts.append(warning_lines(inventory.warnings, width))
    return "\n".join(parts)


def _was_read(inventory: Inventory, kind: Kind) -> bool:
    return kind != "build-cache" or inventory.build_cache is not None


def _section(
    kind: Kind, of_kind: list[Use], shown: list[Use], gives: Interval | None, show_all: bool, width: int | None
) -> str:
    unused = sum(not use.in_use for use in of_kind)
    total = f"{TITLE_OF[kind]}: {_unused(kind, unused, len(of_kind))}"
    if unused and kind != "network" and gives is not None:
        total += f", would give back {format_interval(gives)}"
    table = render_table(_COLUMNS, [_row(use, mark_used=show_all) for use in shown], width) if shown else ""
    return f"{total}\n{table}"


def _unused(kind: Kind, unused: int, count: int) -> str:
    word = "stopped" if kind == "container" else "unused"
    return f"{unused} of {count} {word}" if count else "none"


def _row(use: Use, mark_used: bool = False) -> tuple[str, ...]:
    state = f"* {use.why}" if mark_used and use.in_use else use.why
    return use.name, _size(use), _age(use), use.age_source or "", state


def _size(use: Use) -> str:
    return "" if use.kind == "network" else format_size(use.size_bytes)


def _age(use: Use) -> str:
    return "unknown" if use.age_seconds is None else format_duration(use.age_seconds)


def _sorted(uses: list[Use], sort: SortKey) -> list[Use]:
    """Largest and oldest first; what is not known comes last."""
    by_name = sorted(uses, key=lambda use: (use.name, use.id))
    if sort == "size":
        return sorted(by_name, key=lambda use: -1 if use.size_bytes is None else use.size_bytes, reverse=True)
    if sort == "age":
        unknown = float("-inf")
        return sorted(by_name, key=lambda use: unknown if use.age_seconds is None else use.age_seconds, reverse=True)
    return by_name


def all_kinds(kinds: Sequence[Kind]) -> tuple[Kind, ...]:
    """Return the kinds in the order of tables; all of them where none is named."""
    return tuple(kind for kind in KINDS if kind in kinds) or KINDS
