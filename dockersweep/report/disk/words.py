"""What all forms of the disk report have in common: the names of rows, and sentences."""

import shlex
from datetime import datetime

from dockersweep.model.inventory import Engine
from dockersweep.model.naming import short_id
from dockersweep.model.plan import Interval
from dockersweep.model.policy import DEFAULT_SOURCE
from dockersweep.model.quantities import known_sum
from dockersweep.model.report import (
    ArchiveState,
    Finding,
    GrownShare,
    GrowthOfShare,
    Report,
    ReportedDisk,
    ReportedObject,
    Share,
    ShareOfDisk,
    Trend,
)
from dockersweep.report.disk.disks import folder_words, has_several
from dockersweep.report.headline import base_sentence, unused_sentence
from dockersweep.report.local_time import day_of
from dockersweep.report.text import capital
from dockersweep.units import DAY, HOUR, format_duration, format_size
from dockersweep.words.ages import since_words
from dockersweep.words.amounts import format_interval, plural
from dockersweep.words.recovery import Removed, recovery_words

TITLE_OF_SHARE: dict[GrownShare, str] = {
    "image": "Images",
    "writable-layer": "Writable layers",
    "container-log": "Container logs",
    "volume": "Volumes",
    "network": "Networks",
    "build-cache": "Build cache",
    "shared": "Shared by images and build cache",
    "total": "All of these",
    "disk": "The disk, in use",
}
ARTIFACTS = "Artifacts"
REMAINDER = "Remainder"
FOLDER = "Engine's folder"
ARCHIVE = "Archive"
WEEK_DAYS = 7
NO_SPACE: tuple[Share, ...] = ("network",)
SHOWN_EVIDENCE = 3


def shown_shares(report: Report) -> list[ShareOfDisk]:
    """Return the shares that have a row: that of layers shared by images and build cache only if there are any."""
    return [row for row in report.shares if row.share != "shared" or row.count]


def share_cells(row: ShareOfDisk) -> tuple[str, ...]:
    """Return count, in use, unused, size, reclaimable and all unused."""
    if not row.is_known:
        return ("unknown",) * 6
    counts = str(row.count), str(row.in_use), str(row.count - row.in_use)
    if row.share in NO_SPACE:
        return *counts, "", "", ""
    return *counts, *map(format_interval, (row.size, row.reclaimable, row.unused))


def share_rows(report: Report) -> list[tuple[str, ...]]:
    """Return a row for each share, then the rest of the engine's folder, the folder's total, and the archive."""
    rows: list[tuple[str, ...]] = [(TITLE_OF_SHARE[row.share], *share_cells(row)) for row in shown_shares(report)]
    others = [(ARTIFACTS, format_size(report.artifacts_bytes))] if report.artifacts_bytes else []
    if report.folder_bytes is not None:
        others += [(REMAINDER, format_size(report.remainder_bytes)), (FOLDER, folder_words(report))]
    rows += [(title, "", "", "", size, "", "") for title, size in others]
    if report.archive is not None:
        rows.append((ARCHIVE, *archive_cells(report.archive), "", ""))
    return rows


def archive_cells(archive: ArchiveState) -> tuple[str, ...]:
    """Return the number of objects in the archive, two empty cells, and its size."""
    if archive.size_bytes is None:
        return "unknown", "", "", "unknown"
    return str(archive.objects), "", "", format_size(archive.size_bytes)


def archive_sentences(report: Report) -> list[str]:
    """Return what is in the archive, until when, and whether it is whole, and so of each other one; nothing without
    one."""
    archives = [] if report.archive is None else [report.archive, *report.other_archives]
    return [_archive_sentence(archive, report.now) for archive in archives]


def _archive_sentence(archive: ArchiveState, now: datetime) -> str:
    named = f"The archive {archive.folder}"
    if archive.size_bytes is None:
        return f"{named} cannot be read."
    limit = "" if archive.max_bytes is None else f" of at most {format_size(archive.max_bytes)}"
    at_engine = ", on the engine's disk" if archive.on_engine_disk else ""
    size = f"{format_size(archive.size_bytes)}{limit}"
    if not archive.runs:
        return f"{named} is empty ({size}){at_engine}."
    what = f"{plural(archive.objects, 'object')} in {plural(archive.runs, 'run')} ({size})"
    return f"{named} has {what}{_kept_until(archive, now)}{at_engine}{_verified(archive, now)}."


def _kept_until(archive: ArchiveState, now: datetime) -> str:
    if archive.until_first is None or archive.until_last is None:
        return ""
    days = dict.fromkeys(day_of(until, now) for until in (archive.until_first, archive.until_last))
    return f", kept until {' to '.join(days)}"


def _verified(archive: ArchiveState, now: datetime) -> str:
    if archive.verified_at is None:
        return ", never verified: `dockersweep archive verify`"
    others = f", {plural(archive.unverified_runs, 'run')} never" if archive.unverified_runs else ""
    return f", last verified {day_of(archive.verified_at, now)}{others}"


