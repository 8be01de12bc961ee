"""The trend as lines, drawn by pygal; colours and strokes are the page's own, so that they follow light and dark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup
from pygal import DateTimeLine
from pygal.etree import etree

from dockersweep.model.report import SHARES, Report, TrendPoint
from dockersweep.report.disk_words import TITLE_OF_SHARE
from dockersweep.units import format_size

MOST_POINTS = 240
"""More than these cannot be told apart in a picture."""
FEWEST_POINTS = 2


@dataclass(frozen=True)
class Line:
    """One line of the picture, and what it ends with."""

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
    """Return what was used of the disk and how large the disk is, a line each; empty where nothing tells."""
    points = _thinned(report)
    if report.disk is None or not any(point.sizes.get("disk") for point in points):
        return ()
    total = report.disk.total_bytes
    full = tuple((point.at, total) for point in (points[0], points[-1]))
    return (_line(TITLE_OF_SHARE["disk"], "disk", points), Line("The disk, all of it", full, total))


def drawing(lines: Sequence[Line], width: int, height: int, labels: int, told: str) -> Markup:
    """Return the lines as an SVG element of this size with so many dates below it; `told` says what is seen.

    Empty where there is no line, or too little of one.
    """
    instants = sorted({at for line in lines for at, _ in line.points})
    if len(instants) < FEWEST_POINTS:
        return Markup("")
    chart = DateTimeLine(
        width=width, height=height, js=(), css=(), no_prefix=True, show_legend=False, margin=4, margin_right=12,
        include_x_axis=True, show_dots=len(instants) < 20, dots_size=3, value_formatter=_axis_size,
        x_value_formatter=_date_formatter(instants[-1] - instants[0]), y_labels=_y_labels(lines),
        x_labels=_between(instants[0], instants[-1], labels), allow_interruptions=True,
    )  # fmt: skip
    for line in lines:
        chart.add(line.name, line.points)
    return _as_element(chart.render_tree(), told)


def _thinned(report: Report) -> tuple[TrendPoint, ...]:
    points = report.trend.points if report.trend else ()
    step = len(points) // MOST_POINTS + 1
    # Counted from the end: the newest is what the words beside the picture tell.
    return points[::-1][::step][::-1]


def _line(name: str, share: str, points: Sequence[TrendPoint]) -> Line:
    values = tuple((point.at, point.sizes.get(share)) for point in points)
    return Line(name, values, values[-1][1])


def _y_labels(lines: Sequence[Line]) -> list[int]:
    """Return at most six round sizes from 0 to just over the largest."""
    largest = max((size for line in lines for _, size in line.points if size is not None), default=0) or 1
    power = 10 ** (len(str(largest)) - 1)
    steps = (power // 5, power // 2, power, 2 * power)
    step = next((step for step in steps if step and largest / step <= 5), largest)
    return [step * number for number in range(int(-(-largest // step)) + 1)]


def _between(first: datetime, last: datetime, count: int) -> list[datetime]:
    return [first + (last - first) * number / (count - 1) for number in range(count)]


def _axis_size(size: float) -> str:
    return format_size(int(size)).replace(".00 ", " ").replace(".0 ", " ")


def _date_formatter(span: timedelta) -> Callable[[datetime], str]:
    form = "%d %b %H:%M" if span < timedelta(days=3) else "%d %b %Y" if span > timedelta(days=300) else "%d %b"
    return lambda instant: instant.strftime(form)


def _as_element(tree: etree.Element, told: str) -> Markup:
    # What pygal brings for pages of its own: a style, comments, and layers for a script's tooltips.
    for unwanted in [*tree.findall("defs"), *(one for one in tree if not isinstance(one.tag, str))]:
        tree.remove(unwanted)
    for parent in list(tree.iter()):
        for child in list(parent):
            if "overlay" in child.get("class", ""):
                parent.remove(child)
    del tree.attrib["id"]
    tree.set("role", "img")
    tree.set("aria-label", told)
    tree.find("title").text = told
    text: str = etree.tostring(tree, encoding="unicode")
    return Markup(text)
