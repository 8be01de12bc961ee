"""What a plan keeps, counted by kind and reason."""

from collections import Counter
from collections.abc import Iterator

from dockersweep.model.age_reasons import AfterContainer
from dockersweep.model.inventory import KINDS
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.plan import Decision, Plan
from dockersweep.model.reason import HeldBy, Kept, ReasonCode, State
from dockersweep.report.headline import NOUN_OF
from dockersweep.report.layout import Column, Section
from dockersweep.words.ages import limit_words
from dockersweep.words.alike import counted_text
from dockersweep.words.amounts import plural

_KEPT_COUNTS = (Column("KIND"), Column("WHY", wraps=True))
_KEPT_BECAUSE: dict[ReasonCode, str] = {
    "predefined": "created by the engine",
    "swarm": "part of a swarm",
    "unread": "not read in full",
    "external": "used by other tools",
    "read-only": "in a read-only store",
    "service": "used by a service",
    "unseen-services": "may be used by a service that cannot be seen",
    "kubelet": "of the kubelet",
    "project-runs": "needed by a running compose project",
    "protected": "protected by the policy",
    "not-asked-for": "not asked for",
    "too-young": "under the age limit",
    "unwatched": "not watched long enough",
    "age-unknown": "of unknown age",
    "kept": "kept by a rule",
    "refused": "refused by the engine",
    "unrecoverable": "that cannot be recovered",
}


def kept_summary(plan: Plan) -> Iterator[Section]:
    """Yield a line for each kind; nothing where nothing is kept."""
    rows = []
    # "still": unlike in a report, what only removed containers use is not among these.
    in_use = "still in use" if any(step.kind == "container" for step in plan.removals) else "in use"
    for kind in KINDS:
        kept = [decision for decision in plan.decisions if decision.kind == kind and decision.verdict == "keep"]
        if kept:
            rows.append((plural(len(kept), NOUN_OF[kind]), _why_kept(kept, in_use)))
    if rows:
        yield Section("Kept (--verbose lists them)", columns=_KEPT_COUNTS, rows=rows, header=False)


def _why_kept(kept: list[Decision], in_use: str) -> str:
    counts = Counter(_in_a_word(decision, in_use) for decision in kept)
    # In a fixed order: which of two equal counts came first would change with the order of the objects.
    in_order = sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))
    return ", ".join(f"{count} {why}" for why, count in in_order)


def _in_a_word(decision: Decision, in_use: str) -> str:
    """Return the first reason in short. An object that is only needed by another one is not called in use."""
    first = decision.reasons[0]
    if isinstance(first.about, Kept) and first.about.as_new_as:
        return "kept by a rule in a tie"
    if isinstance(first.about, AfterContainer):
        return f"kept for {limit_words(first.about.limit)} after its container goes"
    if first.code != "in-use":
        return _KEPT_BECAUSE.get(first.code) or counted_text(first)
    if isinstance(first.about, State):
        return first.about.state or in_use
    holds = [reason.about for reason in decision.reasons if isinstance(reason.about, HeldBy)]
    relations = {about.relation for about in holds}
    is_below = relations in ({"parent"}, {"lends-configuration"})
    return f"needed by {PLURAL_OF[decision.kind]} that stay" if is_below else in_use
