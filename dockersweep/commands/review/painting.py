"""The texts of the screen: the lines of the tree, and those above and below it."""

from collections.abc import Iterator

from msgspec import Struct

from dockersweep.commands.review.branches import Branch, Leaf
from dockersweep.commands.review.lines import Line, Lines
from dockersweep.model.plan import Interval, TargetVerdict
from dockersweep.policy.planning.choice import Choice
from dockersweep.report.headline import BASE_WORDS, NOUN_OF
from dockersweep.report.text import display_width, printable, shorten_end, shorten_middle
from dockersweep.units import format_size
from dockersweep.words.amounts import amount_words, format_interval, plural

_AMOUNT, _BOUNDS = 9, 20
"""Columns for freed bytes: for an exact amount, and for an interval."""
_SIZE = 10
_WIDE = 60
"""Columns from which sizes are shown: below, they would leave none for the names."""
_NAME = 30
"""Columns for a name that is followed by the reason."""
_INDENT = 2


class Painter(Struct, frozen=True):
    """Makes the texts of the screen; all are printable."""

    lines: Lines
    choice: Choice

    def heading(self, width: int) -> str:
        """Return the headings of the columns."""
        return self._columns("    OBJECT", "SIZE", "FREES", width)

    def line(self, line: Line, width: int) -> str:
        """Return a line of the tree in `width` columns."""
        indent = " " * (_INDENT * line.depth)
        if line.leaf is None:
            sign = "v" if self.lines.is_open(line.branch) else ">"
            start = f"{self._box_of(line.branch)} {indent}{sign} "
            return self._columns(start, "", self._frees_of(line.branch), width, printable(self.title(line.branch)))
        leaf = line.leaf
        start = f"{self._box(leaf, line.branch)} {indent}  "
        size = "" if leaf.ref.kind == "network" else format_size(leaf.decision.size_bytes)
        frees = self.choice.frees.get(leaf.ref)
        amount = "" if frees is None or leaf.ref.kind == "network" else format_interval(frees)
        if line.branch.only_leaf is not None:
            noun = f"{NOUN_OF[leaf.ref.kind]} " if line.depth == 1 else ""
            name = shorten_middle(printable(leaf.name), _NAME)
            return self._columns(start, size, amount, width, f"{noun}{name}: {printable(leaf.why)}")
        return self._columns(start, size, amount, width, printable(leaf.label), is_name=True)

    def _columns(self, start: str, size: str, frees: str, width: int, text: str = "", *, is_name: bool = False) -> str:
        amount = _AMOUNT if self.choice.plan.reclaim.is_exact else _BOUNDS
        shown_size = f" {size:>{_SIZE}}" if width >= _WIDE else ""
        right = f"{shown_size} {shorten_end(frees, amount):>{amount}}"
        room = max(0, width - len(start) - len(right))
        shown = shorten_middle(text, room) if is_name else shorten_end(text, room)
        return f"{start}{shown}{' ' * (room - display_width(shown))}{right}"

    def _box(self, leaf: Leaf, branch: Branch) -> str:
        if branch.is_kept:
            return "   "
        return "[ ]" if leaf.ref in self.choice.staying else "[x]"

    def _box_of(self, branch: Branch) -> str:
        if branch.is_kept:
            return "   "
        tally = self.lines.tally(branch)
        return "[x]" if tally.ticked == tally.shown else "[-]" if tally.ticked else "[ ]"

    def _frees_of(self, branch: Branch) -> str:
        if branch.is_kept or all(leaf.ref.kind == "network" for leaf in self.lines.shown(branch)):
            return ""
        return format_interval(self.lines.tally(branch).frees)

    def title(self, branch: Branch) -> str:
        """Return the title of a branch; if not all its objects are ticked, with their number."""
        tally = self.lines.tally(branch)
        if self.lines.is_filtered:
            shown = f"{tally.shown} shown" if branch.is_kept else f"{tally.shown} shown, {tally.ticked} ticked"
            return f"{shown}: {branch.title}"
        return branch.title if branch.is_kept or tally.ticked == tally.shown else f"{tally.ticked} of {branch.title}"

    def summary(self) -> str:
        """Return how much is ticked, what that frees, exceeded limits, and whether the target is reached."""
        return " ".join(self._summary())

    def _summary(self) -> Iterator[str]:
        plan, choice = self.choice.plan, self.choice
        objects = len({step.ref for step in plan.removals})
        ticked = objects - len(choice.staying)
        count = plural(objects, "object") if ticked == objects else f"{ticked} of {plural(objects, 'object')}"
        yield f"{count} ticked, freeing {amount_words(choice.total)} {BASE_WORDS[plan.size_base]}."
        yield from (f"Over a limit: {limit}." for limit in choice.over_limits())
        target = plan.target
        if target is not None and target.begins and target.wanted_bytes:
            yield f"Target: {target.text}{_short_of(target, target.wanted_bytes, choice.total)}."
        if plan.warnings:
            yield f"{plural(len(plan.warnings), 'warning')} (w)."

    def detail(self, line: Line | None) -> str:
        """Return the details of a line, to be shown below the tree."""
        if line is None:
            return "No object has such a name." if self.lines.is_filtered else "Nothing to remove."
        if line.leaf is None:
            return f"{self.title(line.branch)}{self._freed_words(line.branch)}"
        leaf = line.leaf
        parts = [f"{NOUN_OF[leaf.ref.kind]} {leaf.name}: {self.why(leaf)}"]
        parts += [leaf.note] if leaf.note and leaf.ref not in self.choice.staying else []
        return "; ".join(parts)

    def _freed_words(self, branch: Branch) -> str:
        amount = self._frees_of(branch)
        return f", freeing {amount_words(self.lines.tally(branch).frees)}" if amount else ""

    def why(self, leaf: Leaf) -> str:
        """Return why an object is removed or stays."""
        if leaf.ref not in self.choice.staying:
            return leaf.why
        holder = self.choice.staying[leaf.ref]
        if holder is None:
            return f"not ticked; {leaf.why}"
        return f"needed by {NOUN_OF[holder.kind]} {self.choice.name_of(holder)}, which stays"


def _short_of(target: TargetVerdict, wanted_bytes: int, frees: Interval) -> str:
    """Return whether a target is reached; empty for several disks and for inodes, which bytes in all say nothing of."""
    high = frees.high_bytes
    if target.disks or target.wanted_inodes:
        return ""
    return f", {format_size(wanted_bytes - high)} short" if high is not None and high < wanted_bytes else ", reached"
