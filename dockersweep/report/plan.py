"""A plan: what goes and why, grouped by kind, then what is kept; for spreadsheets a row for each decision."""

from collections.abc import Iterator

from dockersweep.model.plan import Decision, Plan, Removal
from dockersweep.report.detail import Detail
from dockersweep.report.headline import (
    BASE_WORDS,
    base_sentence,
    engine_sentence,
    engine_words,
    going_words,
    over_limit_sentences,
    warning_sentences,
)
from dockersweep.report.layout import Cell, Layout, Rows, Section
from dockersweep.report.local_time import local_time
from dockersweep.report.plan_details import going_sections, kept_sections, untagged_section
from dockersweep.report.plan_groups import group_sections, totals, untagged_groups
from dockersweep.report.plan_kept import kept_summary
from dockersweep.report.question import archived_words, early_words, layers_of_images, ways_back_words
from dockersweep.report.text import capital
from dockersweep.units import format_duration, format_instant
from dockersweep.words.amounts import format_interval, hold, holders_words
from dockersweep.words.reasons import rule_and_text

_HEADINGS = (
    "kind", "id", "name", "verdict", "size_bytes", "gives_back_low_bytes", "gives_back_high_bytes", "age_seconds",
    "age_source", "tags_removed", "reasons", "recovery", "recovery_text", "recovery_until",
)  # fmt: skip


def plan_layout(plan: Plan, detail: Detail) -> Layout:
    """Return the layout of a plan: its "totals", its removals "grouped" by reason, or "all" objects, also kept ones.

    The rows for spreadsheets are complete in each case.
    """
    removals = {removal.ref: removal for removal in plan.removals if removal.action == "remove"}
    rows = (_csv_row(decision, removals.get(decision.ref)) for decision in plan.decisions)
    return Layout(f"Plan for {engine_words(plan.engine)}", _sections(plan, detail), Rows(_HEADINGS, rows))


def _sections(plan: Plan, detail: Detail) -> Iterator[Section]:
    about = engine_sentence(plan.engine, plan.taken_at), *_when(plan)
    sentences = _summary(plan), *_ways_back(plan), *_target_line(plan), *over_limit_sentences(plan.limits)
    yield Section(sentences=(*about, *sentences))
    if detail == "all":
        yield from going_sections(plan)
        yield from untagged_section(plan)
        yield from kept_sections(plan)
    else:
        if detail == "grouped":
            yield from group_sections(plan)
            yield from untagged_groups(plan)
        yield from kept_summary(plan)
    if plan.removals and plan.size_base == "lengths":
        yield Section(sentences=(base_sentence(plan.size_base, plan.not_from_disk),))
    yield Section(sentences=warning_sentences(plan.warnings))
    if plan.removals:
        yield totals(plan)


def _when(plan: Plan) -> Iterator[str]:
    if plan.foreseen_at is not None:
        wait = format_duration((plan.foreseen_at - plan.taken_at).total_seconds())
        yield f"This is the plan as of {local_time(plan.foreseen_at)}, {wait} after the scan, if nothing changes."


def _summary(plan: Plan) -> str:
    if not plan.removals:
        return f"Nothing to remove, by {plan.policy.source}."
    frees = f"freeing {format_interval(plan.reclaim)} {BASE_WORDS[plan.size_base]}"
    why = f" Not exact: {plan.reclaim.reason}." if plan.reclaim.reason else ""
    goes = f"{going_words(plan)} to remove, {frees}{archived_words(plan)}, by {plan.policy.source}."
    return f"{goes}{_layers_held(plan)}{why}"


def _ways_back(plan: Plan) -> Iterator[str]:
    words = ways_back_words(plan, names_folder=True)
    if words:
        is_lost = any(step.recovery is not None and step.recovery.how == "none" for step in plan.removals)
        hint = "; see --archive" if is_lost and plan.policy.archive is None else ""
        yield f"{words}{hint}."
    early = early_words(plan)
    if early:
        yield early


def _layers_held(plan: Plan) -> str:
    """Return what the plan would free with the build-cache records that hold layers of its images."""
    held = plan.layers_held
    if held is None or held.with_them is None:
        return ""
    holders = f"{capital(holders_words(held))} {hold(held)} {layers_of_images(plan)}"
    return f" {holders}; with {'it' if held.count == 1 else 'them'}, {format_interval(held.with_them)} would be freed."


def _target_line(plan: Plan) -> Iterator[str]:
    target = plan.target
    if target is not None:
        # Few policies have a target.
        from dockersweep.words.targets import no_more_words

        ends: dict[bool | None, str] = {
            True: ". This plan reaches it",
            False: f". This plan frees {format_interval(plan.reclaim)}; {no_more_words(plan)}",
        }
        yield f"Target: {target.text}{ends.get(target.reached, '') if target.begins else ''}."


def _csv_row(decision: Decision, removal: Removal | None) -> tuple[Cell, ...]:
    """Return the cells of a decision; None (an empty cell) for unknown values, and for what a kept object frees."""
    recovery = removal.recovery if removal else None
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
        recovery.how if recovery else None,
        recovery.text if recovery else None,
        format_instant(recovery.until) if recovery and recovery.until else None,
    )
