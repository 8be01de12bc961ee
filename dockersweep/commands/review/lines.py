"""The lines of the screen: which branches are open, what the filter shows, and how much is ticked."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from dockersweep.commands.review.branches import Branch, Leaf
from dockersweep.model.inventory import ObjectRef
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import known_sum
from dockersweep.policy.planning.choice import Choice

OPEN_AT_MOST = 12
"""Groups of more objects are closed at first, so that the plan can be read at a glance."""


class Tally(Struct, frozen=True, gc=False):
    """The number of objects of a branch that the filter shows, and how many of them are ticked."""

    shown: int
    ticked: int
    frees: Interval


class Line(Struct, frozen=True, gc=False):
    """A line with a branch or an object."""

    depth: int
    branch: Branch
    """The branch, or the object's branch."""
    leaf: Leaf | None = None


class Lines:
    """The shown lines of a tree."""

    def __init__(self, roots: Sequence[Branch], choice: Choice) -> None:
        """At first small groups are open, and kept objects closed."""
        self._roots = roots
        self._choice = choice
        self._open = {branch.key for branch in _all(roots) if _is_open_at_first(branch)}
        self._query = ""
        self._shown: dict[str, Sequence[Leaf]] = {}
        self._tallies: dict[str, Tally] = {}
        self.lines: Sequence[Line] = ()
        self.arrange()

    @property
    def is_filtered(self) -> bool:
        """Whether a filter hides any objects."""
        return bool(self._query)

    def filter(self, query: str) -> None:
        """Show only objects with the text in a name or tag, or at the beginning of their id, in open branches; with an
        empty text all objects."""
        self._query = query.strip().casefold()
        self.arrange()

    def is_open(self, branch: Branch) -> bool:
        """Return whether the contents of a branch are shown."""
        return self.is_filtered or branch.key in self._open

    def open(self, branch: Branch, is_open: bool) -> None:
        """Show or hide the contents of a branch."""
        if is_open:
            self._open.add(branch.key)
        else:
            self._open.discard(branch.key)
        self.arrange()

    def arrange(self) -> None:
        """Compute the lines and tallies again."""
        self._tallies.clear()
        self._shown.clear()
        self.lines = [line for root in self._roots for line in self._lines_of(root, 0)]

    def _lines_of(self, branch: Branch, depth: int) -> Iterator[Line]:
        if self.is_filtered and not self.shown(branch):
            return
        yield Line(depth, branch, branch.only_leaf)
        if branch.only_leaf is not None:
            return
        if self.is_open(branch):
            for below in branch.branches:
                yield from self._lines_of(below, depth + 1)
            yield from (Line(depth + 1, branch, leaf) for leaf in self._own(branch))

    def _own(self, branch: Branch) -> Sequence[Leaf]:
        return [leaf for leaf in branch.leaves if self._matches(leaf)] if self.is_filtered else branch.leaves

    def _matches(self, leaf: Leaf) -> bool:
        is_named = any(self._query in name.casefold() for name in (leaf.name, *leaf.tags))
        return is_named or leaf.ref.id.removeprefix("sha256:").startswith(self._query)

    def shown(self, branch: Branch) -> Sequence[Leaf]:
        """Return the objects of a branch that the filter shows, even if the branch is closed."""
        if branch.key not in self._shown:
            self._shown[branch.key] = [
                *self._own(branch),
                *(leaf for below in branch.branches for leaf in self.shown(below)),
            ]
        return self._shown[branch.key]

    def tally(self, branch: Branch) -> Tally:
        """Return how much of a branch is ticked."""
        if branch.key not in self._tallies:
            self._tallies[branch.key] = _tally(self.shown(branch), self._choice.staying, self._choice.frees)
        return self._tallies[branch.key]


def _all(branches: Iterable[Branch]) -> Iterator[Branch]:
    for branch in branches:
        yield branch
        yield from _all(branch.branches)


def _is_open_at_first(branch: Branch) -> bool:
    return not branch.is_kept and len(branch.leaves) <= OPEN_AT_MOST


def _tally(leaves: Sequence[Leaf], staying: Collection[ObjectRef], frees: Mapping[ObjectRef, Interval]) -> Tally:
    going = [leaf.ref for leaf in leaves if leaf.ref not in staying]
    intervals = [frees[ref] for ref in going if ref in frees]
    low = sum([interval.low_bytes for interval in intervals])
    high = known_sum([interval.high_bytes for interval in intervals])
    return Tally(len(leaves), len(going), Interval(low_bytes=low, high_bytes=high))
