"""The five questions that a disk report is opened for, answered in plain words."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from dockersweep.model.inventory import KINDS, Disk
from dockersweep.model.report import GrowthOfShare, Report, Trend
from dockersweep.report.disk_words import TITLE_OF_SHARE, disk_sentence
from dockersweep.report.headline import NOUN_OF, format_interval
from dockersweep.report.page.words import capital, days, percent, rate, span
from dockersweep.report.text import plural
from dockersweep.units import format_size

STEPS = 3
_NO_TREND = "Nothing tells yet"


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


def answers(report: Report) -> tuple[Answer, ...]:
    """Return what takes most, what can go, what grows, and when the disk is full."""
    return (_takes_most(report), _can_go(report), _grows(report.trend), _full(report.trend, report.disk))


def first_steps(report: Report) -> tuple[Step, ...]:
    """Return what to do first, at most three steps; what is critical comes before the removal, and notes do not count.

    Empty where nothing needs to be done.
    """
    found = {
        severity: [Step(capital(one.title), one.mend) for one in report.findings if one.severity == severity]
        for severity in ("critical", "warning")
    }
    sweep = [Step(_gives(report), "dockersweep sweep shows all of it, and asks")] if _goes(report) else []
    return tuple([*found["critical"], *sweep, *found["warning"]][:STEPS])


def _takes_most(report: Report) -> Answer:
    question = "What takes most?"
    known = [share for share in report.shares if share.is_known]
    if not any(share.size.low_bytes for share in known):
        return Answer(question, "Nothing that could be read", tuple(_not_read(report)))
    most = max(known, key=lambda share: share.size.low_bytes)
    total = report.folder_bytes or sum(share.size.low_bytes for share in known)
    part, size = percent(most.size.low_bytes, total), capital(format_interval(most.size))
    sentences = [f"{size}, {part} of the {format_size(total)} {_whole(report)}."]
    if report.objects and report.objects[0].size_bytes:
        largest = report.objects[0]
        sentences.append(
            f"The largest single thing is {NOUN_OF[largest.kind]} {largest.name}: {format_size(largest.size_bytes)}."
        )
    return Answer(question, TITLE_OF_SHARE[most.share], (*sentences, *_not_read(report)))


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
    sentences = (f"That is what {report.policy_source} would remove now: {what}.", unused)
    return Answer(question, capital(format_interval(report.reclaimable)), sentences)


def _gives(report: Report) -> str:
    return f"Give back {format_interval(report.reclaimable)}"


def _goes(report: Report) -> bool:
    return any(one.goes for one in report.objects)


def _grows(trend: Trend | None) -> Answer:
    question = "What grows?"
    if trend is None:
        return Answer(question, _NO_TREND, ("Earlier scans are not kept: there is no ledger.",))
    kinds = [one for one in trend.growth if one.share not in ("total", "disk") and one.bytes_per_day is not None]
    if not kinds:
        return Answer(question, _NO_TREND, (f"{capital(trend.text)}.",))
    growing = sorted((one for one in kinds if _slope(one) > 0), key=_slope, reverse=True)
    if not growing:
        return Answer(question, "Nothing", (f"In the last {span(kinds[0].span_seconds)} nothing has grown.",))
    first, *others = growing
    sentences = [f"By {_between(first)}, seen in {plural(first.points, 'scan')} over {span(first.span_seconds)}."]
    if _may_be_chance(first):
        sentences.append("It may be chance: over so few scans nothing grows for certain.")
    if others:
        sentences.append(f"Then {', '.join(f'{_name(one).lower()} ({rate(_slope(one))})' for one in others[:2])}.")
    return Answer(question, f"{_name(first)}: {rate(_slope(first))}", tuple(sentences))


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
    size, unit = low.split(" a ")
    return f"{size} to {high}" if high.endswith(unit) else f"{low} to {high}"


def _full(trend: Trend | None, disk: Disk | None) -> Answer:
    question = "When is the disk full?"
    sentences = [disk_sentence(disk)]
    if trend is None or (trend.full_in_days is None and not _disk_growth(trend)):
        return Answer(question, _NO_TREND, tuple(sentences))
    if trend.full_in_days is None:
        return Answer(question, "Not at this rate", (*sentences, "It does not grow."))
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
