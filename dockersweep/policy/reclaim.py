"""Which bytes come back: the references are counted as the engine does, and a part comes back with its last.

A removal of an object takes the reference that its own part has for being an object's; a part that nothing needs any
more goes, and takes its references to what it stands on with it. This is done twice, with what is certainly needed
and with what may be needed as well; what comes back lies between the two.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from dockersweep.model.inventory import Inventory, Kind
from dockersweep.model.plan import NOTHING, Interval, ObjectRef
from dockersweep.policy.holdings import Holdings, find_holdings
from dockersweep.policy.release import References, Release

_MAY_HOLD = (
    ("build-cache", "build-cache record", "build-cache records"),
    ("image", "image of unknown layers", "images of unknown layers"),
    ("container", "container of a removed image", "containers of removed images"),
)


@dataclass(frozen=True)
class Prediction:
    """What removals give back, in the order in which they were given."""

    rows: tuple[Interval, ...]
    """What each adds to those before it. Where nothing is uncertain they add up to the total."""
    of_kinds: dict[Kind, Interval]
    """What those of each kind add to those of the kinds before it; empty where the kinds come in turns."""
    total: Interval
    parts: dict[str, int]
    """The ids of the parts that can come back, each with the place of the removal that it does with at the soonest."""


class Reclaim:
    """Predicts what comes back from one inventory. Needs time in proportion to parts and references."""

    def __init__(self, inventory: Inventory) -> None:
        self._graph = find_holdings(inventory)
        self._may_hold = Counter(self._kind_of(node) for node in self._graph.maybe)
        self._certain = References(self._graph, {})
        # Where nothing is uncertain, as mostly on disk, both are the same.
        self._possible = References(self._graph, self._graph.maybe) if self._graph.maybe else self._certain

    def in_order(self, removals: Sequence[ObjectRef]) -> Prediction:
        """Return what these removals give back, one after the other and together.

        Objects that the inventory does not hold give back nothing.
        """
        nodes = [self._graph.node_of.get(ref) for ref in removals]
        soonest = self._certain.released_by(nodes)
        latest = soonest if self._possible is self._certain else self._possible.released_by(nodes)
        may_hold = [node in self._graph.maybe for node in nodes]
        rows = _Rows(self._graph, may_hold, [self._most(node) for node in nodes])
        sections = _Sections(self._graph, removals, may_hold)
        for node, place in soonest.items():
            end = latest.get(node)
            rows.add(node, place, end)
            sections.add(node, place, end)
        uncertain = [node for node in soonest if node not in latest]
        return Prediction(
            rows=tuple(rows.intervals()),
            of_kinds=sections.of_kinds(),
            total=self._interval(latest, soonest, self._why_held(uncertain, nodes)),
            parts={self._graph.ids[node]: place for node, place in soonest.items()},
        )

    def steps(self) -> "Steps":
        """Return a prediction that takes removals one by one, and has none yet."""
        return Steps(self._graph, Release(self._certain), Release(self._possible))

    def alone(self, ref: ObjectRef) -> Interval:
        """Return what the removal of one object gives back while all others stay."""
        node = self._graph.node_of.get(ref)
        if node is None or self._certain.counts[node] > 1:
            return NOTHING
        counts, possible = self._certain.counts, self._possible.counts
        low, high = self._graph.low[node], self._graph.high[node]
        if low == high and possible[node] == 1 and not self._graph.needs[node]:
            # Most objects are so, and this is asked for each.
            return Interval(low_bytes=low, high_bytes=high)
        soonest = Release(self._certain).remove(node)
        if all(counts[one] == possible[one] for one in soonest):
            return self._interval(soonest, soonest, None)
        latest = set(Release(self._possible, and_maybe=False).remove(node))
        uncertain = [one for one in soonest if one not in latest]
        return self._interval(latest, soonest, self._why_held(uncertain, [node]))

    def _interval(self, latest: Iterable[int], soonest: Iterable[int], why: str | None) -> Interval:
        low = sum(self._graph.low[node] for node in latest)
        high, unknown = _sum_known(self._graph.high[node] for node in soonest)
        return _explained(Interval(low_bytes=low, high_bytes=None if unknown else high), why, unknown)

    def _most(self, node: int | None) -> int | None:
        """Return what an image of unknown layers holds at the most: its size."""
        is_unknown = node in self._graph.maybe and self._kind_of(node) == "image"
        return self._graph.high[node] if node is not None and is_unknown else None

    def _kind_of(self, node: int | None) -> str:
        return "" if node is None else self._graph.ids[node].partition(":")[0]

    def _why_held(self, uncertain: Sequence[int], going: Sequence[int | None]) -> str | None:
        """Return what may hold parts that would come back otherwise."""
        if not any(self._graph.high[node] for node in uncertain):
            return None
        staying = self._may_hold - Counter(self._kind_of(node) for node in going if node in self._graph.maybe)
        counts = [(staying[kind], one, many) for kind, one, many in _MAY_HOLD if staying[kind]]
        held = [f"{count} {one if count == 1 else many}" for count, one, many in counts]
        return f"{' and '.join(held) or 'other objects'} may hold these layers"


class Steps:
    """What removals give back together, counted on with each: the total of `Reclaim.in_order` for the same ones.

    All together need time in proportion to the parts and references that they reach.
    """

    def __init__(self, graph: Holdings, certain: Release, possible: Release) -> None:
        """Begin with nothing removed, where needs are certain and where what may be needed is."""
        self._graph = graph
        self._certain = certain
        self._possible = possible
        self._high = 0
        self._unknown = 0
        self._inodes: int | None = 0
        self._low = 0

    @property
    def low_bytes(self) -> int:
        """The least that comes back."""
        return self._low if self.high_bytes is None else min(self._low, self.high_bytes)

    @property
    def high_bytes(self) -> int | None:
        """The most that comes back; None where that is not known."""
        return None if self._unknown else self._high

    @property
    def inodes(self) -> int | None:
        """How many inodes come back; None where not all were counted."""
        return self._inodes

    def add(self, ref: ObjectRef) -> None:
        """Remove an object as well, once; one that the inventory does not hold gives back nothing."""
        node = self._graph.node_of.get(ref)
        if node is None:
            return
        for one in self._certain.remove(node):
            size = self._graph.high[one]
            self._high += size or 0
            self._unknown += size is None
            inodes = self._graph.inodes[one]
            self._inodes = None if inodes is None or self._inodes is None else self._inodes + inodes
        self._low += sum(self._graph.low[one] for one in self._possible.remove(node))


def _sum_known(sizes: Iterable[int | None]) -> tuple[int, int]:
    """Return the sum of what is known, and how many are not."""
    total, unknown = 0, 0
    for size in sizes:
        if size is None:
            unknown += 1
        else:
            total += size
    return total, unknown


def _explained(interval: Interval, held: str | None, unknown: int) -> Interval:
    if interval.low_bytes == interval.high_bytes:
        return interval
    reasons = [f"{unknown} size{'s are' if unknown != 1 else ' is'} not known"] if unknown else []
    reasons += [held] if held else []
    text = "; ".join(reasons) or "the engine does not tell the size of each layer"
    return Interval(low_bytes=interval.low_bytes, high_bytes=interval.high_bytes, reason=text)


class _Rows:
    """What each row, a removal or all of a kind, adds to those before it.

    A part comes back with the last of its holders. Between the row with which it comes back at the soonest and that
    with which it does at the latest, it comes back with one of those that may hold something.
    """

    def __init__(self, graph: Holdings, may_hold: Sequence[bool], most: Sequence[int | None] = ()) -> None:
        self._graph = graph
        self._may_hold = may_hold
        self._most = most
        self._low = [0] * len(may_hold)
        self._high = [0] * len(may_hold)
        self._unknown = [0] * len(may_hold)
        self._held_up = [0] * (len(may_hold) + 1)
        self._unknown_held_up = [0] * (len(may_hold) + 1)
        self._is_held_up = [False] * len(may_hold)

    def add(self, node: int, soonest: int, latest: int | None) -> None:
        """Count a part that comes back with one row at the soonest, and with another or none at the latest."""
        size = self._graph.high[node]
        self._high[soonest] += size or 0
        self._unknown[soonest] += size is None
        if latest == soonest:
            self._low[soonest] += self._graph.low[node]
        elif size != 0:
            end = len(self._may_hold) if latest is None else latest + 1
            self._is_held_up[soonest] = True
            self._held_up[soonest + 1] += size or 0
            self._held_up[end] -= size or 0
            self._unknown_held_up[soonest + 1] += size is None
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
            yield _explained(Interval(low_bytes=self._low[row], high_bytes=high), held, unknown)


class _Sections:
    """What all removals of a kind add to those of the kinds before it."""

    def __init__(self, graph: Holdings, removals: Sequence[ObjectRef], may_hold: Sequence[bool]) -> None:
        runs = [kind for kind, _ in groupby(ref.kind for ref in removals)]
        self._kinds = runs if len(runs) == len(set(runs)) else []
        self._section_at = [self._kinds.index(ref.kind) for ref in removals] if self._kinds else []
        holding = {section for section, holds in zip(self._section_at, may_hold, strict=False) if holds}
        self._rows = _Rows(graph, [section in holding for section in range(len(self._kinds))])

    def add(self, node: int, soonest: int, latest: int | None) -> None:
        """Count a part as `_Rows` does, by the places of removals."""
        if self._kinds:
            end = None if latest is None else self._section_at[latest]
            self._rows.add(node, self._section_at[soonest], end)

    def of_kinds(self) -> dict[Kind, Interval]:
        """Return what was counted, by kind."""
        return dict(zip(self._kinds, self._rows.intervals(), strict=True))
