"""Which bytes removals free: references are counted as the engine does, and a part is freed with its last one.

Removing an object takes one reference from its own part. A part without references is freed, and its references to
other parts go with it. This is computed twice, with what is certainly needed and with what may be needed as well; what
is freed lies between the two.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby

from msgspec import Struct

from dockersweep.model.inventory import Kind, ObjectRef
from dockersweep.model.plan import NOTHING, Interval, exactly
from dockersweep.policy.bytes.layer_graph import CountedWith, LayerGraph
from dockersweep.policy.bytes.reference_counts import ReferenceCounts, Removals

_Places = Mapping[int, int]
"""Node -> index of a removal."""
_MAY_HOLD = (
    ("build-cache", "build-cache record", "build-cache records"),
    ("image", "image of unknown layers", "images of unknown layers"),
    ("container", "container of a removed image", "containers of removed images"),
)


class Freed(Struct, frozen=True):
    """What removals free together, whatever their order within a kind."""

    of_kinds: dict[Kind, Interval]
    """Kind -> what its removals add to those of the kinds before it; empty where the kinds are mixed."""
    total: Interval


class FreedByRow(Struct, frozen=True):
    """What removals free together, by the row that each part is counted in."""

    of_rows: dict[CountedWith | None, Interval]
    """Row -> what is freed; rows that free nothing are missing. The key None is for parts counted in no row."""
    total: Interval
    nodes: Collection[int]
    """The nodes that are freed, or may be."""


class Prediction(Freed, frozen=True):
    """What removals free, one by one in the given order."""

    rows: tuple[Interval, ...]
    """What each removal adds to those before it. If all are exact, they add up to the total."""
    nodes: Sequence[int | None]
    """The nodes of the removals; None for those that the inventory does not have."""
    graph: LayerGraph
    freed: _Places
    """Node -> index of the earliest removal that can free it."""

    @property
    def parts(self) -> dict[str, int]:
        """Part id -> index of the earliest removal that can free it."""
        return {self.graph.parts[node].id: place for node, place in self.freed.items()}


class Reclaim:
    """Predicts what removals from one inventory free, in time linear in parts and references."""

    def __init__(self, graph: LayerGraph) -> None:
        self._graph = graph
        self._may_hold = Counter(self._kind_of(node) for node in self._graph.maybe)
        self._certain = ReferenceCounts(self._graph, {})
        # Sizes on disk mostly leave nothing uncertain: then both are the same.
        self._possible = ReferenceCounts(self._graph, self._graph.maybe) if self._graph.maybe else self._certain

    def in_order(self, removals: Sequence[ObjectRef]) -> Prediction:
        """Return what these removals free, one after the other and together.

        Objects that the inventory does not have free nothing.
        """
        return self._in_order([ref.kind for ref in removals], self._graph.nodes_of(removals))

    def of_places(self, kinds: Sequence[Kind], places: Iterable[int]) -> Prediction:
        """Return the same for removals given by the places of the objects among their kinds."""
        nodes = self._graph.nodes
        return self._in_order(kinds, [nodes[kind][place] for kind, place in zip(kinds, places, strict=True)])

    def _in_order(self, kinds: Sequence[Kind], nodes: Sequence[int | None]) -> Prediction:
        soonest, latest = self._freed_at(nodes)
        rows = _Rows(self._graph, self._holding(nodes), [self._most(node) for node in nodes])
        rows.count(soonest, latest, range(len(nodes)))
        freed = self._freed(kinds, nodes, soonest, latest)
        return Prediction(
            of_kinds=freed.of_kinds,
            total=freed.total,
            rows=tuple(rows.intervals()),
            nodes=nodes,
            graph=self._graph,
            freed=soonest,
        )

    def together(self, removals: Sequence[ObjectRef]) -> Freed:
        """Return what these removals free together, as `in_order` does, without a row for each."""
        nodes = self._graph.nodes_of(removals)
        return self._freed([ref.kind for ref in removals], nodes, *self._freed_at(nodes))

    def by_row(self, removals: Sequence[ObjectRef], row_of: Sequence[CountedWith | None]) -> FreedByRow:
        """Return what these removals free together, by the row that each node is counted in."""
        nodes = self._graph.nodes_of(removals)
        soonest, latest = self._freed_at(nodes)
        uncertain = [node for node in soonest if node not in latest]
        of_rows: defaultdict[CountedWith | None, list[int]] = defaultdict(list)
        for node in soonest:
            of_rows[row_of[node]].append(node)
        why = self._why_held(uncertain, nodes)
        return FreedByRow(
            of_rows={
                row: self._interval([node for node in freed if node in latest], freed, why)
                for row, freed in of_rows.items()
            },
            total=self._interval(latest, soonest, why),
            nodes=soonest,
        )

    def _freed_at(self, nodes: Sequence[int | None]) -> tuple[_Places, _Places]:
        """Return node -> the earliest removal that can free it, and node -> the one that certainly does."""
        soonest = self._certain.freed_by(nodes)
        return soonest, soonest if self._possible is self._certain else self._possible.freed_by(nodes)

    def _freed(self, kinds: Sequence[Kind], nodes: Sequence[int | None], soonest: _Places, latest: _Places) -> Freed:
        uncertain = [node for node in soonest if node not in latest]
        return Freed(
            of_kinds=self._of_kinds(kinds, nodes, soonest, latest),
            total=self._interval(latest, soonest, self._why_held(uncertain, nodes)),
        )

    def _of_kinds(
        self, kinds: Sequence[Kind], nodes: Sequence[int | None], soonest: _Places, latest: _Places
    ) -> dict[Kind, Interval]:
        """Return kind -> what all its removals add to those of the kinds before it."""
        runs = [kind for kind, _ in groupby(kinds)]
        section_of = {kind: section for section, kind in enumerate(runs)}
        if len(section_of) < len(runs):
            return {}
        sections = [section_of[kind] for kind in kinds]
        holding = {section for section, holds in zip(sections, self._holding(nodes), strict=True) if holds}
        rows = _Rows(self._graph, [section in holding for section in range(len(runs))])
        rows.count(soonest, latest, sections)
        return dict(zip(runs, rows.intervals(), strict=True))

    def _holding(self, nodes: Sequence[int | None]) -> list[bool]:
        """Return for each node whether it may hold more than is known."""
        return [node in self._graph.maybe for node in nodes]

    def steps(self, disks: Sequence[int | None] = ()) -> "Steps":
        """Return a running prediction, without removals yet.

        `disks` has the disk of each node, if the result is needed by disk too.
        """
        return Steps(self._graph, Removals(self._certain), Removals(self._possible), disks)

    def alone(self, ref: ObjectRef) -> Interval:
        """Return what the removal of one object frees while all others stay."""
        return self.node_alone(self._graph.node_of(ref))

    def node_alone(self, node: int | None, row: Interval | None = None) -> Interval:
        """Return the same for the object of a node; `row` is what it adds to a plan, reused where it is the same."""
        if node is None or self._certain.counts[node] > 1:
            return NOTHING
        counts, possible = self._certain.counts, self._possible.counts
        low, high = self._graph.low[node], self._graph.high[node]
        if low == high and possible[node] == 1 and not self._graph.needs[node]:
            # The fast path: true of most objects.
            return row if row is not None and row.low_bytes == low == row.high_bytes else exactly(low)
        if not self._graph.needs[node] and node not in self._graph.maybe:
            if possible[node] > 1 and high:
                return Interval(low_bytes=0, high_bytes=high, reason=self._why_all_hold)
            return self._interval([node] if possible[node] == 1 else (), [node], None)
        soonest = Removals(self._certain).remove(node)
        if all(counts[part] == possible[part] for part in soonest):
            return self._interval(soonest, soonest, None)
        latest = Removals(self._possible, and_maybe=False).remove(node)
        uncertain = [part for part in soonest if part not in latest]
        return self._interval(latest, soonest, self._why_held(uncertain, [node]))

    def _interval(self, latest: Iterable[int], soonest: Iterable[int], why: str | None) -> Interval:
        low = sum([self._graph.low[node] for node in latest])
        high, unknown = _sum_known([self._graph.high[node] for node in soonest])
        return _explained(Interval(low_bytes=low, high_bytes=None if unknown else high), why, unknown)

    def _most(self, node: int | None) -> int | None:
        """Return the most that an image of unknown layers can hold: its size."""
        is_unknown = node in self._graph.maybe and self._kind_of(node) == "image"
        return self._graph.high[node] if node is not None and is_unknown else None

    def _kind_of(self, node: int | None) -> str:
        return "" if node is None else self._graph.part_id(node).partition(":")[0]

    def _why_held(self, uncertain: Sequence[int], going: Sequence[int | None]) -> str | None:
        """Return a phrase that says what may hold parts that would be freed otherwise."""
        if not any(self._graph.high[node] for node in uncertain):
            return None
        holding = [node for node in going if node in self._graph.maybe]
        return _why_held(self._may_hold - Counter(map(self._kind_of, holding))) if holding else self._why_all_hold

    @cached_property
    def _why_all_hold(self) -> str:
        return _why_held(self._may_hold)


def _why_held(staying: Counter[str]) -> str:
    counts = [(staying[kind], singular, plural) for kind, singular, plural in _MAY_HOLD if staying[kind]]
    held = [f"{count} {singular if count == 1 else plural}" for count, singular, plural in counts]
    return f"{' and '.join(held) or 'other objects'} may hold these layers"


class FreedSoFar:
    """What the removals so far free together."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._low = 0
        self._high = 0
        self._unknown = 0
        self._inodes: int | None = 0

    @property
    def low_bytes(self) -> int:
        """The least that is freed."""
        return self._low if self.high_bytes is None else min(self._low, self.high_bytes)

    @property
    def high_bytes(self) -> int | None:
        """The most that is freed; None where that is not known."""
        return None if self._unknown else self._high

    @property
    def inodes(self) -> int | None:
        """How many inodes are freed; None where not all were counted."""
        return self._inodes

    def count_high(self, size: int | None, inodes: int | None) -> None:
        """Count a part that may be freed; None is an unknown size or number."""
        self._high += size or 0
        self._unknown += size is None
        inodes = 0 if size == 0 else inodes
        self._inodes = None if inodes is None or self._inodes is None else self._inodes + inodes

    def count_low(self, size: int) -> None:
        """Count a part that is certainly freed."""
        self._low += size


