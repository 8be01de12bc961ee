"""The questions that people open a disk report with, answered in plain words, and what to do first."""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import Struct

from dockersweep.model.inventory import KINDS
from dockersweep.model.naming import typed_name
from dockersweep.model.report import Filling, Finding, GrowthOfShare, Report, ReportedDisk, ReportedObject, Trend
from dockersweep.report.disk.disks import disk_sentence, has_several
from dockersweep.report.disk.page.words import (
    days,
    days_between,
    fine_percent,
    percent,
    rate,
    span,
    standing_of,
)
from dockersweep.report.disk.words import (
    TITLE_OF_SHARE,
    former_words,
    has_stopped,
    rate_of_disk,
    won_on,
    won_sentences,
    won_words,
)
from dockersweep.report.headline import NOUN_OF, unused_sentence
from dockersweep.report.text import capital, shorten_middle
from dockersweep.units import format_size
from dockersweep.words.amounts import format_interval, plural

STEPS = 3
NAMED, LONGEST_NAME = 3, 45
HALF, LARGE_PERCENT = 50, 5
"""Percentages. HALF of the disk's growth: below it, others fill the disk. LARGE_PERCENT of everything counted: smaller
objects get no step of their own."""
_NO_TREND = "Not enough data yet"
_NO_LEDGER = "Earlier scans are not kept: there is no ledger."
_SWEEP = "dockersweep sweep"


class Answer(Struct, frozen=True):
    """A question, a short answer, and the sentences with the details."""

    question: str
    short: str
    sentences: tuple[str, ...]


class Step(Struct, frozen=True):
    """Something to do: why, and the command or the rule."""

    why: str
    how: str
    command: str | None = None
    """Steps with the same command are merged; None for a step without a command."""


def answers(report: Report) -> tuple[Answer, ...]:
    """Return what uses the most space, what can be removed, what grows, and when the disk is full."""
    return (_takes_most(report), _can_go(report), _grows(report), _full(report))


def first_steps(report: Report) -> tuple[Step, ...]:
    """Return what to do first, at most three steps: critical findings, the sweep, warnings (the largest note if
    nothing is worse), then a look at what the policy keeps although it is unused.

    Empty where nothing needs to be done.
    """
    of = {
        severity: [_fix(finding) for finding in report.findings if finding.severity == severity]
        for severity in ("critical", "warning", "note")
    }
    worse = of["critical"] + of["warning"]
    steps = [*of["critical"], *_removal(report), *of["warning"], *([] if worse else of["note"][:1]), *_kept(report)]
    return tuple(_once(steps)[:STEPS])


def _fix(finding: Finding) -> Step:
    return Step(capital(finding.title), finding.fix.text, finding.fix.command)


def _removal(report: Report) -> Iterator[Step]:
    if _goes(report):
        won = won_words(report)
        why = f"Free {format_interval(report.reclaimable)}{f', {won} of growth' if won else ''}"
        yield Step(why, f"{_SWEEP} with the same policy flags shows the plan and asks", _SWEEP)


def _kept(report: Report) -> Iterator[Step]:
    """Yield the step that checks the largest object that is unused but kept, if it is large."""
    kept = _largest(item for item in report.objects if standing_of(item) == "kept")
    if not kept or 100 * (kept[0].own_bytes or 0) < LARGE_PERCENT * _whole_bytes(report):
        return
    largest, others = kept[0], kept[1:NAMED]
    command = f"dockersweep explain {shlex.quote(f'{largest.kind}:{typed_name(largest.ref, largest.name)}')}"
    goes, unused = report.reclaimable, report.unused
    all_kept = unused.low_bytes - goes.low_bytes
    is_exact = goes.is_exact and unused.is_exact and all_kept > 0
    size = f", {format_size(all_kept)}" if is_exact else ""
    why = f"Check what is unused but kept{size}: {_named(largest)}"
    also = f"; also {', '.join(map(_named, others))}" if others else ""
    more = ", among others" if len(kept) > NAMED else ""
    yield Step(f"{why}{also}{more}", f"{command} shows why it is kept", command)


def _once(steps: Iterable[Step]) -> list[Step]:
    """Return the steps with equal commands merged: the reasons of all, the text of the first."""
    merged: list[Step] = []
    for step in steps:
        same = next(
            (place for place, known in enumerate(merged) if step.command and known.command == step.command), None
        )
        if same is None:
            merged.append(step)
        else:
            first = merged[same]
            merged[same] = Step(f"{first.why}. {step.why}", first.how, first.command)
    return merged


