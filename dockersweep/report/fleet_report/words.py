"""What all forms of a fleet report have in common: sentences, and the cells of its tables."""

from collections.abc import Sequence

from dockersweep.model.fleet import HostStatus
from dockersweep.model.fleet_report import FleetReport, HostUsage, SharedVolume
from dockersweep.model.inventory import Kind
from dockersweep.model.plan import Interval
from dockersweep.model.report import SEVERITIES, Severity
from dockersweep.report.disk.page.words import days, days_between
from dockersweep.report.disk.words import signed_size
from dockersweep.report.headline import NOUN_OF
from dockersweep.report.local_time import local_time
from dockersweep.units import format_size
from dockersweep.words.amounts import format_interval, percent_as_df, plural
from dockersweep.words.lists import both

STATUS_WORDS: dict[HostStatus, str] = {
    "done": "done", "refused": "refused", "failed": "failed", "not-reached": "not reached", "not-begun": "not begun",
}  # fmt: skip
UNKNOWN = "unknown"


def source_sentence(report: FleetReport) -> str:
    """Return what was read, of how many engines, and of which time."""
    when = ""
    if report.first_at is not None and report.last_at is not None:
        first, last = local_time(report.first_at), local_time(report.last_at)
        when = f", of {last}" if first == last else f", from {first} to {last}"
    documents, engines = plural(report.documents, "document"), plural(report.engines, "engine")
    return f"{report.source}: {documents} from {engines}{when}"


def total_sentences(report: FleetReport) -> list[str]:
    """Return the sums over all engines."""
    sentences = []
    if report.disk_total_bytes:
        used = percent_as_df(report.disk_used_bytes, report.disk_total_bytes)
        sentences.append(
            f"Disks: {format_size(report.disk_used_bytes)} of {format_size(report.disk_total_bytes)} used ({used}%)."
        )
    sentences.append(
        f"Objects use {interval_words(report.used)}. The policies in force would free "
        f"{interval_words(report.reclaimable)}, removing everything unused {interval_words(report.unused)}."
    )
    return [*sentences, *sweep_sentences(report)]


def interval_words(interval: Interval) -> str:
    """Return an amount for a sentence."""
    amount = format_interval(interval)
    return "an unknown amount" if amount == UNKNOWN else amount


def sweep_sentences(report: FleetReport) -> list[str]:
    """Return what the sweeps in the documents did; nothing without any."""
    removed = [kinds_words(row.kind, row.removed) for row in report.removed if row.removed]
    failed = sum(row.failed for row in report.removed)
    if not report.removed:
        return []
    what = both(removed) if removed else "nothing"
    failures = f"; {plural(failed, 'removal')} failed" if failed else ""
    return [f"Sweeps removed {what}, and freed {format_size(report.freed_bytes)}{failures}."]


def kinds_words(kind: Kind, count: int) -> str:
    """Return "3 images"."""
    return plural(count, NOUN_OF[kind])


def not_done(report: FleetReport) -> list[HostUsage]:
    """Return the hosts whose last fleet run was not done."""
    return [host for host in report.hosts if host.status not in (None, "done")]


def not_done_words(host: HostUsage) -> str:
    """Return a host that was not done, and why: "build3: not reached: connection refused"."""
    assert host.status is not None, "only the hosts of a fleet run have a status"
    why = f": {host.message}" if host.message else ""
    scanned = "" if host.taken_at is None else f" (last scanned {local_time(host.taken_at)})"
    return f"{host.name}: {STATUS_WORDS[host.status]}{why}{scanned}"


def same_sentences(hosts: Sequence[HostUsage]) -> list[str]:
    """Return a sentence for each engine that several hosts lead to."""
    return [f"{both([host.name, *host.also])} are one engine, which counts once." for host in hosts if host.also]


def disk_used(host: HostUsage) -> str:
    """Return how full the main disk is: "72%"."""
    if not host.disk_total_bytes or host.disk_used_bytes is None:
        return UNKNOWN
    return f"{percent_as_df(host.disk_used_bytes, host.disk_total_bytes)}%"


def amount(interval: Interval | None) -> str:
    """Return an amount, or that it is unknown."""
    return UNKNOWN if interval is None else format_interval(interval)


def known(count: int | None) -> str:
    """Return a count, or that it is unknown."""
    return UNKNOWN if count is None else str(count)


def growth_words(host: HostUsage) -> str:
    """Return by how much the objects grow a day, else the disk: "+310 MB", "+2.00 GB (disk)"."""
    if host.growth is not None and host.growth.bytes_per_day is not None:
        return signed_size(host.growth.bytes_per_day)
    if host.disk_growth is not None and host.disk_growth.bytes_per_day is not None:
        return f"{signed_size(host.disk_growth.bytes_per_day)} (disk)"
    return UNKNOWN


def full_words(host: HostUsage) -> str:
    """Return when the main disk is full: "12 days", "12 to 40 days"; empty where it does not grow, or nothing tells."""
    if host.full_in_days is None:
        return ""
    if host.full_in_days_soonest is None or host.full_in_days_latest is None:
        return days(host.full_in_days)
    return days_between(host.full_in_days_soonest, host.full_in_days_latest)


def finding_words(findings: dict[Severity, int] | None) -> str:
    """Return how many findings there are of the worst severity: "2 critical", "1 warning"; "none", or unknown."""
    if findings is None:
        return UNKNOWN
    worst = next((severity for severity in SEVERITIES if findings.get(severity)), None)
    if worst is None:
        return "none"
    count = findings[worst]
    return f"{count} critical" if worst == "critical" else plural(count, worst)


def host_list(names: Sequence[str], most: int) -> str:
    """Return the first names and how many more there are: "a and b", "a, b and 3 more"."""
    more = len(names) - most
    return f"{', '.join(names[:most])} and {more} more" if more > 0 else both(names)


def volume_sentence(volume: SharedVolume, most: int) -> str:
    """Return that the policy of one host would remove a volume that another uses; empty where none would."""
    if not (volume.goes_on and volume.used_on):
        return ""
    uses = "uses" if len(volume.used_on) == 1 else "use"
    return (
        f"Volume {volume.name}: the policy of {host_list(volume.goes_on, most)} would remove it, "
        f"but {host_list(volume.used_on, most)} {uses} it."
    )
