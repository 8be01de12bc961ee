"""Every object of a plan in its own row with all its reasons: what `--verbose` shows."""

from collections.abc import Iterator

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.plan import Decision, Plan
from dockersweep.report.headline import TITLE_OF
from dockersweep.report.layout import Column, Section
from dockersweep.report.plan_groups import Row, freed_of_kind, going_rows
from dockersweep.units import format_size
from dockersweep.words.amounts import format_interval, layers_text
from dockersweep.words.lists import natural_key
from dockersweep.words.reasons import joined, sentences
from dockersweep.words.recovery import short_way_back

_GOING = (
    Column("NAME", shortens=True),
    Column("SIZE", right=True),
    Column("FREES", right=True),
    Column("WHY", wraps=True),
)
_UNTAGGED = (Column("TAG", shortens=True), Column("OF IMAGE", shortens=True), Column("WHY", wraps=True))
_KEPT = (Column("NAME", shortens=True), Column("SIZE", right=True), Column("WHY", wraps=True))


def going_sections(plan: Plan) -> Iterator[Section]:
    """Yield a table of what is removed for each kind."""
    for kind, rows in going_rows(plan).items():
        freed = freed_of_kind(plan, kind)
        title = f"{TITLE_OF[kind]} to remove: {len(rows)}{f', freeing {freed}' if freed else ''}"
        yield Section(title, columns=_GOING, rows=[_going_cells(kind, row) for row in rows])


def _going_cells(kind: Kind, row: Row) -> tuple[str, ...]:
    why = joined(row.reasons)
    if row.tags:
        why += f"; also tagged {', '.join(row.tags)}"
    if row.is_only_here:
        why += "; exists only here"
    if row.removal.layers_held is not None:
        why += f"; {layers_text(row.removal.layers_held, kind, others_go=True)}"
    if row.removal.recovery is not None:
        why += f"; {short_way_back(row.removal.recovery)}"
    name = row.decision.name
    if kind == "network":
        return name, "", "", why
    return name, format_size(row.decision.size_bytes), format_interval(row.removal.reclaim), why


def untagged_section(plan: Plan) -> Iterator[Section]:
    """Yield the images that stay and lose tags."""
    rows = [
        (tag, decision.name if decision.name != tag else "", _why_tag_goes(decision, tag))
        for decision in plan.decisions
        for tag in decision.untag
    ]
    if rows:
        yield Section(f"Tags to remove while their images stay: {len(rows)}, freeing 0 B", columns=_UNTAGGED, rows=rows)


def _why_tag_goes(decision: Decision, tag: str) -> str:
    of_tag = (reason for reason in decision.reasons if reason.code == "tag-goes" and reason.tag == tag)
    return "; ".join(dict.fromkeys(sentences(of_tag)))


def kept_sections(plan: Plan) -> Iterator[Section]:
    """Yield a table of what is kept for each kind."""
    for kind in KINDS:
        kept = [decision for decision in plan.decisions if decision.kind == kind and decision.verdict == "keep"]
        if kept:
            kept.sort(key=lambda decision: (natural_key(decision.name), decision.id))
            rows = [_kept_row(decision) for decision in kept]
            yield Section(f"{TITLE_OF[kind]} to keep: {len(kept)}", columns=_KEPT, rows=rows)


def _kept_row(decision: Decision) -> tuple[str, ...]:
    size = "" if decision.kind == "network" else format_size(decision.size_bytes)
    return decision.name, size, joined(decision.reasons)