class Steps(FreedSoFar):
    """What removals free together, updated with each: the total of `Reclaim.in_order` for the same removals.

    All of them together take time linear in the parts and references that they reach.
    """

    def __init__(self, graph: LayerGraph, certain: Removals, possible: Removals, disks: Sequence[int | None]) -> None:
        """Begin with nothing removed; `certain` counts only certain needs, `possible` those that may exist too."""
        super().__init__()
        self._graph = graph
        self._certain = certain
        self._possible = possible
        self._disks = disks
        self._of_disks: dict[int | None, FreedSoFar] = defaultdict(FreedSoFar)

    def on_disk(self, disk: int) -> FreedSoFar:
        """Return the same for one disk."""
        return self._of_disks[disk]

    def add(self, ref: ObjectRef) -> None:
        """Add the removal of an object, once for each; one that the inventory does not have frees nothing."""
        node = self._graph.node_of(ref)
        if node is None:
            return
        for part in self._certain.remove(node):
            for freed in self._counting(part):
                freed.count_high(self._graph.high[part], self._graph.parts[part].inodes)
        for part in self._possible.remove(node):
            for freed in self._counting(part):
                freed.count_low(self._graph.low[part])

    def _counting(self, node: int) -> tuple[FreedSoFar, ...]:
        return (self, self._of_disks[self._disks[node]]) if self._disks else (self,)