def ways_back_sentences(report: Report) -> list[str]:
    """Return how what the policy in force would remove can be taken back, and what of it cannot; nothing if it would
    remove nothing."""
    goes = [item for item in report.objects if item.recovery is not None]
    removed = [Removed(item.kind, item.name, item.size_bytes, item.recovery) for item in goes if item.recovery]
    until = next((item.recovery.until for item in goes if item.recovery and item.recovery.until), None)
    kept = "" if until is None else f"until {day_of(until, report.now)}"
    return [f"Of what would be removed, {recovery_words(removed, 0, kept)}."] if removed else []


def sum_sentence(report: Report) -> str:
    """Return what the policy frees, what removing everything unused would free, and what sizes count."""
    return (
        f"Reclaimable is what {report.policy_source} would remove: {format_interval(report.reclaimable)}. "
        f"All that is unused{_and_what_goes(report)} would free {format_interval(report.unused)}. "
        f"{unused_sentence(has_stopped(report))} {sizes_sentences(report)}"
    )


def _and_what_goes(report: Report) -> str:
    """Return words for objects in use that count as reclaimable: the policy removes them with their container."""
    takes_space = (item for item in report.objects if item.kind not in NO_SPACE)
    return ", with what goes with it," if any(item.goes and item.in_use for item in takes_space) else ""


def has_stopped(report: Report) -> bool:
    """Return whether there are stopped containers."""
    return any(item.kind == "container" and not item.in_use for item in report.objects)


def removal_sentence(report: Report) -> str | None:
    """Return what the policy in force frees now, and by which command; None if that is nothing."""
    goes = report.reclaimable
    if goes.high_bytes == 0 or not any(item.goes for item in report.objects):
        return None
    with_same = "" if report.policy_source == DEFAULT_SOURCE else " with the same policy flags"
    return f"free {format_interval(goes)}: `dockersweep sweep`{with_same} shows the plan and asks"


def sizes_sentences(report: Report) -> str:
    """Return what sizes count, and which writable layers belong to other tools."""
    base = base_sentence(report.size_base, report.not_from_disk)
    [row] = [row for row in report.shares if row.share == "writable-layer"]
    if not row.external:
        return base
    of_which = f"{plural(row.external, 'container')} of other tools, {format_size(row.external_bytes)}"
    return f"{base} Among the writable layers are {of_which}: podman ps --all --external lists them."


def machine_sentences(report: Report) -> list[str]:
    """Return what becomes of the bytes that an engine in a virtual machine frees; nothing for the others."""
    # These are most.
    if not report.engine.may_be_virtual:
        return []
    from dockersweep.words.machines import sentences_on_machine

    return sentences_on_machine(report.engine)


def trend_sentences(report: Report) -> list[str]:
    """Return when the disk is full, or why that is not known; with several disks, a sentence for each known one."""
    if not has_several(report):
        return [trend_sentence(report)]
    fillings = [(row, row.filling) for row in report.disks if row.filling is not None]
    known = [(row, filling) for row, filling in fillings if filling.growth.bytes_per_day is not None]
    sentences = [" ".join([f"{row.disk.name}: {filling.text}.", *won_on(row)]) for row, filling in known]
    return sentences or [trend_sentence(report)]


def trend_sentence(report: Report) -> str:
    """Return when the main disk is full, or why that is not known."""
    if report.trend is None:
        return "No earlier scans recorded."
    text = report.trend.text
    sentence = f"{capital(text)}."
    return " ".join([sentence, *won_sentences(report)])


def won_sentences(report: Report) -> list[str]:
    """Return how much later the only disk is full after a sweep; empty where nothing goes, or it is not known."""
    return _won_sentence(report.reclaimable, won_words(report))


def won_on(row: ReportedDisk) -> list[str]:
    """Return the same for one of several disks."""
    goes, filling = row.reclaimable, row.filling
    if goes is None or filling is None or filling.full_in_days is None:
        return []
    return _won_sentence(goes, _won_words(goes, filling.growth.bytes_per_day or 0))


def _won_sentence(goes: Interval, won: str | None) -> list[str]:
    return [] if won is None else [f"Freeing {format_interval(goes)} delays that by {won}."]


def won_words(report: Report) -> str | None:
    """Return how much later the only disk is full after a sweep: "less than an hour", "at most 3 days"; None where
    there are several disks."""
    if has_several(report) or report.trend is None or report.trend.full_in_days is None:
        return None
    return _won_words(report.reclaimable, rate_of_disk(report.trend))


def _won_words(goes: Interval, rate: int) -> str | None:
    size = goes.low_bytes if goes.high_bytes is None else goes.high_bytes
    if rate <= 0 or not size:
        return None
    seconds = DAY * size / rate
    if seconds < HOUR:
        # Without an upper bound it may be longer than an hour.
        return "less than an hour" if goes.high_bytes is not None else None
    limit = "" if goes.is_exact else "at least " if goes.high_bytes is None else "at most "
    return f"{limit}{format_duration(seconds)}"


