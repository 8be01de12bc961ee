"""A plan as a tree of kinds, reasons and objects; below it the kept objects."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from dockersweep.model.inventory import KINDS, ObjectRef
from dockersweep.model.plan import Decision, Plan
from dockersweep.report.headline import NOUN_OF, going_counts
from dockersweep.report.plan_groups import alike_rows, going_rows, group_title, row_note
from dockersweep.words.alike import joined_alike
from dockersweep.words.amounts import plural
from dockersweep.words.lists import natural_key, naturally


class Leaf(Struct, frozen=True, gc=False):
    """One object."""

    ref: ObjectRef
    decision: Decision
    note: str = ""
    """Further facts: its size if it frees another amount, and its other tags."""
    tags: Sequence[str] = ()
    """Further tags that go: those of an image that goes, or that stays."""

    @property
    def name(self) -> str:
        """The engine's name for it; may contain control characters."""
        return self.decision.name

    @property
    def stays(self) -> bool:
        """Whether it is an image that only loses tags."""
        return bool(self.decision.untag)

    @property
    def label(self) -> str:
        """Its name; of an image that only loses tags these first: "app:1 of image app:2"."""
        return f"{', '.join(self.tags)} of image {self.name}" if self.stays else self.name

    @property
    def why(self) -> str:
        """Its reasons; similar ones are joined."""
        return joined_alike(self.decision.reasons)


class Branch(Struct, frozen=True, gc=False):
    """A group of objects, with branches or leaves."""

    key: str
    """Unique in the tree."""
    title: str
    """The number of objects, and why they are removed: "2 containers: stopped 30 days ago (limit 24 hours)"."""
    branches: Sequence["Branch"] = ()
    leaves: Sequence[Leaf] = ()
    is_kept: bool = False
    """Whether it has objects that the plan keeps; they cannot be ticked."""

    @property
    def only_leaf(self) -> Leaf | None:
        """The only object in it, which is then shown on the branch's line; None if there are several."""
        # An image that only loses tags has to be read as such.
        is_shown = len(self.leaves) == 1 and not self.branches and not self.is_kept and not self.leaves[0].stays
        return self.leaves[0] if is_shown else None


def branches_of(plan: Plan) -> list[Branch]:
    """Return the tree of a plan: the objects to remove, then those that are kept, if there are any."""
    going = [*_kinds(plan), *_tags(plan)]
    roots = [Branch("", _going_title(plan), going)] if going else []
    kept = list(_kept(plan))
    if kept:
        count = sum(len(branch.leaves) for branch in kept)
        roots.append(Branch("kept", f"kept: {plural(count, 'object')}", kept, is_kept=True))
    return roots


def _going_title(plan: Plan) -> str:
    """Return "3 objects to remove"; where images only lose tags, with a count of both."""
    untagged = sum(1 for decision in plan.decisions if decision.untag)
    removed = going_counts(plan)[0].total()
    if not untagged:
        return f"{plural(removed, 'object')} to remove"
    if not removed:
        return f"{plural(untagged, 'image')} to untag"
    return f"{plural(removed + untagged, 'object')}: {removed} to remove, {untagged} to untag"


def _kinds(plan: Plan) -> Iterator[Branch]:
    for kind, rows in going_rows(plan).items():
        groups = [
            Branch(
                f"{kind} {place}",
                group_title(kind, alike),
                leaves=[Leaf(row.decision.ref, row.decision, row_note(row), row.tags) for row in alike],
            )
            for place, alike in enumerate(alike_rows(rows))
        ]
        yield groups[0] if len(groups) == 1 else Branch(kind, plural(len(rows), NOUN_OF[kind]), groups)


def _tags(plan: Plan) -> Iterator[Branch]:
    """Yield the images that are kept but lose tags; an image is ticked with all these tags, whatever their reasons."""
    decisions = [decision for decision in plan.decisions if decision.untag]
    if decisions:
        leaves = [
            Leaf(decision.ref, decision, f"loses {', '.join(decision.untag)}", naturally(decision.untag))
            for decision in decisions
        ]
        tags = plural(sum(len(decision.untag) for decision in decisions), "tag")
        yield Branch("tags", f"{plural(len(leaves), 'image')} that {_lose(leaves)} {tags}", leaves=leaves)


def _lose(leaves: Sequence[Leaf]) -> str:
    return "stays and loses" if len(leaves) == 1 else "stay and lose"


def _kept(plan: Plan) -> Iterator[Branch]:
    for kind in KINDS:
        kept = [
            decision
            for decision in plan.decisions
            if decision.kind == kind and decision.verdict == "keep" and not decision.untag
        ]
        if kept:
            kept.sort(key=lambda decision: (natural_key(decision.name), decision.id))
            leaves = [Leaf(decision.ref, decision) for decision in kept]
            yield Branch(f"kept {kind}", plural(len(kept), NOUN_OF[kind]), leaves=leaves, is_kept=True)
