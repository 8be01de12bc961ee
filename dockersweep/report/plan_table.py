"""The table of a plan: what goes and why, grouped by kind, then what is kept."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.plan import Decision, Plan, Reason, ReasonCode, Removal
from dockersweep.report.headline import (
    BASE_WORDS,
    NOUN_OF,
    TITLE_OF,
    base_sentence,
    engine_line,
    fold,
    format_interval,
    warning_lines,
)
from dockersweep.report.table import Column, render_table
from dockersweep.report.text import plural
from dockersweep.units import format_size

_GOING = (
    Column("NAME", shortens=True),
    Column("SIZE", right=True),
    Column("GIVES BACK", right=True),
    Column("WHY", wraps=True),
)
_KEPT = (Column("NAME", shortens=True), Column("SIZE", right=True), Column("WHY", wraps=True))
_KEPT_BECAUSE: dict[ReasonCode, str] = {
    "in-use": "in use",
    "predefined": "made by the engine itself",
    "swarm": "of a swarm",
    "unread": "not read in full",
    "protected": "protected by the policy",
    "not-asked-for": "not asked for",
    "too-young": "too young",
    "age-unknown": "of unknown age",
    "kept": "kept by a rule",
}


def plan_table(plan: Plan, verbose: bool, width: int | None) -> str:
    """Return the plan for people; with `verbose` every kept object has its line too."""
    head = [
        _summary(plan),
        *_target_line(plan),
        *(f"Over a limit, so no sweep: {told}." for told in plan.limits.exceeded),
    ]
    parts = [engine_line(plan.engine, plan.taken_at, width) + "".join(fold(line, width) for line in head)]
    for kind in KINDS:
        section = _going_section(plan, kind, width)
        if section:
            parts.append(section)
    parts.append(_untagged_section(plan, width))
    parts.append(_kept_sections(plan, width) if verbose else _kept_summary(plan, width))
    if plan.removals and plan.size_base == "lengths":
        parts.append(fold(base_sentence(plan.size_base, plan.not_from_disk), width))
    if plan.warnings:
        parts.append(warning_lines(plan.warnings, width))
    return "\n".join(part for part in parts if part)


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


def _target_line(plan: Plan) -> Iterator[str]:
    target = plan.target
    if target is not None:
        ends = {True: "; this plan reaches that", False: "; this plan does not reach that, and nothing else may go"}
        yield f"Space target: {target.text}{ends.get(target.reached, '') if target.begins else ''}."  # type: ignore[arg-type]


def _going_section(plan: Plan, kind: Kind, width: int | None) -> str:
    removals = {removal.id: removal for removal in plan.removals if removal.kind == kind and removal.action == "remove"}
    going = [decision for decision in plan.decisions if decision.kind == kind and decision.id in removals]
    if not going:
        return ""
    total = plan.reclaim_of_kinds.get(kind)
    gives = "" if kind == "network" or total is None else f", giving back {format_interval(total)}"
    going.sort(key=lambda decision: (-(decision.size_bytes or 0), decision.name, decision.id))
    tags: defaultdict[str, list[str]] = defaultdict(list)
    for step in plan.removals:
        if step.action == "untag" and step.kind == kind:
            tags[step.id].append(step.name)
    rows = [_going_row(decision, removals[decision.id], tags.get(decision.id, ())) for decision in going]
    return f"{TITLE_OF[kind]} to remove: {len(going)}{gives}\n{render_table(_GOING, rows, width)}"


def _going_row(decision: Decision, removal: Removal, tags: Sequence[str]) -> tuple[str, ...]:
    # A record says nothing to people by the id of the record that stands on it.
    told = [one for one in decision.reasons if one.code != "released" or decision.kind != "build-cache"]
    why = "; ".join(reason.text for reason in told)
    if tags:
        why += f"; also tagged {', '.join(sorted(tags))}"
    if decision.kind == "network":
        return decision.name, "", "", why
    return decision.name, format_size(decision.size_bytes), format_interval(removal.reclaim), why


def _untagged_section(plan: Plan, width: int | None) -> str:
    """Return the images that stay and lose tags."""
    rows = [
        (tag, decision.name if decision.name != tag else "", "; ".join(_why_tag_goes(decision, tag)))
        for decision in plan.decisions
        for tag in decision.untag
    ]
    if not rows:
        return ""
    columns = (Column("TAG", shortens=True), Column("OF IMAGE", shortens=True), Column("WHY", wraps=True))
    return f"Tags to remove while their images stay: {len(rows)}, giving back 0 B\n{render_table(columns, rows, width)}"


def _why_tag_goes(decision: Decision, tag: str) -> Iterator[str]:
    before = f"its tag {tag} goes, which gives back 0 bytes: "
    for reason in decision.reasons:
        if reason.code == "tag-goes" and reason.text.startswith(before):
            yield reason.text.removeprefix(before)


def _kept_summary(plan: Plan, width: int | None) -> str:
    rows = []
    for kind in KINDS:
        kept = [decision for decision in plan.decisions if decision.kind == kind and decision.verdict == "keep"]
        if kept:
            rows.append((plural(len(kept), NOUN_OF[kind]), _why_kept(kept)))
    if not rows:
        return ""
    return "Kept (--verbose lists them)\n" + render_table(
        (Column("KIND"), Column("WHY", wraps=True)), rows, width, False
    )


def _why_kept(kept: list[Decision]) -> str:
    counts = Counter(_in_a_word(decision.reasons[0]) for decision in kept)
    return ", ".join(f"{count} {why}" for why, count in counts.most_common())


def _in_a_word(reason: Reason) -> str:
    return _KEPT_BECAUSE.get(reason.code) or reason.text


def _kept_sections(plan: Plan, width: int | None) -> str:
    parts = []
    for kind in KINDS:
        kept = [decision for decision in plan.decisions if decision.kind == kind and decision.verdict == "keep"]
        if kept:
            kept.sort(key=lambda decision: (decision.name, decision.id))
            table = render_table(_KEPT, [_kept_row(decision) for decision in kept], width)
            parts.append(f"{TITLE_OF[kind]} to keep: {len(kept)}\n{table}")
    return "\n".join(parts)


def _kept_row(decision: Decision) -> tuple[str, ...]:
    size = "" if decision.kind == "network" else format_size(decision.size_bytes)
    return decision.name, size, "; ".join(reason.text for reason in decision.reasons)
