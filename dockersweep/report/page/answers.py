"""The five questions that a disk report is opened for, answered in plain words."""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dockersweep.model.inventory import KINDS
from dockersweep.model.report import Finding, GrowthOfShare, Report, ReportedObject, Trend
from dockersweep.report.disk_words import (
    TITLE_OF_SHARE,
    disk_sentence,
    former_words,
    rate_of_disk,
    won_sentence,
    won_words,
)
from dockersweep.report.headline import NOUN_OF, format_interval
from dockersweep.report.page.words import capital, days, fine_percent, percent, rate, span, standing_of
from dockersweep.report.text import plural, shorten_middle
from dockersweep.units import format_size

STEPS = 3
NAMED, LONGEST_NAME = 3, 45
HALF, LARGE_PERCENT = 50, 5
"""Of the growth of the disk, and of all that was counted: what takes less than the latter is no step of its own."""
_NO_TREND = "Nothing tells yet"
_NO_LEDGER = "Earlier scans are not kept: there is no ledger."
_SWEEP = "dockersweep sweep"
_COMMAND = re.compile(r"(?:look with )?(dockersweep (?:sweep|explain)[^;,]*)")


@dataclass(frozen=True)
class Answer:
    """A question, the answer that can be read at a glance, and the sentences that make it exact."""

    question: str
    short: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """Something to do: what for, and the command or the rule."""

    why: str
    how: str
    command: str = ""
    """What steps are the same by; "" where it is no command of dockersweep."""


def answers(report: Report) -> tuple[Answer, ...]:
    """Return what takes most, what can go, what grows, and when the disk is full."""
    return (_takes_most(report), _can_go(report), _grows(report.trend), _full(report))


def first_steps(report: Report) -> tuple[Step, ...]:
    """Return what to do first, at most three steps: what is critical, the removal, warnings, or the largest note where
    there is nothing worse, and then what the policy keeps though nothing uses it.

    Empty where nothing needs to be done.
    """
    of = {
        severity: [_mended(one) for one in report.findings if one.severity == severity]
        for severity in ("critical", "warning", "note")
    }
    worse = of["critical"] + of["warning"]
    steps = [*of["critical"], *_removal(report), *of["warning"], *([] if worse else of["note"][:1]), *_kept(report)]
    return tuple(_once(steps)[:STEPS])


def _mended(finding: Finding) -> Step:
    found = _COMMAND.match(finding.mend)
    return Step(capital(finding.title), finding.mend, found[1] if found else "")


def _removal(report: Report) -> Iterator[Step]:
    if _goes(report):
        won = won_words(report)
        why = f"Give back {format_interval(report.reclaimable)}{f', which wins {won}' if won else ''}"
        yield Step(why, f"{_SWEEP} by the same policy shows all of it, and asks", _SWEEP)


def _kept(report: Report) -> Iterator[Step]:
    """Yield the look at the largest of what nothing uses and the policy keeps, where it takes much."""
    kept = _largest(one for one in report.objects if standing_of(one) == "kept")
    if not kept or 100 * (kept[0].own_bytes or 0) < LARGE_PERCENT * _whole_bytes(report):
        return
    largest, others = kept[0], kept[1:NAMED]
    # A record is described and not named, and what stands for a tag where there is only a digest is none.
    has_name = largest.kind != "build-cache" and "@" not in largest.name
    name = largest.name if has_name else largest.id.removeprefix("sha256:")
    command = f"dockersweep explain {shlex.quote(f'{largest.kind}:{name}')}"
    goes, unused = report.reclaimable, report.unused
    all_kept = unused.low_bytes - goes.low_bytes
    is_exact = goes.low_bytes == goes.high_bytes and unused.low_bytes == unused.high_bytes and all_kept > 0
    size = f", {format_size(all_kept)}" if is_exact else ""
    why = f"Look at what is unused and yet kept{size}: {_named(largest)}"
    also = f"; also {', '.join(map(_named, others))}" if others else ""
    yield Step(f"{why}{also}", f"{command} tells which rule keeps it", command)


