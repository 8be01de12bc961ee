"""The lines of a trend: what each drawing of it shows, and what its legend says."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from dockersweep.model.report import SHARES, Report, TrendPoint
from dockersweep.report.disk.words import TITLE_OF_SHARE

MOST_POINTS = 240
"""More points than these cannot be told apart in a drawing."""


class Line(Struct, frozen=True):
    """One line of a drawing, and its last value."""

    name: str
    points: tuple[tuple[datetime, int | None], ...]
    last_bytes: int | None


def kind_lines(report: Report) -> tuple[Line, ...]:
    """Return a line for each sort that took space at any time, what is largest now first; empty without a trend."""
    points = _thinned(report)
    shares = [share for share in SHARES if any(point.sizes.get(share) for point in points)]
    lines = [_line(TITLE_OF_SHARE[share], share, points) for share in shares]
    return tuple(sorted(lines, key=lambda line: -(line.last_bytes or 0)))


def disk_line(report: Report) -> tuple[Line, ...]:
    """Return what was used of the disk and how large the disk is, a line each; empty where that is not known."""
    points = _thinned(report)
    if report.disk is None or not any(point.sizes.get("disk") for point in points):
        return ()
    total = report.disk.total_bytes
    full = tuple((point.at, total) for point in (points[0], points[-1]))
    return (_line(TITLE_OF_SHARE["disk"], "disk", points), Line("The disk, all of it", full, total))


def _thinned(report: Report) -> tuple[TrendPoint, ...]:
    points = report.trend.points if report.trend else ()
    step = len(points) // MOST_POINTS + 1
    # Counted from the end: the newest point is the one that the legend names.
    return points[::-1][::step][::-1]


def _line(name: str, share: str, points: Sequence[TrendPoint]) -> Line:
    values = tuple((point.at, point.sizes.get(share)) for point in points)
    return Line(name, values, values[-1][1])
