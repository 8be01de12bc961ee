"""What a plan removes, for people: equal reasons said once, the largest first, and what is small folded into a line."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.plan import NOTHING, Decision, Interval, Plan, Removal
from dockersweep.model.reason import Reason
from dockersweep.report.headline import NOUN_OF, going_counts
from dockersweep.report.layout import Column, Section
from dockersweep.units import format_size
from dockersweep.words.alike import alike, text_of_alike, together
from dockersweep.words.amounts import amount_words, format_interval, held_words, plural
from dockersweep.words.lists import first_of, natural_key, naturally

MOST_ROWS = 5
"""So many of a group have a row of their own."""
MOST_NAMES = 5
"""So many are named that free nothing."""
_INDENT = 2
_UNKNOWN = "an unknown amount"
_TOTALS = (Column("TO REMOVE"), Column("COUNT", right=True), Column("FREES", right=True))
_ROWS = (Column("FREES", right=True), Column("NAME", shortens=True), Column("", shortens=True))


class Row(Struct, frozen=True):
    """One object that goes, with the tags that go before it."""

    decision: Decision
    removal: Removal
    tags: Sequence[str] = ()

    @property
    def reasons(self) -> list[Reason]:
        """Why it goes. A record says nothing to people by the id of the record that depends on it."""
        untold = ("only-here", "released") if self.decision.kind == "build-cache" else ("only-here",)
        return [one for one in self.decision.reasons if one.code not in untold]

    @property
    def frees_bytes(self) -> int:
        """What it frees, as far as that is known."""
        return self.removal.reclaim.low_bytes or self.removal.reclaim.high_bytes or 0

    @property
    def is_told(self) -> bool:
        """Whether it may have a row of its own: it frees something, or it is to be said why it does not."""
        return self.frees_bytes > 0 or self.removal.layers_held is not None


def going_rows(plan: Plan) -> dict[Kind, list[Row]]:
    """Return what goes of each kind of which anything does, the largest first."""
    removals: dict[tuple[Kind, str], Removal] = {}
    tags: defaultdict[tuple[Kind, str], list[str]] = defaultdict(list)
    for step in plan.removals:
        if step.action == "remove":
            removals[step.kind, step.id] = step
        else:
            tags[step.kind, step.id].append(step.name)
    rows: dict[Kind, list[Row]] = {kind: [] for kind in KINDS}
    for decision in plan.decisions:
        key = decision.kind, decision.id
        if key in removals:
            rows[decision.kind].append(Row(decision, removals[key], naturally(tags.get(key, ()))))
    for of_kind in rows.values():
        of_kind.sort(key=_place)
    return {kind: of_kind for kind, of_kind in rows.items() if of_kind}


def _place(row: Row) -> tuple[object, ...]:
    return -row.frees_bytes, not row.is_told, natural_key(row.decision.name), row.decision.id


def group_sections(plan: Plan) -> Iterator[Section]:
    """Yield a section for each kind and reason, within a kind the largest first."""
    for kind, of_kind in going_rows(plan).items():
        groups: defaultdict[tuple[object, ...], list[Row]] = defaultdict(list)
        for row in of_kind:
            groups[tuple(dict.fromkeys(map(alike, row.reasons)))].append(row)
        for rows in sorted(groups.values(), key=lambda rows: -sum(row.frees_bytes for row in rows)):
            yield _section(kind, rows)


def _section(kind: Kind, rows: Sequence[Row]) -> Section:
    """Return what goes for one reason; what is alone tells in its row what it frees."""
    freeing = "" if len(rows) == 1 else _freeing(kind, rows)
    title = f"{_what(kind, rows)}, {_why(row.reasons for row in rows)}{freeing}"
    large = [row for row in rows if row.is_told]
    if not large:
        names = naturally(row.decision.name for row in rows)
        return Section(title, (first_of(names, MOST_NAMES),), indent=_INDENT)
    shown = large if len(large) == len(rows) <= MOST_ROWS + 1 else large[:MOST_ROWS]
    cells = [*map(_cells, shown), *_rest(rows[len(shown) :])]
    return Section(title, columns=_ROWS, rows=cells, header=False, indent=_INDENT)


def _what(kind: Kind, rows: Sequence[Row]) -> str:
    """Return how many go; that they exist only here is no reason, but what people have to know of them."""
    counted = plural(len(rows), NOUN_OF[kind])
    is_only_here = any(one.code == "only-here" for one in rows[0].decision.reasons)
    return f"{counted} that exist{'s' if len(rows) == 1 else ''} only here" if is_only_here else counted


def _why(of_each: Iterable[Iterable[Reason]]) -> str:
    """Return the reasons of several objects, those that are alike said once."""
    return "; ".join(map(text_of_alike, together(chain.from_iterable(of_each))))


def _freeing(kind: Kind, rows: Iterable[Row]) -> str:
    return "" if kind == "network" else f", freeing {amount_words(_sum(rows), _UNKNOWN)}"


def _sum(rows: Iterable[Row]) -> Interval:
    return sum((row.removal.reclaim for row in rows), NOTHING)


def _cells(row: Row) -> tuple[str, str, str]:
    return format_interval(row.removal.reclaim), row.decision.name, _note(row)


def _note(row: Row) -> str:
    """Return what else has to be known of an object: its size where that is not what it frees, and its other tags."""
    frees, size = row.removal.reclaim, row.decision.size_bytes
    is_told = row.decision.kind == "network" or size in (frees.low_bytes, frees.high_bytes)
    notes = [] if is_told else [f"size {format_size(size)}"]
    held = row.removal.layers_held
    notes = [f"{notes[0]}, {held_words(held)}"] if notes and held is not None else notes
    notes += [f"also tagged {first_of(row.tags, MOST_NAMES)}"] if row.tags else []
    return "; ".join(notes)


def _rest(rows: Sequence[Row]) -> Iterator[tuple[str, str, str]]:
    if rows:
        yield format_interval(_sum(rows)), f"and {len(rows)} more", ""


def untagged_groups(plan: Plan) -> Iterator[Section]:
    """Yield the tags that go while their images stay, for each reason."""
    groups: defaultdict[tuple[object, ...], dict[str, list[Reason]]] = defaultdict(dict)
    for decision in plan.decisions:
        for tag in decision.untag:
            own = (one for one in decision.reasons if one.code == "tag-goes" and one.tag == tag)
            reasons = [replace(one, tag=None) for one in own]
            groups[tuple(dict.fromkeys(map(alike, reasons)))][tag] = reasons
    for tags in groups.values():
        goes = "1 tag goes, its image stays" if len(tags) == 1 else f"{len(tags)} tags go, their images stay"
        title = f"{goes} (frees 0 B), {_why(tags.values())}"
        yield Section(title, (first_of(naturally(tags), MOST_NAMES),), indent=_INDENT)


def totals(plan: Plan) -> Section:
    """Return how many of each kind go and what that frees, for the end of a plan."""
    counts, tags = going_counts(plan)
    rows = [(PLURAL_OF[kind], str(counts[kind]), freed_of_kind(plan, kind)) for kind in KINDS if counts[kind]]
    if tags:
        rows.append(("tags of images that stay", str(tags), ""))
    if len(rows) > 1:
        rows.append(("total", str(counts.total() + tags), format_interval(plan.reclaim)))
    return Section(columns=_TOTALS, rows=rows)


def freed_of_kind(plan: Plan, kind: Kind) -> str:
    """Return what all that goes of a kind frees; empty where it takes no space, or that is not known."""
    freed = plan.reclaim_of_kinds.get(kind)
    return "" if kind == "network" or freed is None else format_interval(freed)
