"""What a plan removes, for people: grouped by reason, the largest first, small ones folded into a line."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.plan import NOTHING, Decision, Interval, Plan, Removal
from dockersweep.model.reason import Beyond, Reason
from dockersweep.report.headline import NOUN_OF, going_counts
from dockersweep.report.layout import Column, Section
from dockersweep.units import format_size
from dockersweep.words.alike import alike, text_of_alike, together
from dockersweep.words.amounts import amount_words, format_interval, held_words, plural
from dockersweep.words.lists import first_of, natural_key, naturally
from dockersweep.words.reasons import ANY_AGE, ANY_AGE_OF_SEVERAL, is_unasked_age, with_unasked_ages

MOST_ROWS = 5
"""The most objects of a group with a row of their own."""
MOST_NAMES = 5
"""The most names in a list of objects or tags that free nothing."""
_INDENT = 2
_UNKNOWN = "an unknown amount"
_TOTALS = (Column("TO REMOVE"), Column("COUNT", right=True), Column("FREES", right=True))
_ROWS = (Column("FREES", right=True), Column("NAME", shortens=True), Column("", is_note=True))


class Row(Struct, frozen=True):
    """One object to remove, with the tags to remove before it."""

    decision: Decision
    removal: Removal
    tags: Sequence[str] = ()

    @property
    def reasons(self) -> list[Reason]:
        """Why it is removed. For build-cache records, the removed records that depended on them are left out: their ids
        tell people nothing."""
        hidden = ("only-here", "released") if self.decision.kind == "build-cache" else ("only-here",)
        return [reason for reason in self.decision.reasons if reason.code not in hidden]

    @property
    def is_only_here(self) -> bool:
        """Whether it exists only here, which is no reason, but people have to know."""
        return any(reason.code == "only-here" for reason in self.decision.reasons)

    @property
    def frees_bytes(self) -> int:
        """What it frees, in bytes, as far as that is known."""
        return self.removal.reclaim.low_bytes or self.removal.reclaim.high_bytes or 0

    @property
    def has_own_row(self) -> bool:
        """Whether it may have a row of its own: it frees something, or has a note on why it does not."""
        return self.frees_bytes > 0 or self.removal.layers_held is not None


def going_rows(plan: Plan) -> dict[Kind, list[Row]]:
    """Return the rows of each kind that has removals, the largest first."""
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
    return -row.frees_bytes, not row.has_own_row, natural_key(row.decision.name), row.decision.id


def group_sections(plan: Plan) -> Iterator[Section]:
    """Yield a section for each kind and reason, the largest of a kind first."""
    for kind, of_kind in going_rows(plan).items():
        for rows in alike_rows(of_kind):
            yield _section(kind, rows)


def alike_rows(of_kind: Iterable[Row]) -> list[list[Row]]:
    """Return the rows of a kind in groups of equal reasons, those that free the most first."""
    groups: defaultdict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in of_kind:
        groups[row.is_only_here, *_key(row.reasons)].append(row)
    return sorted(groups.values(), key=lambda rows: -sum(row.frees_bytes for row in rows))


def _key(reasons: Sequence[Reason]) -> Iterable[object]:
    """Return what objects of one group have in common. An age that no rule asks for does not part them where it is not
    shown, behind the place in a count."""
    counting = {reason.rule for reason in reasons if isinstance(reason.about, Beyond)}
    return dict.fromkeys(
        ANY_AGE if reason.rule in counting and is_unasked_age(reason) else alike(reason) for reason in reasons
    )


def group_title(kind: Kind, rows: Sequence[Row]) -> str:
    """Return the count of a group and its reasons: "2 containers: stopped 30 days ago (limit 24 hours)"."""
    return f"{_what(kind, rows)}: {_why(row.reasons for row in rows)}"


def _section(kind: Kind, rows: Sequence[Row]) -> Section:
    """Return the section of one group. If it has a single row, only that says what it frees."""
    freeing = "" if len(rows) == 1 else _freeing(kind, rows)
    title = f"{_what(kind, rows)}{freeing}: {_why(row.reasons for row in rows)}"
    large = [row for row in rows if row.has_own_row]
    if not large:
        names = naturally(row.decision.name for row in rows)
        return Section(title, (first_of(names, MOST_NAMES),), indent=_INDENT)
    shown = large if len(large) == len(rows) <= MOST_ROWS + 1 else large[:MOST_ROWS]
    cells = [*map(_cells, shown), *_rest(rows[len(shown) :])]
    return Section(title, columns=_ROWS, rows=cells, header=False, indent=_INDENT)


def _what(kind: Kind, rows: Sequence[Row]) -> str:
    """Return the count of a group, and whether its images exist only here."""
    counted = plural(len(rows), NOUN_OF[kind])
    return f"{counted} that exist{'s' if len(rows) == 1 else ''} only here" if rows[0].is_only_here else counted


def _why(of_each: Iterable[Iterable[Reason]]) -> str:
    """Return the reasons of several objects, equal ones merged."""
    each = list(of_each)
    any_age = ANY_AGE if len(each) == 1 else ANY_AGE_OF_SEVERAL
    texts = []
    for reasons, age in with_unasked_ages(together(chain.from_iterable(each))):
        text = text_of_alike(reasons)
        if is_unasked_age(reasons[0]):
            text = f"{any_age} ({text})"
        texts.append(text if age is None else f"{text}, {any_age}")
    return "; ".join(texts)


def _freeing(kind: Kind, rows: Iterable[Row]) -> str:
    return "" if kind == "network" else f", freeing {amount_words(_sum(rows), _UNKNOWN)}"


def _sum(rows: Iterable[Row]) -> Interval:
    return sum((row.removal.reclaim for row in rows), NOTHING)


def _cells(row: Row) -> tuple[str, str, str]:
    return format_interval(row.removal.reclaim), row.decision.name, row_note(row)


def row_note(row: Row) -> str:
    """Return the note of an object: its other tags, and its size if it does not free all of it. The tags come first, as
    the end of a note is dropped where it has no room."""
    frees, size = row.removal.reclaim, row.decision.size_bytes
    frees_all = row.decision.kind == "network" or size in (frees.low_bytes, frees.high_bytes)
    notes = [] if frees_all else [f"size {format_size(size)}"]
    held = row.removal.layers_held
    notes = [f"{notes[0]}, {held_words(held, others_go=True)}"] if notes and held is not None else notes
    tags = [f"also tagged {first_of(row.tags, MOST_NAMES)}"] if row.tags else []
    return "; ".join(tags + notes)


def _rest(rows: Sequence[Row]) -> Iterator[tuple[str, str, str]]:
    if rows:
        yield format_interval(_sum(rows)), f"and {len(rows)} more", ""


def untagged_groups(plan: Plan) -> Iterator[Section]:
    """Yield a section for each reason with the tags to remove whose images stay."""
    groups: defaultdict[tuple[object, ...], dict[str, list[Reason]]] = defaultdict(dict)
    for decision in plan.decisions:
        for tag in decision.untag:
            own = (reason for reason in decision.reasons if reason.code == "tag-goes" and reason.tag == tag)
            reasons = [replace(reason, tag=None) for reason in own]
            groups[tuple(_key(reasons))][tag] = reasons
    for tags in groups.values():
        goes = "1 tag goes, its image stays" if len(tags) == 1 else f"{len(tags)} tags go, their images stay"
        title = f"{goes} (frees 0 B): {_why(tags.values())}"
        yield Section(title, (first_of(naturally(tags), MOST_NAMES),), indent=_INDENT)


def totals(plan: Plan) -> Section:
    """Return the count of removals of each kind and what they free, for the end of a plan."""
    counts, tags = going_counts(plan)
    rows = [(PLURAL_OF[kind], str(counts[kind]), freed_of_kind(plan, kind)) for kind in KINDS if counts[kind]]
    if tags:
        rows.append(("tags of images that stay", str(tags), ""))
    if len(rows) > 1:
        rows.append(("total", str(counts.total() + tags), format_interval(plan.reclaim)))
    return Section(columns=_TOTALS, rows=rows)


def freed_of_kind(plan: Plan, kind: Kind) -> str:
    """Return what the removals of a kind free together; empty where it takes no space or is not known."""
    freed = plan.reclaim_of_kinds.get(kind)
    return "" if kind == "network" or freed is None else format_interval(freed)