def _largest(objects: Iterable[ReportedObject]) -> list[ReportedObject]:
    """Return the objects that have bytes of their own, the largest first."""
    return sorted((item for item in objects if item.own_bytes), key=lambda item: -(item.own_bytes or 0))


def _named(item: ReportedObject) -> str:
    """Return an object with what it frees: "image app:1 (2.06 MB)", "image 7a1f (untagged, of app, 2.06 MB)"."""
    former = former_words(item)
    size = format_size(item.own_bytes)
    name = shorten_middle(item.name, LONGEST_NAME)
    return f"{NOUN_OF[item.kind]} {name} ({f'{former}, {size}' if former else size})"


def _takes_most(report: Report) -> Answer:
    question = "What uses the most space?"
    known = [share for share in report.shares if share.is_known]
    if not any(share.size.low_bytes for share in known):
        return Answer(question, "Unknown", tuple(_not_read(report)))
    most = max(known, key=lambda share: share.size.low_bytes)
    total = _whole_bytes(report)
    part, size = percent(most.size.low_bytes, total), capital(format_interval(most.size))
    sentences = [f"{size}, {part} of the {format_size(total)} {_whole(report)}."]
    if report.objects and report.objects[0].size_bytes:
        sentences.append(_largest_sentence(report.objects[0]))
    return Answer(question, TITLE_OF_SHARE[most.share], (*sentences, *_not_read(report)))


def _largest_sentence(largest: ReportedObject) -> str:
    former = former_words(largest)
    shown = shorten_middle(largest.name, LONGEST_NAME)
    name = f"{NOUN_OF[largest.kind]} {shown}{f' ({former})' if former else ''}"
    text = f"The largest object is {name}: {format_size(largest.size_bytes)}"
    if largest.own_bytes is None or largest.own_bytes == largest.size_bytes:
        return f"{text}."
    return f"{text}, {format_size(largest.own_bytes)} of it unique."


def _whole_bytes(report: Report) -> int:
    return report.folder_bytes or sum(share.size.low_bytes for share in report.shares if share.is_known)


def _whole(report: Report) -> str:
    return "in the engine's folder" if report.folder_bytes else "that could be counted"


def _not_read(report: Report) -> Iterator[str]:
    unknown = [TITLE_OF_SHARE[share.share].lower() for share in report.shares if not share.is_known]
    if unknown:
        yield f"Not read, so not counted: {', '.join(unknown)}."


def _can_go(report: Report) -> Answer:
    question = "What can be removed?"
    unused = f"Everything unused would free {format_interval(report.unused)}. {unused_sentence(has_stopped(report))}"
    counts = Counter(item.kind for item in report.objects if item.goes)
    if not counts:
        return Answer(question, "Nothing", (f"{capital(report.policy_source)} removes nothing now.", unused))
    what = ", ".join(plural(counts[kind], NOUN_OF[kind]) for kind in KINDS if counts[kind])
    sentences = [f"{capital(report.policy_source)} would remove {what}."]
    largest = _largest(item for item in report.objects if item.goes)[:NAMED]
    if largest:
        sentences.append(f"The largest: {', '.join(map(_named, largest))}.")
    return Answer(question, capital(format_interval(report.reclaimable)), (*sentences, unused))


def _goes(report: Report) -> bool:
    return any(item.goes for item in report.objects)


def _grows(report: Report) -> Answer:
    question, trend = "What grows?", report.trend
    if trend is None:
        return Answer(question, _NO_TREND, (_NO_LEDGER,))
    kinds = [
        growth for growth in trend.growth if growth.share not in ("total", "disk") and growth.bytes_per_day is not None
    ]
    if not kinds:
        return Answer(question, _NO_TREND, (f"{capital(trend.text)}.",))
    growing = sorted((growth for growth in kinds if _slope(growth) > 0), key=_slope, reverse=True)
    # With several disks it is not known which share grew on which disk.
    others = () if has_several(report) else _of_others(trend)
    if not growing:
        watched = f"Nothing of the engine has grown in the last {span(kinds[0].span_seconds)}."
        return Answer(question, "Not the engine" if others else "Nothing", (*others, watched))
    first, *next_ones = growing
    by = f"{_between(first)}, from {plural(first.points, 'scan')} over {span(first.span_seconds)}."
    sentences = [capital(by)]
    if _may_be_chance(first):
        sentences.append("With so few scans this may be chance.")
    if next_ones:
        also = ", ".join(f"{_name(growth).lower()} ({rate(_slope(growth))})" for growth in next_ones[:2])
        sentences.append(f"Next: {also}.")
    if others and _engine_percent(trend) < HALF:
        sentences[0] = f"Within the engine, {_name(first).lower()} grow most: {by}"
        return Answer(question, "Mostly not the engine", (*others, *sentences))
    return Answer(question, f"{_name(first)}: {rate(_slope(first))}", (*sentences, *others))


