"""A plan for people: what goes and why, grouped by kind, then what is kept."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.plan import Decision, Plan, Reason, ReasonCode, Removal
from dockersweep.report.headline import (
    BASE_WORDS,
    NOUN_OF,
    TITLE_OF,
    amount_words,
    base_sentence,
    engine_sentence,
    engine_words,
    format_interval,
    warning_sentences,
)
from dockersweep.report.sections import Section, sections_markdown, sections_text
from dockersweep.report.table import Column
from dockersweep.report.text import plural
from dockersweep.units import format_size

_GOING = (
    Column("NAME", shortens=True),
    Column("SIZE", right=True),
    Column("GIVES BACK", right=True),
    Column("WHY", wraps=True),
)
_UNTAGGED = (Column("TAG", shortens=True), Column("OF IMAGE", shortens=True), Column("WHY", wraps=True))
_KEPT = (Column("NAME", shortens=True), Column("SIZE", right=True), Column("WHY", wraps=True))
_KEPT_COUNTS = (Column("KIND"), Column("WHY", wraps=True))
_KEPT_BECAUSE: dict[ReasonCode, str] = {
    "in-use": "in use",
    "predefined": "made by the engine itself",
    "swarm": "of a swarm",
    "unread": "not read in full",
    "external": "used by other tools",
    "read-only": "in a read-only store",
    "service": "used by a service",
    "unseen-services": "may be used by a service that cannot be seen",
    "kubelet": "of the kubelet",
    "protected": "protected by the policy",
    "not-asked-for": "not asked for",
    "too-young": "too young",
    "age-unknown": "of unknown age",
    "kept": "kept by a rule",
    "refused": "refused by the engine",
}


def plan_table(plan: Plan, verbose: bool, width: int | None) -> str:
    """Return the plan for people; with `verbose` every kept object has its line too."""
    return sections_text(plan_sections(plan, verbose), width)


def plan_markdown(plan: Plan, verbose: bool) -> str:
    """Return the same as Markdown."""
    return sections_markdown(f"Plan for {engine_words(plan.engine)}", plan_sections(plan, verbose))


def plan_sections(plan: Plan, verbose: bool) -> Iterator[Section]:
    """Yield what is to be said of a plan."""
    over = (f"Over a limit, so no sweep: {told}." for told in plan.limits.exceeded)
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
    gives = f"giving back {format_interval(plan.reclaim)} {BASE_WORDS[plan.size_base]}"
    why = f" Not exact: {plan.reclaim.reason}." if plan.reclaim.reason else ""
    return f"{what_goes(plan)} to remove, {gives}, by {plan.policy.source}.{why}"


def what_goes(plan: Plan) -> str:
    """Return "3 objects", or "3 objects and 2 tags" where images lose tags and stay."""
    count = sum(removal.action == "remove" for removal in plan.removals)
    tags = sum(len(decision.untag) for decision in plan.decisions)
    if not tags:
        return plural(count, "object")
    return f"{plural(count, 'object')} and {plural(tags, 'tag')}" if count else plural(tags, "tag")


def question(plan: Plan) -> str:
    """Return what a person is asked: "Remove 2 containers, 1 image and 1 network (giving back 1.20 GB)?"."""
    counts = Counter(removal.kind for removal in plan.removals if removal.action == "remove")
    told = [plural(counts[kind], NOUN_OF[kind]) for kind in KINDS if counts[kind]]
    tags = sum(len(decision.untag) for decision in plan.decisions)
    if tags:
        told.append(f"{plural(tags, 'tag')} of images that stay")
    what = f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else "".join(told)
    return f"Remove {what} (giving back {amount_words(plan.reclaim)})?"


def _target_line(plan: Plan) -> Iterator[str]:
    target = plan.target
    if target is not None:
        ends = {True: "; this plan reaches that", False: "; this plan does not reach that, and nothing else may go"}
        yield f"Space target: {target.text}{ends.get(target.reached, '') if target.begins else ''}."  # type: ignore[arg-type]


def _going_section(plan: Plan, kind: Kind) -> Iterator[Section]:
    removals = {removal.id: removal for removal in plan.removals if removal.kind == kind and removal.action == "remove"}
    going = [decision for decision in plan.decisions if decision.kind == kind and decision.id in removals]
    if not going:
        return
    total = plan.reclaim_of_kinds.get(kind)
    gives = "" if kind == "network" or total is None else f", giving back {format_interval(total)}"
    going.sort(key=lambda decision: (-(decision.size_bytes or 0), decision.name, decision.id))
    tags: defaultdict[str, list[str]] = defaultdict(list)
    for step in plan.removals:
        if step.action == "untag" and step.kind == kind:
            tags[step.id].append(step.name)
    rows = [_going_row(decision, removals[decision.id], tags.get(decision.id, ())) for decision in going]
    yield Section(f"{TITLE_OF[kind]} to remove: {len(going)}{gives}", columns=_GOING, rows=rows)


def _going_row(decision: Decision, removal: Removal, tags: Sequence[str]) -> tuple[str, ...]:
    # A record says nothing to people by the id of the record that stands on it.
    told = [one for one in decision.reasons if one.code != "released" or decision.kind != "build-cache"]
    why = "; ".join(reason.text for reason in told)
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
        yield Section(
            f"Tags to remove while their images stay: {len(rows)}, giving back 0 B", columns=_UNTAGGED, rows=rows
        )


def _why_tag_goes(decision: Decision, tag: str) -> Iterator[str]:
    before = f"its tag {tag} goes, which gives back 0 bytes: "
    for reason in decision.reasons:
        if reason.code == "tag-goes" and reason.text.startswith(before):
            yield reason.text.removeprefix(before)


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
    return _KEPT_BECAUSE.get(reason.code) or reason.text


def _kept_sections(plan: Plan) -> Iterator[Section]:
    for kind in KINDS:
        kept = [decision for decision in plan.decisions if decision.kind == kind and decision.verdict == "keep"]
        if kept:
            kept.sort(key=lambda decision: (decision.name, decision.id))
            rows = [_kept_row(decision) for decision in kept]
            yield Section(f"{TITLE_OF[kind]} to keep: {len(kept)}", columns=_KEPT, rows=rows)


def _kept_row(decision: Decision) -> tuple[str, ...]:
    size = "" if decision.kind == "network" else format_size(decision.size_bytes)
    return decision.name, size, "; ".join(reason.text for reason in decision.reasons)
