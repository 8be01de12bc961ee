"""How sizes have grown over the scans of the ledger, and when the disk is full at that rate."""

from collections.abc import Sequence
from datetime import timedelta

from dockersweep.model.disk import Disk
from dockersweep.model.report import SHARES, GrownShare, GrowthOfShare, Trend, TrendPoint
from dockersweep.policy.disk_report.slope import FEWEST, Slope, slope_of
from dockersweep.units import DAY, format_duration, format_instant, format_size

WINDOW = timedelta(days=60)
"""Older points say little about the next weeks."""
LEAST_SPAN_SECONDS = DAY
"""A rate per day cannot be estimated from hours."""
LONGEST_DAYS = 3650
SMALLEST_PERCENT = 0.1
WHOLE_PERCENTS = 9.5


def trend_of(points: Sequence[TrendPoint], disk: Disk | None) -> Trend:
    """Return the trend of points of earlier scans, the oldest first."""
    of_shares = [_growth(share, points) for share in SHARES if share != "network"]
    of_shares.sort(key=lambda growth: -(growth.bytes_per_day or 0))
    growth = (*of_shares, _growth("total", points), _growth("disk", points))
    soonest, middle, latest = _days_until_full(growth[-1], disk)
    return Trend(
        points=tuple(points),
        growth=growth,
        full_in_days=middle,
        full_in_days_soonest=soonest,
        full_in_days_latest=latest,
        text=_text(points, growth, disk, (soonest, middle, latest)),
    )


def _growth(share: GrownShare, points: Sequence[TrendPoint]) -> GrowthOfShare:
    known = [(point.at, size) for point in points if (size := point.sizes.get(share)) is not None]
    if known:
        known = [(at, size) for at, size in known if at >= known[-1][0] - WINDOW]
    span = int((known[-1][0] - known[0][0]).total_seconds()) if known else 0
    slope: Slope | None = None
    if span >= LEAST_SPAN_SECONDS:
        slope = slope_of([((at - known[0][0]).total_seconds() / DAY, float(size)) for at, size in known])
    return GrowthOfShare(
        share=share,
        points=len(known),
        span_seconds=span,
        bytes_per_day=None if slope is None else round(slope.middle),
        low_bytes_per_day=None if slope is None else round(slope.low),
        high_bytes_per_day=None if slope is None else round(slope.high),
        grown_bytes=known[-1][1] - known[0][1] if len(known) > 1 else None,
    )


def _days_until_full(growth: GrowthOfShare, disk: Disk | None) -> tuple[float | None, float | None, float | None]:
    """Return the soonest, the likely and the latest; None where it does not grow at that rate, or takes over ten
    years."""
    if disk is None:
        return None, None, None
    rates = growth.high_bytes_per_day, growth.bytes_per_day, growth.low_bytes_per_day
    days = [None if rate is None or rate <= 0 else disk.free_bytes / rate for rate in rates]
    soonest, middle, latest = (None if count is None or count > LONGEST_DAYS else count for count in days)
    return soonest, middle, latest


def _text(
    points: Sequence[TrendPoint],
    growth: Sequence[GrowthOfShare],
    disk: Disk | None,
    days: tuple[float | None, float | None, float | None],
) -> str:
    *_, total, of_disk = growth
    if of_disk.points == 0 or disk is None:
        has_rates = any(share.bytes_per_day is not None for share in growth)
        return f"nothing tells how full the disk was, or is{'' if has_rates else f'; {_too_few(points)}'}"
    if of_disk.bytes_per_day is None:
        return _too_few([point for point in points if point.sizes.get("disk") is not None])
    basis = f"from {_scans(of_disk.points)} over {format_duration(of_disk.span_seconds)}"
    soonest, middle, latest = days
    if middle is None:
        if soonest is None:
            return f"the use of the disk does not grow ({basis})"
        return f"the use of the disk hardly grows; at worst it is full in {_days(soonest)} ({basis})"
    rate = f"{format_size(of_disk.bytes_per_day)} a day{_of_that(total, of_disk)}"
    if latest is None:
        days_left = f"{_days(middle)}, at worst in {_days(soonest)}; it may also never be"
        return f"at this rate ({rate}) the disk is full in {days_left} ({basis})"
    return f"at this rate ({rate}) the disk is full in {_range(soonest, latest)} ({basis})"


def _too_few(points: Sequence[TrendPoint]) -> str:
    """Return how many scans there are, and when they are enough."""
    if not points:
        return f"no scan is remembered yet, and it takes {FEWEST} over a day to tell what grows"
    points = [point for point in points if point.at >= points[-1].at - WINDOW]
    span = points[-1].at - points[0].at
    over = f" over {format_duration(span.total_seconds())} are" if len(points) > 1 else " is"
    missing = max(1, FEWEST - len(points))
    more = "1 more" if missing == 1 else f"{missing} more, an hour or longer apart"
    if span.total_seconds() < LEAST_SPAN_SECONDS:
        enough = format_instant(points[0].at + timedelta(seconds=LEAST_SPAN_SECONDS))
        more += f" after {enough}" if missing == 1 else f", the last of them after {enough}"
    return (
        f"{_scans(len(points))}{over} not enough to say what grows and when the disk is full: it takes {FEWEST} over "
        f"a day, so {more}"
    )


def _of_that(total: GrowthOfShare, disk: GrowthOfShare) -> str:
    """Return how much of the growth of the disk is the engine's: freeing space there slows no more than that."""
    if total.bytes_per_day is None or not disk.bytes_per_day:
        return ""
    percent = 100 * total.bytes_per_day / disk.bytes_per_day
    if percent <= 0:
        return ", none of that the engine's"
    if percent > 100:
        return ", all of that the engine's"
    if percent < SMALLEST_PERCENT:
        return f", of that the engine is under {SMALLEST_PERCENT} %"
    return f", of that the engine is {percent:.{1 if percent < WHOLE_PERCENTS else 0}f} %"


def _scans(count: int) -> str:
    return "1 scan" if count == 1 else f"{count} scans"


def _range(soonest: float | None, latest: float) -> str:
    first, last = round(soonest or 0), round(latest)
    return _days(latest) if first == last else f"{first} to {last} days"


def _days(days: float | None) -> str:
    whole = round(days or 0)
    return "less than a day" if whole == 0 else "a day" if whole == 1 else f"{whole} days"
