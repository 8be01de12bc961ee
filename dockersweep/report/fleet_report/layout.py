"""The fleet report as a layout: sections for terminal and Markdown, and one row a host for spreadsheets."""

from collections.abc import Callable, Iterator
from operator import attrgetter

from dockersweep.model.fleet_report import FleetReport, HostUsage
from dockersweep.model.plan import Interval
from dockersweep.model.report import SEVERITIES, GrowthOfShare, Severity
from dockersweep.report.disk.words import TITLE_OF_SHARE, share_cells
from dockersweep.report.fleet_report import words
from dockersweep.report.layout import Cell, Column, Layout, Section, rows_of
from dockersweep.units import format_instant, format_size

MOST_HOSTS = 25
MOST_ROWS = 10
NAMED_HOSTS = 4
_HOSTS = (
    Column("HOST", shortens=True),
    Column("DISK", right=True),
    Column("OBJECTS", right=True, wraps=True, narrowest=8),
    Column("RECLAIMABLE", right=True, wraps=True, narrowest=11),
    Column("A DAY", right=True, wraps=True, narrowest=9),
    Column("FULL IN", right=True, wraps=True, narrowest=8),
    Column("FINDINGS"),
)
_SHARES = (
    Column("USAGE BY TYPE", wraps=True, narrowest=17),
    Column("COUNT", right=True),
    Column("IN USE", right=True),
    Column("SIZE", right=True, wraps=True, narrowest=10),
    Column("RECLAIMABLE", right=True, wraps=True, narrowest=11),
    Column("ALL UNUSED", right=True, wraps=True, narrowest=10),
)
_REPOSITORIES = (
    Column("REPOSITORY", shortens=True),
    Column("HOSTS", right=True),
    Column("IMAGES", right=True),
    Column("SIZE", right=True),
    Column("UNUSED", right=True),
)
_IMAGES = (
    Column("IMAGE ON SEVERAL HOSTS", shortens=True),
    Column("HOSTS", right=True),
    Column("IN USE", right=True),
    Column("SIZE", right=True),
    Column("ALL COPIES", right=True),
)
_VOLUMES = (
    Column("SHARED VOLUME", shortens=True),
    Column("DRIVER", shortens=True),
    Column("USED ON", wraps=True),
    Column("UNUSED ON", wraps=True),
)
_FINDINGS = (
    Column("FINDING"),
    Column("SEVERITY"),
    Column("HOSTS", right=True),
    Column("AT WORST", wraps=True, narrowest=24),
    Column("ON", wraps=True),
)


def _of_findings(severity: Severity) -> Callable[[HostUsage], Cell]:
    return lambda host: None if host.findings is None else host.findings.get(severity, 0)


def _rate(growth: GrowthOfShare | None) -> int | None:
    return None if growth is None else growth.bytes_per_day


def _bound(amount: str, end: str) -> Callable[[HostUsage], Cell]:
    """Return the function for one end of an amount of bytes; None where that is not known."""

    def cell(host: HostUsage) -> Cell:
        interval: Interval | None = getattr(host, amount)
        return None if interval is None else interval.low_bytes if end == "low" else interval.high_bytes

    return cell


_CELLS: dict[str, Callable[[HostUsage], Cell]] = {
    "host": attrgetter("name"),
    "engine_id": attrgetter("engine_id"),
    "address": attrgetter("address"),
    "version": attrgetter("version"),
    "documents": attrgetter("documents"),
    "taken_at": lambda host: None if host.taken_at is None else format_instant(host.taken_at),
    "status": attrgetter("status"),
    "message": attrgetter("message"),
    "used_low_bytes": _bound("used", "low"),
    "used_high_bytes": _bound("used", "high"),
    "reclaimable_low_bytes": _bound("reclaimable", "low"),
    "reclaimable_high_bytes": _bound("reclaimable", "high"),
    "unused_low_bytes": _bound("unused", "low"),
    "unused_high_bytes": _bound("unused", "high"),
    "disk_total_bytes": attrgetter("disk_total_bytes"),
    "disk_used_bytes": attrgetter("disk_used_bytes"),
    "bytes_per_day": lambda host: _rate(host.growth),
    "disk_bytes_per_day": lambda host: _rate(host.disk_growth),
    "growth_from": attrgetter("growth_from"),
    "full_in_days": lambda host: None if host.full_in_days is None else round(host.full_in_days, 1),
    **{severity: _of_findings(severity) for severity in SEVERITIES},
    "freed_bytes": attrgetter("freed_bytes"),
    "failed": attrgetter("failed"),
}


