"""A plan: what goes and why, grouped by kind, then what is kept; for spreadsheets a row for each decision."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.plan import Decision, Plan, Removal
from dockersweep.model.reason import Reason, ReasonCode
from dockersweep.report.headline import (
    BASE_WORDS,
    NOUN_OF,
    TITLE_OF,
    base_sentence,
    engine_sentence,
    engine_words,
    kind_counts,
    warning_sentences,
)
from dockersweep.report.layout import Cell, Column, Layout, Rows, Section
from dockersweep.units import format_size
from dockersweep.words.amounts import amount_words, format_interval, plural
from dockersweep.words.lists import both, first_of
from dockersweep.words.reasons import reason_text, rule_and_text, untagged_text

MOST_NAMES = 5
"""How many images a question names that exist only here."""
_GOING = (
    Column("NAME", shortens=True),
    Column("SIZE", right=True),
    Column("FREES", right=True),
    Column("WHY", wraps=True),
)
_UNTAGGED = (Column("TAG", shortens=True), Column("OF IMAGE", shortens=True), Column("WHY", wraps=True))
_KEPT = (Column("NAME", shortens=True), Column("SIZE", right=True), Column("WHY", wraps=True))
_KEPT_COUNTS = (Column("KIND"), Column("WHY", wraps=True))
_HEADINGS = (
    "kind", "id", "name", "verdict", "size_bytes", "gives_back_low_bytes", "gives_back_high_bytes", "age_seconds",
    "age_source", "tags_removed", "reasons",
)  # fmt: skip
_KEPT_BECAUSE: dict[ReasonCode, str] = {
    "in-use": "in use",
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
    "not-asked-for": "excluded by --kind",
    "too-young": "under the age limit",
    "unwatched": "not watched long enough",
    "age-unknown": "of unknown age",
    "kept": "kept by a rule",
    "refused": "refused by the engine",
}


def plan_layout(plan: Plan, verbose: bool) -> Layout:
    """Return a plan laid out; with `verbose` every kept object has its line too."""
    removals = {one.ref: one for one in plan.removals if one.action == "remove"}
    rows = (_csv_row(decision, removals.get(decision.ref)) for decision in plan.decisions)
    return Layout(f"Plan for {engine_words(plan.engine)}", _sections(plan, verbose), Rows(_HEADINGS, rows))


def _sections(plan: Plan, verbose: bool) -> Iterator[Section]:
    over = (f"Over a limit, so no sweep: {limit}." for limit in plan.limits.exceeded)
    yield Section(sentences=(engine_sentence(plan.engine, plan.taken_at), _summary(plan), *_target_line(plan), *over))
    for kind in KINDS:
        yield from _going_section(plan, kind)
    yield from _untagged_section(plan)
    yield from _kept_sections(plan) if verbose else _kept_summary(plan)
    if plan.removals and plan.size_base == "lengths":
        yield Section(sentences=(base_sentence(plan.size_base, plan.not_from_disk),))
    yield Section(sentences=warning_sentences(plan.warnings))


def _summary(plan: Plan) -> str:
    if not plan.removals:
        return f"Nothing to remove, by {plan.policy.source}."
    frees = f"freeing {format_interval(plan.reclaim)} {BASE_WORDS[plan.size_base]}"
    why = f" Not exact: {plan.reclaim.reason}." if plan.reclaim.reason else ""
    return f"{what_goes(plan)} to remove, {frees}, by {plan.policy.source}.{_only_here_words(plan)}{why}"


def _only_here(plan: Plan) -> list[str]:
    """Return the names of the images with tags that go and that no registry has."""
    return [
        decision.name
        for decision in plan.decisions
        if decision.verdict == "remove" and any(reason.code == "only-here" for reason in decision.reasons)
    ]


def _only_here_words(plan: Plan) -> str:
    count = len(_only_here(plan))
    return "" if not count else f" {plural(count, 'tagged image')} {_exist(count)} only here."


def _exist(count: int) -> str:
    return "exists" if count == 1 else "exist"


def what_goes(plan: Plan) -> str:
    """Return "3 objects", or "3 objects and 2 tags" where images lose tags and stay."""
    count = sum(removal.action == "remove" for removal in plan.removals)
    tags = sum(len(decision.untag) for decision in plan.decisions)
    if not tags:
        return plural(count, "object")
    return f"{plural(count, 'object')} and {plural(tags, 'tag')}" if count else plural(tags, "tag")


def question(plan: Plan) -> str:
    """Return what a person is asked: "Remove 2 containers, 1 image and 1 network (freeing 1.20 GB)?"."""
    counts = Counter(removal.kind for removal in plan.removals if removal.action == "remove")
    parts = kind_counts(counts)
    tags = sum(len(decision.untag) for decision in plan.decisions)
    if tags:
        parts.append(f"{plural(tags, 'tag')} of images that stay")
    names = _only_here(plan)
    lost = f"{first_of(names, MOST_NAMES)} {_exist(len(names))} only here. " if names else ""
    return f"{lost}Remove {both(parts)} (freeing {amount_words(plan.reclaim)})?"


def _target_line(plan: Plan) -> Iterator[str]:
    target = plan.target
    if target is not None:
        ends: dict[bool | None, str] = {
            True: ". This plan reaches it",
            False: f". This plan frees {format_interval(plan.reclaim)}; the policy allows no more",
        }
        yield f"Target: {target.text}{ends.get(target.reached, '') if target.begins else ''}."


def _going_section(plan: Plan, kind: Kind) -> Iterator[Section]:
    removals = {removal.id: removal for removal in plan.removals if removal.kind == kind and removal.action == "remove"}
    going = [decision for decision in plan.decisions if decision.kind == kind and decision.id in removals]
    if not going:
        return
    total = plan.reclaim_of_kinds.get(kind)
    frees = "" if kind == "network" or total is None else f", freeing {format_interval(total)}"
    going.sort(key=lambda decision: (-(decision.size_bytes or 0), decision.name, decision.id))
    tags: defaultdict[str, list[str]] = defaultdict(list)
    for step in plan.removals:
        if step.action == "untag" and step.kind == kind:
            tags[step.id].append(step.name)
    rows = [_going_row(decision, removals[decision.id], tags.get(decision.id, ())) for decision in going]
    yield Section(f"{TITLE_OF[kind]} to remove: {len(going)}{frees}", columns=_GOING, rows=rows)


def _going_row(decision: Decision, removal: Removal, tags: Sequence[str]) -> tuple[str, ...]:
    # A record says nothing to people by the id of the record that stands on it.
    reasons = [one for one in decision.reasons if one.code != "released" or decision.kind != "build-cache"]
    why = "; ".join(map(reason_text, reasons))
    if tags:
        why += f"; also tagged {', '.join(sorted(tags))}"
    if decision.kind == "network":
        return decision.name, "", "", why
    return decision.name, format_size(decision.size_bytes), format_interval(removal.reclaim), why


def _untagged_section(plan: Plan) -> Iterator[Section]:
    """Yield the images that stay and lose tags."""
    rows = [
        (tag, decision.name if decision.name != tag else "", "; ".join(_why_tag_goes(decision, tag)))
        for decision in plan.decisions
        for tag in decision.untag
    ]
    if rows:
        yield Section(f"Tags to remove while their images stay: {len(rows)}, freeing 0 B", columns=_UNTAGGED, rows=rows)


def _why_tag_goes(decision: Decision, tag: str) -> Iterator[str]:
    for reason in decision.reasons:
        if reason.code == "tag-goes" and reason.tag == tag:
            yield untagged_text(reason)


def _kept_summary(plan: Plan) -> Iterator[Section]:
    rows = []
    for kind in KINDS:
        kept = [decision for decision in plan.decisions if decision.kind == kind and decision.verdict == "keep"]
        if kept:
            rows.append((plural(len(kept), NOUN_OF[kind]), _why_kept(kept)))
    if rows:
        yield Section("Kept (--verbose lists them)", columns=_KEPT_COUNTS, rows=rows, header=False)


def _why_kept(kept: list[Decision]) -> str:
    counts = Counter(_in_a_word(decision.reasons[0]) for decision in kept)
    return ", ".join(f"{count} {why}" for why, count in counts.most_common())


def _in_a_word(reason: Reason) -> str:
    return _KEPT_BECAUSE.get(reason.code) or reason_text(reason)


def _kept_sections(plan: Plan) -> Iterator[Section]:
    for kind in KINDS:
        kept = [decision for decision in plan.decisions if decision.kind == kind and decision.verdict == "keep"]
        if kept:
            kept.sort(key=lambda decision: (decision.name, decision.id))
            rows = [_kept_row(decision) for decision in kept]
            yield Section(f"{TITLE_OF[kind]} to keep: {len(kept)}", columns=_KEPT, rows=rows)


def _kept_row(decision: Decision) -> tuple[str, ...]:
    size = "" if decision.kind == "network" else format_size(decision.size_bytes)
    return decision.name, size, "; ".join(map(reason_text, decision.reasons))


def _csv_row(decision: Decision, removal: Removal | None) -> tuple[Cell, ...]:
    """Return the cells of a decision; what is not known, and what one that stays frees, is an empty cell."""
    return (
        decision.kind,
        decision.id,
        decision.name,
        decision.verdict,
        decision.size_bytes,
        removal.reclaim.low_bytes if removal else None,
        removal.reclaim.high_bytes if removal else None,
        decision.age_seconds,
        decision.age_source,
        " ".join(decision.untag),
        "; ".join(map(rule_and_text, decision.reasons)),
    )
