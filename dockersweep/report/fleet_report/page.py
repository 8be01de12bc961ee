"""Renders the page of a fleet report."""

from collections.abc import Iterator
from functools import cache

from jinja2 import Environment

from dockersweep.model.fleet_report import FleetReport, HostUsage
from dockersweep.report.disk.page.answers import Answer
from dockersweep.report.disk.page.words import NAME_OF_SEVERITY, rate, together
from dockersweep.report.disk.words import TITLE_OF_SHARE, share_cells
from dockersweep.report.fleet_report import words
from dockersweep.report.page.rendering import environment_of, style_and_script
from dockersweep.report.text import capital
from dockersweep.units import format_size
from dockersweep.words.amounts import percent_as_df, plural

NAMED = 3
MOST_HOSTS = 50


def page(report: FleetReport) -> str:
    """Return the whole page; every text in it is made printable and escaped."""
    shown = [row for row in report.shares if row.share != "shared" or row.count]
    return _environment().get_template("page.html").render(
        report=report,
        source=words.source_sentence(report),
        answers=list(_answers(report)),
        same=words.same_sentences(report.hosts),
        missing=[words.not_done_words(host) for host in words.not_done(report)],
        shares=[(TITLE_OF_SHARE[row.share], share_cells(row)) for row in shown],
        **style_and_script(),
    )  # fmt: skip


def _answers(report: FleetReport) -> Iterator[Answer]:
    """Yield how full the disks are, what can be removed, what grows, and what is full first."""
    yield Answer("How full are the disks?", _disks_in_short(report), tuple(_fullest(report)))
    removable = f"Removing everything unused would free {words.interval_words(report.unused)}."
    yield Answer(
        "What can be removed?",
        capital(words.interval_words(report.reclaimable)),
        ("By the policies in force.", removable, *words.sweep_sentences(report)),
    )
    growing = sorted((host for host in report.hosts if (_rate(host) or 0) > 0), key=lambda host: -(_rate(host) or 0))
    yield Answer("What grows?", growing[0].name if growing else "Nothing known", tuple(_rates(growing[:NAMED])))
    full = [host for host in report.hosts if host.full_in_days is not None]
    first = sorted(full, key=lambda host: host.full_in_days or 0.0)[:NAMED]
    in_short = f"{first[0].name}: {words.full_words(first[0])}" if first else _none_in_short(report)
    others = tuple(f"{host.name}: {words.full_words(host)}." for host in first[1:])
    yield Answer("Whose disk is full first?", in_short, others)


def _none_in_short(report: FleetReport) -> str:
    """Return why there is no disk that will be full."""
    return "None at these rates" if any(_rate(host) is not None for host in report.hosts) else capital(words.UNKNOWN)


def _disks_in_short(report: FleetReport) -> str:
    if not report.disk_total_bytes:
        return capital(words.UNKNOWN)
    percent = percent_as_df(report.disk_used_bytes, report.disk_total_bytes)
    return f"{percent}% of {format_size(report.disk_total_bytes)}"


def _fullest(report: FleetReport) -> Iterator[str]:
    yield f"Objects of {plural(report.engines, 'engine')} use {words.interval_words(report.used)}."
    fullest = max(report.hosts, key=lambda host: _share(host) or 0.0, default=None)
    if fullest is not None and _share(fullest) is not None:
        yield f"The fullest: {fullest.name}, {words.disk_used(fullest)}."


def _rates(growing: list[HostUsage]) -> Iterator[str]:
    for host in growing:
        what = "" if host.growth and host.growth.bytes_per_day is not None else " (the whole disk)"
        yield f"{host.name}: {rate(_rate(host) or 0)}{what}."


def _rate(host: HostUsage) -> int | None:
    """Return by how much the objects of a host grow, else its disk."""
    rates = [growth.bytes_per_day for growth in (host.growth, host.disk_growth) if growth is not None]
    return next((known for known in rates if known is not None), None)


def _share(host: HostUsage) -> float | None:
    if not host.disk_total_bytes or host.disk_used_bytes is None:
        return None
    return host.disk_used_bytes / host.disk_total_bytes


@cache
def _environment() -> Environment:
    environment = environment_of("dockersweep.report.fleet_report")
    environment.filters |= {
        "known": words.known,
        "together": together,
        "amount": words.amount,
        "disk_used": words.disk_used,
        "share": _share,
        "rate": _rate,
        "growth": words.growth_words,
        "full": words.full_words,
        "findings": words.finding_words,
        "host_list": lambda names: words.host_list(names, MOST_HOSTS),
        "warning": lambda volume: words.volume_sentence(volume, MOST_HOSTS),
    }
    environment.globals |= {"NAME_OF_SEVERITY": NAME_OF_SEVERITY, "STATUS_WORDS": words.STATUS_WORDS}
    return environment