def fleet_layout(report: FleetReport) -> Layout:
    """Return the layout of a fleet report."""
    return Layout("Disk report of all hosts", _sections(report), rows_of(report.hosts, _CELLS))


def _sections(report: FleetReport) -> Iterator[Section]:
    yield Section(sentences=(words.source_sentence(report), *words.total_sentences(report)))
    missing = words.not_done(report)
    yield Section("NOT DONE" if missing else None, items=[words.not_done_words(host) for host in missing])
    yield from _hosts(report)
    yield _shares(report)
    yield _repositories(report)
    yield _images(report)
    yield from _volumes(report)
    yield _findings(report)
    yield Section(sentences=[f"Skipped: {file.why}" for file in report.skipped])


def _hosts(report: FleetReport) -> Iterator[Section]:
    rows = [
        (
            host.name, words.disk_used(host), words.amount(host.used), words.amount(host.reclaimable),
            words.growth_words(host), words.full_words(host), words.finding_words(host.findings),
        )
        for host in report.hosts
    ]  # fmt: skip
    yield Section(columns=_HOSTS, rows=rows[:MOST_HOSTS], shows_no_rows=True)
    more = len(rows) - MOST_HOSTS
    sentences = [f"And {more} more: --format csv has all hosts."] if more > 0 else []
    yield Section(sentences=[*sentences, *words.same_sentences(report.hosts)[:MOST_ROWS]], goes_on=True)


def _shares(report: FleetReport) -> Section:
    shown = [row for row in report.shares if row.share != "shared" or row.count]
    # The fourth cell, how many are unused, is left out.
    rows = [
        (TITLE_OF_SHARE[row.share], *(cell for place, cell in enumerate(share_cells(row)) if place != 2))
        for row in shown
    ]
    return Section(columns=_SHARES, rows=rows)


def _repositories(report: FleetReport) -> Section:
    rows = [
        (
            row.name, str(row.hosts), str(row.images), _at_least(row.size_bytes, row.unknown_hosts),
            format_size(row.unused_bytes),
        )
        for row in report.repositories[:MOST_ROWS]
    ]  # fmt: skip
    return Section(columns=_REPOSITORIES, rows=rows)


def _at_least(size_bytes: int, unknown_hosts: int) -> str:
    return f"at least {format_size(size_bytes)}" if unknown_hosts else format_size(size_bytes)


def _images(report: FleetReport) -> Section:
    rows = [
        (
            image.name,
            str(image.hosts),
            words.known(image.in_use),
            format_size(image.size_bytes),
            format_size(image.all_bytes),
        )
        for image in report.images[:MOST_ROWS]
    ]
    return Section(columns=_IMAGES, rows=rows)


def _volumes(report: FleetReport) -> Iterator[Section]:
    rows = [
        (
            volume.name, volume.driver, words.host_list(volume.used_on, NAMED_HOSTS),
            words.host_list(volume.unused_on, NAMED_HOSTS),
        )
        for volume in report.volumes[:MOST_ROWS]
    ]  # fmt: skip
    yield Section(columns=_VOLUMES, rows=rows)
    sentences = [words.volume_sentence(volume, NAMED_HOSTS) for volume in report.volumes[:MOST_ROWS]]
    yield Section(sentences=[sentence for sentence in sentences if sentence], goes_on=True)


def _findings(report: FleetReport) -> Section:
    rows = [
        (
            finding.id, finding.severity, str(len(finding.hosts)), finding.title,
            words.host_list(finding.hosts, NAMED_HOSTS),
        )
        for finding in report.findings
    ]  # fmt: skip
    return Section(columns=_FINDINGS, rows=rows)