def _once(steps: Iterable[Step]) -> list[Step]:
    """Return the steps with those that are the same command as one: what the first says to do, for all that is told."""
    found: list[Step] = []
    for step in steps:
        same = next((place for place, one in enumerate(found) if step.command and one.command == step.command), None)
        if same is None:
            found.append(step)
        else:
            first = found[same]
            found[same] = Step(f"{first.why}. {step.why}", first.how, first.command)
    return found


def _largest(objects: Iterable[ReportedObject]) -> list[ReportedObject]:
    """Return what has most for itself first, without what has nothing."""
    return sorted((one for one in objects if one.own_bytes), key=lambda one: -(one.own_bytes or 0))


def _named(one: ReportedObject) -> str:
    """Return an object with what it gives back: "image app:1 (2.06 MB)", "image 7a1f (untagged, of app, 2.06 MB)"."""
    former = former_words(one)
    size = format_size(one.own_bytes)
    name = shorten_middle(one.name, LONGEST_NAME)
    return f"{NOUN_OF[one.kind]} {name} ({f'{former}, {size}' if former else size})"


def _takes_most(report: Report) -> Answer:
    question = "What takes most?"
    known = [share for share in report.shares if share.is_known]
    if not any(share.size.low_bytes for share in known):
        return Answer(question, "Nothing that could be read", tuple(_not_read(report)))
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
    text = f"The largest single thing is {name}: {format_size(largest.size_bytes)}"
    if largest.own_bytes is None or largest.own_bytes == largest.size_bytes:
        return f"{text}."
    return f"{text} with what it shares, {format_size(largest.own_bytes)} for itself, which it alone gives back."


def _whole_bytes(report: Report) -> int:
    return report.folder_bytes or sum(share.size.low_bytes for share in report.shares if share.is_known)


def _whole(report: Report) -> str:
    return "that the engine's folder takes" if report.folder_bytes else "that could be counted"


def _not_read(report: Report) -> Iterator[str]:
    unknown = [TITLE_OF_SHARE[share.share].lower() for share in report.shares if not share.is_known]
    if unknown:
        yield f"Not read, and so not counted: {', '.join(unknown)}."


def _can_go(report: Report) -> Answer:
    question = "What can go?"
    unused = f"All that is unused takes {format_interval(report.unused)}."
    counts = Counter(one.kind for one in report.objects if one.goes)
    if not counts:
        return Answer(question, "Nothing", (f"By {report.policy_source} nothing that is here goes.", unused))
    what = ", ".join(plural(counts[kind], NOUN_OF[kind]) for kind in KINDS if counts[kind])
    sentences = [f"That is what {report.policy_source} would remove now: {what}."]
    largest = _largest(one for one in report.objects if one.goes)[:NAMED]
    if largest:
        sentences.append(f"The largest: {', '.join(map(_named, largest))}.")
    return Answer(question, capital(format_interval(report.reclaimable)), (*sentences, unused))


def _goes(report: Report) -> bool:
    return any(one.goes for one in report.objects)


def _grows(trend: Trend | None) -> Answer:
    question = "What grows?"
    if trend is None:
        return Answer(question, _NO_TREND, (_NO_LEDGER,))
    kinds = [one for one in trend.growth if one.share not in ("total", "disk") and one.bytes_per_day is not None]
    if not kinds:
        return Answer(question, _too_few(trend), (f"{capital(trend.text)}.",))
    growing = sorted((one for one in kinds if _slope(one) > 0), key=_slope, reverse=True)
    others = _of_others(trend)
    if not growing:
        watched = f"In the last {span(kinds[0].span_seconds)} nothing of the engine has grown."
        return Answer(question, "Not the engine" if others else "Nothing", (*others, watched))
    first, *next_ones = growing
    sentences = [f"By {_between(first)}, seen in {plural(first.points, 'scan')} over {span(first.span_seconds)}."]
    if _may_be_chance(first):
        sentences.append("It may be chance: over so few scans nothing grows for certain.")
    if next_ones:
        also = ", ".join(f"{_name(one).lower()} ({rate(_slope(one))})" for one in next_ones[:2])
        sentences.append(f"Then {also}.")
    if _engine_percent(trend) < HALF:
        sentences[0] = f"Of the engine most of all {_name(first).lower()}: by {sentences[0].removeprefix('By ')}"
        return Answer(question, "Mostly not the engine", (*others, *sentences))
    return Answer(question, f"{_name(first)}: {rate(_slope(first))}", (*sentences, *others))


