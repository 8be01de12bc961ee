"""What a plan keeps, counted by kind and reason."""

from collections import Counter
from collections.abc import Iterator

from dockersweep.model.inventory import KINDS
from dockersweep.model.plan import Decision, Plan
from dockersweep.model.policy import Target
from dockersweep.report.headline import NOUN_OF
from dockersweep.report.layout import Column, Section
from dockersweep.words.alike import kept_words
from dockersweep.words.amounts import plural

_KEPT_COUNTS = (Column("KIND"), Column("WHY", wraps=True))


def kept_summary(plan: Plan) -> Iterator[Section]:
    """Yield a line for each kind; nothing where nothing is kept."""
    rows = []
    # "still": unlike in a report, what only removed containers use is not among these.
    in_use = "still in use" if any(step.kind == "container" for step in plan.removals) else "in use"
    for kind in KINDS:
        kept = [decision for decision in plan.decisions if decision.kind == kind and decision.verdict == "keep"]
        if kept:
            rows.append((plural(len(kept), NOUN_OF[kind]), _why_kept(kept, in_use, plan.policy.target)))
    if rows:
        yield Section("Kept (--verbose lists them)", columns=_KEPT_COUNTS, rows=rows, header=False)


def _why_kept(kept: list[Decision], in_use: str, target: Target | None) -> str:
    counts = Counter(kept_words(decision, in_use, target) for decision in kept)
    # In a fixed order: which of two equal counts came first would change with the order of the objects.
    in_order = sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))
    return ", ".join(f"{count} {why}" for why, count in in_order)