def _of_others(trend: Trend) -> tuple[str, ...]:
    """Return a sentence with the engine's part of the disk's growth, if both are known."""
    grows = rate_of_disk(trend)
    total = next(
        (growth for growth in trend.growth if growth.share == "total" and growth.bytes_per_day is not None), None
    )
    if total is None or grows <= 0:
        return ()
    part = _engine_percent(trend)
    part_words = (
        "none of that is the engine" if part <= 0
        else "all of that is the engine" if part > 100
        else f"the engine is {fine_percent(part)} of that"
    )  # fmt: skip
    return (f"The disk fills at {rate(grows)}; {part_words}.",)


def _engine_percent(trend: Trend) -> float:
    """Return the engine's percentage of the disk's growth; 100 where it is unknown or the disk does not grow."""
    grows = rate_of_disk(trend)
    total = next((growth.bytes_per_day for growth in trend.growth if growth.share == "total"), None)
    return 100 * total / grows if total is not None and grows > 0 else 100.0


def _may_be_chance(growth: GrowthOfShare) -> bool:
    return growth.low_bytes_per_day is not None and growth.low_bytes_per_day <= 0


def _slope(growth: GrowthOfShare) -> int:
    return growth.bytes_per_day or 0


def _name(growth: GrowthOfShare) -> str:
    return TITLE_OF_SHARE[growth.share]


def _between(growth: GrowthOfShare) -> str:
    if growth.low_bytes_per_day is None or growth.high_bytes_per_day is None:
        return f"about {rate(_slope(growth))}"
    low, high = rate(growth.low_bytes_per_day), rate(growth.high_bytes_per_day)
    if low == high:
        return low
    return f"{format_size(growth.low_bytes_per_day)} to {high}"


def _full(report: Report) -> Answer:
    """Return the answer about the disk that is full first."""
    filling: Trend | Filling | None = report.trend
    if has_several(report):
        row = min(report.disks, key=_until_full)
        question, filling, about = (
            "When will a disk be full?",
            row.filling,
            f"{row.disk.name}: {disk_sentence(row.disk)}",
        )
        won = won_on(row)
    else:
        question, about, won = "When will the disk be full?", capital(disk_sentence(report.disk)), won_sentences(report)
    if report.trend is None or filling is None:
        return Answer(question, _NO_TREND, (_NO_LEDGER, about))
    if report.disk is None:
        return Answer(question, _NO_TREND, (about,))
    if filling.full_in_days is None and not _is_known(filling):
        return Answer(question, _NO_TREND, (f"{capital(filling.text)}.", about))
    short, why = _full_in(filling)
    # The most likely date comes first; a mere possibility comes last.
    is_sure = filling.full_in_days is not None and filling.full_in_days_latest is not None
    return Answer(question, short, (why, about, *won) if is_sure else (about, *won, why))


def _until_full(row: ReportedDisk) -> tuple[float, float, float]:
    """Return the sort key of disks: when each is full if it fills up, else how full it is."""
    filling, never = row.filling, float("inf")
    likely, soonest = (filling.full_in_days, filling.full_in_days_soonest) if filling else (None, None)
    share_used = row.disk.used / max(1, row.disk.usable)
    return never if likely is None else likely, never if soonest is None else soonest, -share_used


def _is_known(filling: Trend | Filling) -> bool:
    """Whether the growth of the disk's usage is known."""
    growth = filling.growth if isinstance(filling, Trend) else (filling.growth,)
    return any(grown.share == "disk" and grown.bytes_per_day is not None for grown in growth)


def _full_in(filling: Trend | Filling) -> tuple[str, str]:
    """Return when a disk is full, in short and as a sentence."""
    soonest, latest = filling.full_in_days_soonest, filling.full_in_days_latest
    if filling.full_in_days is None:
        grows = (
            "Usage is not growing." if soonest is None else f"Usage hardly grows; at worst, full in {days(soonest)}."
        )
        return "Not at this rate", grows
    soonest = soonest or filling.full_in_days
    if latest is None:
        return f"In {days(soonest)} or later", "It may never be full at this rate."
    likely = f"Most likely in {days(filling.full_in_days)}, at the current rate."
    return f"In {days_between(soonest, latest)}", likely
