"""Draws what `make` has printed: a terminal with a plan, and the page of a report down to its map."""

import sys
from html import escape
from pathlib import Path

from tests.rig.browser import chromium, opened

COLUMNS, LETTER, LINE, MARGIN, BAR = 80, 8.43, 19, 16, 30
"""In the units of the picture, which is drawn with letters of 14."""
WIDTH, BELOW_MAP = 1200, 6
STYLE = (
    ".frame{fill:#1b1f24}.bar{fill:#2d333b}.dot{fill:#57606a}"
    "text{fill:#e6edf3;font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}"
    "text{white-space:pre}"
    ".prompt{fill:#7ee787}"
)


def terminal(lines: list[str]) -> str:
    """Return an SVG picture of a terminal with these lines, of which the first is a command."""
    width, height = COLUMNS * LETTER + 2 * MARGIN, len(lines) * LINE + BAR + 2 * MARGIN
    dots = "".join(f'<circle class="dot" cx="{18 + 18 * number}" cy="{BAR / 2:g}" r="5"/>' for number in range(3))
    texts = "".join(_text(line, number) for number, line in enumerate(lines) if line.strip())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" role="img" width="{width:g}">'
        f"<title>dockersweep plan on a terminal</title><style>{STYLE}</style>"
        f'<rect class="frame" width="100%" height="100%" rx="8"/><rect class="bar" width="100%" height="{BAR}" rx="8"/>'
        f"{dots}{texts}</svg>\n"
    )


def _text(line: str, number: int) -> str:
    # As wide as so many letters in whatever typeface is there.
    indent = len(line) - len(line.lstrip())
    words = escape(line.strip())
    words = f'<tspan class="prompt">$</tspan>{words[1:]}' if number == 0 else words
    x, y = MARGIN + indent * LETTER, BAR + MARGIN + LINE * (number + 0.75)
    length = len(line.strip()) * LETTER
    return f'<text x="{x:.1f}" y="{y:g}" textLength="{length:.1f}" xml:space="preserve">{words}</text>\n'


def main(printed: Path, pictures: Path) -> None:
    """Write both pictures of what was printed into a folder."""
    plan = (printed / "plan.txt").read_text(encoding="utf-8").rstrip().split("\n")
    (pictures / "plan.svg").write_text(terminal(["$ dockersweep plan", *plan]), encoding="utf-8")
    with chromium() as browser, opened(browser, printed / "report.html", WIDTH) as watched:
        box = watched.page.locator("svg.map.wide").bounding_box()
        assert box is not None, "the page has no map"
        height = box["y"] + box["height"] + BELOW_MAP
        watched.page.screenshot(
            path=pictures / "report.png",
            clip={"x": 0, "y": 0, "width": WIDTH, "height": height},
            full_page=True,
        )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
