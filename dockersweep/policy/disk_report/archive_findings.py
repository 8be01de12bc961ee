"""Findings about the archive. The function that finds each, and its row."""

from collections.abc import Iterator

from dockersweep.model.report import ArchiveState
from dockersweep.policy.disk_report.evidence import Evidence
from dockersweep.policy.disk_report.finding_facts import FindingFacts
from dockersweep.policy.disk_report.finding_row import FindingRow, FixTemplate
from dockersweep.units import format_size

NEARLY_FULL_PERCENT = 90


def archive_nearly_full(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield each limit that the archive has nearly reached: what it may take, and what stays free on its disk."""
    for archive in facts.archives:
        if archive.problem is None:
            yield from _nearly_full(archive)


def _nearly_full(archive: ArchiveState) -> Iterator[Evidence]:
    size, limit = archive.size_bytes, archive.max_bytes
    if size is not None and limit is not None and size * 100 >= limit * NEARLY_FULL_PERCENT:
        yield Evidence(
            f"{archive.folder}: it may take {format_size(limit)} (archive.max_size), and its oldest runs go first",
            size,
            title=f"{format_size(size)} of {format_size(limit)}",
        )
    yield from _on_full_disk(archive)


def _on_full_disk(archive: ArchiveState) -> Iterator[Evidence]:
    free, least = archive.free_bytes, archive.min_free_bytes
    if free is not None and least is not None and free * NEARLY_FULL_PERCENT <= least * 100:
        text = f"{archive.folder}: {format_size(least)} stay free on its disk (archive.min_free)"
        yield Evidence(text, archive.size_bytes, title=f"its disk has {format_size(free)} free")


def archive_out_of_use(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield why the archive cannot be used."""
    for archive in facts.archives:
        if archive.problem is not None:
            yield Evidence(archive.problem, title=archive.folder)


def archive_damaged(facts: FindingFacts) -> Iterator[Evidence]:
    """Yield each damaged file of the archives."""
    for archive in facts.archives:
        for damaged in archive.damaged:
            yield Evidence(damaged)


ARCHIVE_FINDINGS = (
    FindingRow(
        "DS028",
        "warning",
        title_of_one="the archive is nearly full: {}",
        title_of_many="the archive is nearly full: {}",
        fix=FixTemplate(
            "{command} shows what is in it, and dockersweep archive drop RUN deletes what nobody wants back; or let it "
            "take more, or keep it for less time, by max_size and keep_for in [archive] of your policy file",
            command="dockersweep archive list",
        ),
        find=archive_nearly_full,
    ),
    FindingRow(
        "DS029",
        "critical",
        title_of_one="the archive cannot be used: {}",
        title_of_many="{} archives cannot be used",
        fix=FixTemplate(
            "until it can, what would go into it stays; what is told with it says how to mend it, and {command} "
            "whether it is mended",
            command="dockersweep archive list",
        ),
        find=archive_out_of_use,
    ),
    FindingRow(
        "DS030",
        "critical",
        title_of_one="1 file of the archive is damaged",
        title_of_many="{} files of the archive are damaged",
        fix=FixTemplate(
            "look at the disk under it, as it loses data; {command} reads all of it again. dockersweep restore RUN "
            "still brings back what else is in that run, and dockersweep archive show RUN lists it; "
            "dockersweep archive drop RUN gives up all of it",
            command="dockersweep archive verify",
        ),
        find=archive_damaged,
    ),
)