def _too_few(trend: Trend) -> str:
    count = max((one.points for one in trend.growth), default=len(trend.points))
    return "One scan is not enough" if count == 1 else f"{count} scans are not enough" if count else _NO_TREND


def _of_others(trend: Trend) -> tuple[str, ...]:
    """Return what of the growth of the disk is the engine's, where both are known."""
    grows = rate_of_disk(trend)
    total = next((one for one in trend.growth if one.share == "total" and one.bytes_per_day is not None), None)
    if total is None or grows <= 0:
        return ()
    part = _engine_percent(trend)
    told = (
        "nothing of that is the engine's" if part <= 0
        else "all of that is the engine's" if part > 100
        else f"of that the engine is {fine_percent(part)}"
    )  # fmt: skip
    return (f"The disk fills at {rate(grows)}; {told}.",)


def _engine_percent(trend: Trend) -> float:
    """Return how much of the growth of the disk is the engine's; 100 where that is not known, or it does not grow."""
    grows = rate_of_disk(trend)
    total = next((one.bytes_per_day for one in trend.growth if one.share == "total"), None)
    return 100 * total / grows if total is not None and grows > 0 else 100.0


def _may_be_chance(one: GrowthOfShare) -> bool:
    return one.low_bytes_per_day is not None and one.low_bytes_per_day <= 0


def _slope(one: GrowthOfShare) -> int:
    return one.bytes_per_day or 0


def _name(one: GrowthOfShare) -> str:
    return TITLE_OF_SHARE[one.share]


def _between(one: GrowthOfShare) -> str:
    if one.low_bytes_per_day is None or one.high_bytes_per_day is None:
        return f"about {rate(_slope(one))}"
    low, high = rate(one.low_bytes_per_day), rate(one.high_bytes_per_day)
    if low == high:
        return low
    return f"{format_size(one.low_bytes_per_day)} to {high}"


def _full(report: Report) -> Answer:
    question, trend = "When is the disk full?", report.trend
    sentences = [disk_sentence(report.disk)]
    if trend is None:
        return Answer(question, _NO_TREND, (_NO_LEDGER, *sentences))
    if report.disk is None:
        return Answer(question, _NO_TREND, tuple(sentences))
    if trend.full_in_days is None and not _disk_growth(trend):
        return Answer(question, _too_few(trend), (f"{capital(trend.text)}.", *sentences))
    won = won_sentence(report)
    if won:
        sentences.append(won)
    if trend.full_in_days is None:
        soonest = trend.full_in_days_soonest
        grows = "It does not grow." if soonest is None else f"It hardly grows; at worst it is full in {days(soonest)}."
        return Answer(question, "Not at this rate", (*sentences, grows))
    soonest, latest = trend.full_in_days_soonest or trend.full_in_days, trend.full_in_days_latest
    if latest is None:
        return Answer(question, f"In {days(soonest)} or later", (*sentences, "At this rate perhaps never."))
    low, high = days(soonest), days(latest)
    short = f"In {low}" if low == high else f"In {_range(low, high)}"
    return Answer(question, short, (f"Most likely in {days(trend.full_in_days)}, if it goes on like this.", *sentences))


def _range(low: str, high: str) -> str:
    """Return "43 to 96 days", or "20 days to 14 months"."""
    (number, unit), (_, other) = low.split(" ", 1), high.split(" ", 1)
    return f"{number} to {high}" if unit == other and number.isdigit() else f"{low} to {high}"


def _disk_growth(trend: Trend) -> bool:
    return any(one.share == "disk" and one.bytes_per_day is not None for one in trend.growth)