def rate_of_disk(trend: Trend) -> int:
    """Return the growth of the disk's usage in bytes a day; 0 where it is not known."""
    return next((growth.bytes_per_day or 0 for growth in trend.growth if growth.share == "disk"), 0)


def former_words(item: ReportedObject) -> str | None:
    """Return what an image without a name was: "untagged, of shop/web"; None for everything else."""
    if item.kind != "image" or item.name != short_id(item.id):
        return None
    if item.repository:
        return f"untagged, of {item.repository}"
    if item.age_seconds is None or item.age_source is None:
        return "untagged"
    return f"untagged, {since_words(item.age_source, item.last_action)} {format_duration(item.age_seconds)} ago"


def state_words(item: ReportedObject) -> str:
    """Return the state of an object, preceded for an image without a name by what it was."""
    former = former_words(item)
    return f"{former}; {item.why}" if former else item.why


def growths(report: Report) -> list[tuple[str, GrowthOfShare]]:
    """Return name and growth of each share, the fastest first, then of the total and each disk."""
    growth = report.trend.growth if report.trend else ()
    named = [(TITLE_OF_SHARE[grown.share], grown) for grown in growth]
    if not has_several(report):
        return named
    disks = [(f"{row.disk.name}, in use", row.filling.growth) for row in report.disks if row.filling is not None]
    return [*((title, growth) for title, growth in named if growth.share != "disk"), *disks]


def growth_rows(report: Report, most: int | None = None) -> list[tuple[str, str, str, str, str]]:
    """Return a row for each known growth other than 0; of shares at most `most`."""
    known = [(title, growth) for title, growth in growths(report) if growth.bytes_per_day]
    shares = [(title, growth) for title, growth in known if growth.share not in ("total", "disk")]
    others = [(title, growth) for title, growth in known if growth.share in ("total", "disk")]
    return [_growth_cells(title, growth) for title, growth in (*shares[:most], *others)]


def _growth_cells(title: str, growth: GrowthOfShare) -> tuple[str, str, str, str, str]:
    """Return the name, the growth a day and a week, its range, and the number of points."""
    low, high = growth.low_bytes_per_day, growth.high_bytes_per_day
    day = growth.bytes_per_day or 0
    return (
        title,
        signed_size(day),
        signed_size(day * WEEK_DAYS),
        "unknown" if low is None or high is None else f"{signed_size(low)} to {signed_size(high)} a day",
        f"{growth.points} over {format_duration(growth.span_seconds)}",
    )


def signed_size(size_bytes: int) -> str:
    """Return "+1.20 GB", "-300 kB", "0 B"."""
    return f"+{format_size(size_bytes)}" if size_bytes > 0 else format_size(size_bytes)


def evidence_text(finding: Finding, most: int = SHOWN_EVIDENCE) -> str:
    """Return the evidence of a finding in one line: the worst objects, and how many more there are."""
    shown = "; ".join(finding.evidence[:most])
    more = finding.objects - min(most, len(finding.evidence))
    return f"{shown}; and {more} more" if more > 0 else shown


def ages_sentence(report: Report) -> str:
    """Return the size of each age band that has objects."""
    bands = [f"{group.name} {format_size(group.size_bytes)}" for group in report.ages if group.objects]
    return ", ".join(bands) or "there is nothing"


COUNTED_IN_EACH = (
    "Layers that several projects, repositories or ages share count in each of them: these sizes may add up to more "
    "than the whole."
)


def sharing_sentence(report: Report) -> str:
    """Return how many layers belong to one image each, and how many are shared."""
    alone = [layers for layers in report.sharing if layers.images == 1]
    several = [layers for layers in report.sharing if layers.images > 1]
    parts = [f"{layers.layers} used by one image each, {format_size(layers.size_bytes)}" for layers in alone]
    if several:
        sizes = [layers.size_bytes for layers in several]
        size = known_sum(sizes)
        count = sum(layers.layers for layers in several)
        parts.append(f"{count} used by several images, {format_size(size)}")
    return "; ".join(parts) or "no image has layers that are known"


def address_sentence(engine: Engine) -> str | None:
    """Return the flags that commands need to reach this engine, if only flags named it: without them, docker and
    dockersweep would remove objects of the same names on another engine. None where no flags are needed."""
    words: list[str] = []
    if engine.endpoint_source == "--host":
        words = ["-H", engine.endpoint]
    elif engine.context_flag is not None:
        words = ["--context", engine.context_flag]
    if not (words or engine.tls_flags):
        return None
    return f"Every command here needs the flags that reach this engine: {shlex.join([*words, *engine.tls_flags])}."


def silenced_sentence(report: Report) -> str | None:
    """Return which present findings the policy silences; None where it silences none of them."""
    if not report.silenced:
        return None
    return f"Silenced by the policy: {', '.join(report.silenced)}."


def finding_notes(report: Report) -> list[str]:
    """Return the notes below the findings: the flags that their commands need, and which findings are silenced."""
    address = address_sentence(report.engine) if report.findings or removal_sentence(report) else None
    return [sentence for sentence in (address, silenced_sentence(report)) if sentence]
