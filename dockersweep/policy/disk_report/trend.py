"""How sizes have grown over the scans of the ledger, and when each disk is full at that rate."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from dockersweep.model.disk import Disk
from dockersweep.model.report import SHARES, Filling, GrownShare, GrowthOfShare, Trend, TrendPoint
from dockersweep.policy.disk_report.slope import FEWEST, Slope, slope_of
from dockersweep.units import DAY, format_duration, format_instant, format_size

WINDOW = timedelta(days=60)
"""Older points say little about the coming weeks."""
LEAST_SPAN_SECONDS = DAY
"""A rate per day cannot be estimated from hours."""
LONGEST_DAYS = 3650
SMALLEST_PERCENT = 0.1
WHOLE_PERCENTS = 9.5


def trend_of(points: Sequence[TrendPoint], disk: Disk | None, is_only_disk: bool = True) -> Trend:
    """Return the trend of the points of scans, the oldest first; `disk` is the engine's main one.

    Only with `is_only_disk` does the text say how much of its growth is the engine's: with several disks it is not
    known on which of them the engine grew.
    """
    of_shares = [_growth(share, share, points) for share in SHARES if share not in ("network", "shared")]
    of_shares.sort(key=lambda growth: -(growth.bytes_per_day or 0))
    total = _growth("total", "total", points)
    filling = filling_of(points, disk, "disk", total if is_only_disk else None)
    growth = (*of_shares, total, filling.growth)
    text = filling.text
    if (filling.growth.points == 0 or disk is None) and not any(row.bytes_per_day is not None for row in growth):
        text = f"{text}; {_too_few(points)}"
    return Trend(
        points=tuple(points),
        growth=growth,
        full_in_days=filling.full_in_days,
        full_in_days_soonest=filling.full_in_days_soonest,
        full_in_days_latest=filling.full_in_days_latest,
        text=text,
    )


def filling_of(
    points: Sequence[TrendPoint], disk: Disk | None, share: str, total: GrowthOfShare | None = None
) -> Filling:
    """Return whether a disk fills up, by the sizes of this share in the points; `total` is the growth of the whole
    engine, None where not all of it is on this disk."""
    growth = _growth("disk", share, points)
    soonest, middle, latest = days = _days_until_full(growth, disk)
    if growth.points == 0 or disk is None:
        text = "not known how full the disk was, or is"
    elif growth.bytes_per_day is None:
        text = _too_few([point for point in points if point.sizes.get(share) is not None])
    else:
        text = _text(growth, "" if total is None else _of_that(total, growth), days)
    return Filling(
        growth=growth, full_in_days=middle, full_in_days_soonest=soonest, full_in_days_latest=latest, text=text
    )


def as_df_counts(points: Sequence[TrendPoint], reserved_of: Mapping[str, int]) -> list[TrendPoint]:
    """Return points with sizes of disks as df counts used space; the ledger records everything that is not free.

    All versions record the same, so no size jumps with an upgrade. `reserved_of` has the reserved bytes of each disk,
    by its share.
    """
    return [
        TrendPoint(
            at=point.at,
            sizes={
                share: size if size is None else max(0, size - reserved_of.get(share, 0))
                for share, size in point.sizes.items()
            },
        )
        for point in points
    ]


def _growth(share: GrownShare, key: str, points: Sequence[TrendPoint]) -> GrowthOfShare:
    known = [(point.at, size) for point in points if (size := point.sizes.get(key)) is not None]
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
    """Return the earliest, likely and latest number of days; None where the disk does not grow at that rate, or it
    takes over ten years."""
    if disk is None:
        return None, None, None
    rates = growth.high_bytes_per_day, growth.bytes_per_day, growth.low_bytes_per_day
    days = [None if rate is None or rate <= 0 else disk.free_bytes / rate for rate in rates]
    soonest, middle, latest = (None if count is None or count > LONGEST_DAYS else count for count in days)
    return soonest, middle, latest


def _text(growth: GrowthOfShare, of_that: str, days: tuple[float | None, float | None, float | None]) -> str:
    basis = f"from {_scans(growth.points)} over {format_duration(growth.span_seconds)}"
    soonest, middle, latest = days
    if middle is None:
        if soonest is None:
            return f"the use of the disk does not grow ({basis})"
        return f"the use of the disk hardly grows; at worst it is full in {_days(soonest)} ({basis})"
    rate = f"{format_size(growth.bytes_per_day)} a day{of_that}"
    if latest is None:
        days_left = f"{_days(middle)}, at worst in {_days(soonest)}; it may also never be"
        return f"at this rate ({rate}) the disk is full in {days_left} ({basis})"
    return f"at this rate ({rate}) the disk is full in {_range(soonest, latest)} ({basis})"


def _too_few(points: Sequence[TrendPoint]) -> str:
    """Return a phrase with the number of scans so far, and when they will be enough."""
    if not points:
        return f"needs {FEWEST} scans at least an hour apart over a day; none so far"
    points = [point for point in points if point.at >= points[-1].at - WINDOW]
    span = points[-1].at - points[0].at
    over = f" over {format_duration(span.total_seconds())}" if len(points) > 1 else ""
    known_from = ""
    if span.total_seconds() < LEAST_SPAN_SECONDS:
        known_from = f"; known after {format_instant(points[0].at + timedelta(seconds=LEAST_SPAN_SECONDS))}"
    return f"needs {FEWEST} scans at least an hour apart over a day; {len(points)} so far{over}{known_from}"


def _of_that(total: GrowthOfShare, disk: GrowthOfShare) -> str:
    """Return a phrase with the engine's part of the disk's growth: freeing space of the engine affects only that."""
    if total.bytes_per_day is None or not disk.bytes_per_day:
        return ""
    percent = 100 * total.bytes_per_day / disk.bytes_per_day
    if percent <= 0:
        return ", none of that the engine's"
    if percent > 100:
        return ", all of that the engine's"
    if percent < SMALLEST_PERCENT:
        return f", of that the engine is under {SMALLEST_PERCENT}%"
    return f", of that the engine is {percent:.{1 if percent < WHOLE_PERCENTS else 0}f}%"


def _scans(count: int) -> str:
    return "1 scan" if count == 1 else f"{count} scans"


def _range(soonest: float | None, latest: float) -> str:
    first, last = round(soonest or 0), round(latest)
    return _days(latest) if first == last else f"{first} to {last} days"


def _days(days: float | None) -> str:
    whole = round(days or 0)
    return "less than a day" if whole == 0 else "a day" if whole == 1 else f"{whole} days"