def _sum_known(sizes: Sequence[int | None]) -> tuple[int, int]:
    """Return the sum of the known sizes, and the number of unknown ones."""
    known = [size for size in sizes if size is not None]
    return sum(known), len(sizes) - len(known)


def _explained(interval: Interval, held: str | None, unknown: int) -> Interval:
    if interval.is_exact:
        return interval
    reasons = [f"{unknown} size{'s are' if unknown != 1 else ' is'} not known"] if unknown else []
    reasons += [held] if held else []
    text = "; ".join(reasons) or "the engine does not tell the size of each layer"
    return Interval(low_bytes=interval.low_bytes, high_bytes=interval.high_bytes, reason=text)


class _Rows:
    """What each row, a removal or all of a kind, adds to those before it.

    A part is freed with the last of its holders: at the soonest in one row, at the latest in another, or in any row
    between whose object may hold it.
    """

    def __init__(self, graph: LayerGraph, may_hold: Sequence[bool], most: Sequence[int | None] = ()) -> None:
        self._graph = graph
        self._may_hold = may_hold
        self._most = most
        self._low = [0] * len(may_hold)
        self._high = [0] * len(may_hold)
        self._unknown = [0] * len(may_hold)
        self._held_up = [0] * (len(may_hold) + 1)
        self._unknown_held_up = [0] * (len(may_hold) + 1)
        self._is_held_up = [False] * len(may_hold)

    def count(self, soonest: _Places, latest: _Places, row_of: Sequence[int]) -> None:
        """Count parts in the rows of the removals that free them at the soonest and at the latest; `row_of` has the row
        of each removal, and `latest` lacks parts that may stay."""
        lows, highs, low, high = self._graph.low, self._graph.high, self._low, self._high
        is_certain = latest is soonest
        for node, place in soonest.items():
            size, row = highs[node], row_of[place]
            last_place = place if is_certain else latest.get(node)
            last = None if last_place is None else row_of[last_place]
            # Most rows free one part: reuse its number.
            if size is None:
                self._unknown[row] += 1
            else:
                high[row] = high[row] + size if high[row] else size
            if last == row:
                low[row] = low[row] + lows[node] if low[row] else lows[node]
            elif size != 0:
                end = len(self._may_hold) if last is None else last + 1
                self._is_held_up[row] = True
                self._held_up[row + 1] += size or 0
                self._held_up[end] -= size or 0
                self._unknown_held_up[row + 1] += size is None
                self._unknown_held_up[end] -= size is None

    def intervals(self) -> Iterator[Interval]:
        """Yield what each row adds, in order."""
        held_up, unknown_held_up = 0, 0
        for row, may_hold in enumerate(self._may_hold):
            held_up += self._held_up[row]
            unknown_held_up += self._unknown_held_up[row]
            also = held_up if may_hold else 0
            unknown = self._unknown[row] + (unknown_held_up if may_hold else 0)
            high = None if unknown else self._high[row] + also
            most = self._most[row] if self._most else None
            if most is not None and (high is None or high > most):
                high, unknown = most, 0
            held = "other objects may hold these layers" if also or self._is_held_up[row] else None
            low = self._low[row]
            yield exactly(low) if low == high else _explained(Interval(low_bytes=low, high_bytes=high), held, unknown)
