"""A scan: for each kind the unused objects, or all of them, and the totals at the end."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from dockersweep.model.inventory import KINDS, Inventory, Kind
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.plan import NOTHING, Interval
from dockersweep.model.storage import Storage
from dockersweep.model.use import Use
from dockersweep.report.headline import (
    TITLE_OF,
    base_sentence,
    engine_sentence,
    engine_words,
    unused_sentence,
    warning_sentences,
)
from dockersweep.report.layout import Cell, Column, Layout, Section, rows_of, truth
from dockersweep.units import format_duration, format_size
from dockersweep.words.amounts import format_interval
from dockersweep.words.lists import natural_key

SortKey = Literal["size", "age", "name"]

_COLUMNS = (
    Column("NAME", shortens=True),
    Column("SIZE", right=True),
    Column("AGE"),
    Column("SINCE"),
    Column("STATE", wraps=True),
)
_TOTALS = (Column("KIND"), Column("UNUSED", right=True), Column("ALL", right=True), Column("WOULD FREE", right=True))
_UNKNOWN = Interval(low_bytes=0, high_bytes=None)
_CELLS: dict[str, Callable[[Use], Cell]] = {
    "kind": lambda use: use.kind,
    "id": lambda use: use.id,
    "name": lambda use: use.name,
    "in_use": lambda use: truth(use.in_use),
    "state": lambda use: use.why,
    "size_bytes": lambda use: use.size_bytes,
    "age_seconds": lambda use: use.age_seconds,
    "age_source": lambda use: use.age_source,
}


class Shown(Struct, frozen=True):
    """What to show of a scan, and how."""

    inventory: Inventory
    uses: Sequence[Use]
    """All selected objects, used and unused."""
    freed: Mapping[Kind, Interval]
    """What all unused objects of a kind would free."""
    kinds: Sequence[Kind]
    sort: SortKey
    with_used: bool
    most: int | None
    """The most rows of a kind; None for all, 0 for totals only. A single row more than that is shown too."""

    def of(self, kind: Kind) -> list[Use]:
        """Return the listed objects of a kind, sorted."""
        return _sorted([use for use in self.uses if use.kind == kind and (self.with_used or not use.in_use)], self.sort)


def scan_layout(shown: Shown, header: bool) -> Layout:
    """Return a section for each requested kind; without `header` only rows, each with its kind."""
    title = f"What lies on {engine_words(shown.inventory.engine)}"
    listed = (use for kind in shown.kinds for use in shown.of(kind))
    return Layout(title, _sections(shown) if header else _rows_alone(shown), rows_of(listed, _CELLS, header))


def _rows_alone(shown: Shown) -> Iterator[Section]:
    rows = [(kind, *_row(use)) for kind in shown.kinds for use in shown.of(kind)]
    yield Section(columns=(Column("KIND"), *_COLUMNS), rows=rows, header=False)


def _sections(shown: Shown) -> Iterator[Section]:
    inventory = shown.inventory
    yield Section(sentences=(engine_sentence(inventory.engine, inventory.taken_at),))
    if shown.most != 0:
        yield from (_section(shown, kind) for kind in shown.kinds)
    storage = inventory.storage or Storage(base="lengths")
    yield Section(sentences=(*_what_is_unused(shown), base_sentence(storage.base, storage.not_from_disk)))
    yield Section(sentences=warning_sentences(inventory.warnings))
    if len(shown.kinds) > 1 or shown.most == 0:
        yield _totals(shown)


def _what_is_unused(shown: Shown) -> Iterator[str]:
    # Containers themselves say "stopped".
    if any(kind != "container" for kind in shown.kinds):
        yield unused_sentence(any(use.kind == "container" and not use.in_use for use in shown.uses))


def _was_read(inventory: Inventory, kind: Kind) -> bool:
    return kind != "build-cache" or inventory.build_cache is not None


def _totals(shown: Shown) -> Section:
    """Return the totals of each kind, which come last: that is where people look."""
    counts = Counter((use.kind, use.in_use) for use in shown.uses)
    rows, unused, freed = [], 0, NOTHING
    for kind in shown.kinds:
        if not _was_read(shown.inventory, kind):
            rows.append((PLURAL_OF[kind], "not read", "", ""))
            continue
        of_kind = counts[kind, False]
        # No objects free nothing, even where sizes are unknown.
        frees = shown.freed.get(kind, _UNKNOWN) if of_kind else NOTHING
        size = "" if kind == "network" else format_interval(frees)
        rows.append((PLURAL_OF[kind], str(of_kind), str(of_kind + counts[kind, True]), size))
        unused, freed = unused + of_kind, freed + frees
    if len(rows) > 1:
        rows.append(("total", str(unused), str(counts.total()), format_interval(freed)))
    return Section(columns=_TOTALS, rows=rows)


def _section(shown: Shown, kind: Kind) -> Section:
    if not _was_read(shown.inventory, kind):
        return Section(f"{TITLE_OF[kind]}: not read")
    of_kind = [use for use in shown.uses if use.kind == kind]
    unused = sum(not use.in_use for use in of_kind)
    total = f"{TITLE_OF[kind]}: {_unused(kind, unused, len(of_kind))}"
    frees = shown.freed.get(kind)
    if unused and kind != "network" and frees is not None:
        total += f", would free {format_interval(frees)}"
    listed = shown.of(kind)
    most = len(listed) if shown.most is None or len(listed) <= shown.most + 1 else shown.most
    rows = [_row(use, mark_used=shown.with_used) for use in listed[:most]]
    return Section(total, columns=_COLUMNS, rows=rows + _rest(listed[most:]))


def _rest(uses: Sequence[Use]) -> list[tuple[str, ...]]:
    """Return the line that sums up the rows that are not shown."""
    if not uses:
        return []
    sizes = [use.size_bytes for use in uses if use.size_bytes is not None]
    least = "" if len(sizes) == len(uses) else "at least "
    size = f"{least}{format_size(sum(sizes))}" if sizes else ""
    return [(f"and {len(uses)} more (--verbose lists them)", size, "", "", "")]


def _unused(kind: Kind, unused: int, count: int) -> str:
    word = "stopped" if kind == "container" else "unused"
    return f"{unused} of {count} {word}" if count else "none"


def _row(use: Use, mark_used: bool = False) -> tuple[str, ...]:
    state = f"* {use.why}" if mark_used and use.in_use else use.why
    return use.name, _size(use), _age(use), use.since or "", state


def _size(use: Use) -> str:
    return "" if use.kind == "network" else format_size(use.size_bytes)


def _age(use: Use) -> str:
    if use.kind == "container" and use.in_use and use.age_seconds is None:
        return "in use"
    return "unknown" if use.age_seconds is None else format_duration(use.age_seconds)


def _sorted(uses: list[Use], sort: SortKey) -> list[Use]:
    """Sort the largest or oldest first, unknown ones last."""
    by_name = sorted(uses, key=lambda use: (natural_key(use.name), use.id))
    if sort == "size":
        return sorted(by_name, key=lambda use: -1 if use.size_bytes is None else use.size_bytes, reverse=True)
    if sort == "age":
        unknown = float("-inf")
        return sorted(by_name, key=lambda use: unknown if use.age_seconds is None else use.age_seconds, reverse=True)
    return by_name


def all_kinds(kinds: Sequence[Kind]) -> tuple[Kind, ...]:
    """Return the kinds in the order of tables; all of them if none is named."""
    return tuple(kind for kind in KINDS if kind in kinds) or KINDS
