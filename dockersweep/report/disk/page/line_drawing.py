"""Line charts drawn by pygal; colors and strokes come from the page's style, so that they follow light and dark."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from markupsafe import Markup
from pygal import DateTimeLine
from pygal.etree import etree

from dockersweep.report.disk.page.trend_lines import Line
from dockersweep.units import format_size

FEWEST_POINTS = 2


def drawing(lines: Sequence[Line], width: int, height: int, labels: int, description: str) -> Markup:
    """Return the lines as an SVG element of this size. `labels` is the number of dates below it; screen readers read
    `description`.

    Empty where there are fewer than two instants.
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
    return _as_element(chart.render_tree(), description)


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


def _as_element(tree: etree.Element, description: str) -> Markup:
    # Remove what pygal adds for its own pages: a style, comments, and layers for a script's tooltips.
    for unwanted in [*tree.findall("defs"), *(child for child in tree if not isinstance(child.tag, str))]:
        tree.remove(unwanted)
    for parent in list(tree.iter()):
        for child in list(parent):
            if "overlay" in child.get("class", ""):
                parent.remove(child)
    del tree.attrib["id"]
    tree.set("role", "img")
    tree.set("aria-label", description)
    tree.find("title").text = description
    text: str = etree.tostring(tree, encoding="unicode")
    return Markup(text)
