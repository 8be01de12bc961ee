"""The lines of a trend: the points of each drawing, and the values in its legend."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from dockersweep.model.disk import Disk
from dockersweep.model.report import SHARES, Report, TrendPoint
from dockersweep.report.disk.disks import has_several
from dockersweep.report.disk.words import TITLE_OF_SHARE

MOST_POINTS = 240
"""More points than these cannot be told apart in a drawing."""


class Line(Struct, frozen=True):
    """One line of a drawing, and its last value."""

    name: str
    points: tuple[tuple[datetime, int | None], ...]
    last_bytes: int | None


def kind_lines(report: Report) -> tuple[Line, ...]:
    """Return a line for each share that ever took space, the largest now first; empty without a trend."""
    points = _thinned(report)
    shares = [share for share in SHARES if any(point.sizes.get(share) for point in points)]
    lines = [_line(TITLE_OF_SHARE[share], share, points) for share in shares]
    return tuple(sorted(lines, key=lambda line: -(line.last_bytes or 0)))


def disk_lines(report: Report) -> Iterator[tuple[str, tuple[Line, ...]]]:
    """Yield for each disk a title and two lines, used space and size; no lines where they are unknown."""
    points = _thinned(report)
    if not has_several(report):
        yield "Disk usage over time, all files", _disk_line(report.disk, "disk", points)
        return
    for row in report.disks:
        yield f"Usage of {row.disk.name} over time, all files", _disk_line(row.disk, row.share, points)


def _disk_line(disk: Disk | None, share: str, points: Sequence[TrendPoint]) -> tuple[Line, ...]:
    if disk is None or not any(point.sizes.get(share) for point in points):
        return ()
    full = tuple((point.at, disk.usable) for point in (points[0], points[-1]))
    return (_line(TITLE_OF_SHARE["disk"], share, points), Line("Full", full, disk.usable))


def _thinned(report: Report) -> tuple[TrendPoint, ...]:
    points = report.trend.points if report.trend else ()
    step = len(points) // MOST_POINTS + 1
    # Counted from the end: the legend shows the newest point.
    return points[::-1][::step][::-1]


def _line(name: str, share: str, points: Sequence[TrendPoint]) -> Line:
    values = tuple((point.at, point.sizes.get(share)) for point in points)
    return Line(name, values, values[-1][1])
