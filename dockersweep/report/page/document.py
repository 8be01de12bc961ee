"""Puts the page together from its template, style and script, which it may alone use."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dockersweep.model.report import Report
from dockersweep.report.disk_words import (
    FOLDER,
    REMAINDER,
    TITLE_OF_SHARE,
    address_sentence,
    disk_sentence,
    signed_size,
    sizes_sentences,
    trend_sentence,
)
from dockersweep.report.page import rows, trend_lines
from dockersweep.report.page.answers import answers, first_steps
from dockersweep.report.page.treemap import tree, treemap
from dockersweep.report.page.words import NAME_OF_SEVERITY, NAME_OF_STANDING, capital, together
from dockersweep.report.text import plural, printable
from dockersweep.units import format_instant, format_size

WIDE_MAP, NARROW_MAP = (1120, 620), (380, 640)
WIDE_LINES, NARROW_LINES = (1120, 300, 8), (380, 260, 3)
"""Width, height, and how many dates there is room for."""

FEW_WARNINGS = 4


@dataclass(frozen=True)
class DrawnTrend:
    """A picture of a trend, drawn for each width, and the lines for its legend."""

    title: str
    lines: Sequence[trend_lines.Line]
    drawings: tuple[tuple[str, Markup], ...]


def page(report: Report) -> str:
    """Return the whole page; every name in it is made printable and escaped."""
    style, script = _part("page.css"), _part("page.js")
    branches = tree(report)
    objects = tuple(rows.object_rows(report.objects))
    return _environment().get_template("page.html").render(
        report=report,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        answers=answers(report),
        steps=first_steps(report),
        shares=rows.share_rows(report),
        map=branches,
        maps=[("wide", treemap(branches, *WIDE_MAP)), ("narrow", treemap(branches, *NARROW_MAP))],
        undrawn=sum(1 for one in report.objects if one.own_bytes is None),
        trends=tuple(_trends(report)),
        groups=[
            ("By project", "Project", rows.group_rows(report.projects), len(report.projects)),
            ("By repository", "Repository", rows.group_rows(report.repositories), len(report.repositories)),
            ("By age", "Age", rows.group_rows(report.ages), len(report.ages)),
        ],
        objects=objects,
        trend_sentence=trend_sentence(report),
        disk_sentence=disk_sentence(report.disk),
        address=address_sentence(report.engine),
        sizes=sizes_sentences(report),
    )  # fmt: skip


def _trends(report: Report) -> Iterator[DrawnTrend]:
    for title, lines in (
        ("What the engine's things took", trend_lines.kind_lines(report)),
        ("What was used of the disk, by whomever", trend_lines.disk_line(report)),
    ):
        told = f"{title}: " + ", ".join(f"{line.name} {format_size(line.last_bytes)}" for line in lines)
        wide, narrow = (trend_lines.drawing(lines, *size, told) for size in (WIDE_LINES, NARROW_LINES))
        if wide:
            yield DrawnTrend(title, lines, (("wide", wide), ("narrow", narrow)))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dockersweep.report.page", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=_finalize,
    )  # fmt: skip
    environment.filters |= {
        "size": format_size,
        "instant": format_instant,
        "capital": capital,
        "together": together,
        "plural": plural,
    }
    environment.filters["growth"] = signed_size
    environment.globals |= {
        "FIRST_ROWS": rows.FIRST_ROWS, "FEW": FEW_WARNINGS, "NAME_OF_SEVERITY": NAME_OF_SEVERITY,
        "NAME_OF_STANDING": NAME_OF_STANDING,
        "TITLE_OF_SHARE": TITLE_OF_SHARE, "REMAINDER": REMAINDER, "FOLDER": FOLDER,
    }  # fmt: skip
    return environment


def _finalize(value: object) -> object:
    """Make all that is text printable before it is escaped."""
    return printable(value) if type(value) is str else value


def _part(name: str) -> str:
    return files("dockersweep.report.page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what a Content-Security-Policy names an inline style or script by."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
