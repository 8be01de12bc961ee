"""What all forms of the disk report say about disks: how full each is, and what the engine has there."""

from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Kind
from dockersweep.model.report import Report, ReportedDisk
from dockersweep.units import format_size
from dockersweep.words.amounts import amount_words, format_interval, percent_as_df
from dockersweep.words.lists import both

CONTENTS: dict[Kind, str] = {
    "image": "images", "container": "containers", "volume": "volumes", "network": "networks",
    "build-cache": "build cache",
}  # fmt: skip
_MOST_PARTS = 6
_SMALL_PART = 100
"""Reserved space is mentioned if it is more than this fraction (1/100) of the disk."""


def has_several(report: Report) -> bool:
    """Return whether the engine uses more than one disk."""
    return len(report.disks) > 1


def disk_sentence(disk: Disk | None) -> str:
    """Return how full a disk is, as df counts it."""
    if disk is None:
        return "usage unknown, the engine's disk cannot be seen from here."
    reserved, inodes = reserved_words(disk), inodes_used(disk)
    used, free = space_used(disk), f"{format_size(disk.free_bytes)} free"
    # With reserved space the percentage is not of the whole disk, so all sizes are given.
    space = (
        f"{format_size(disk.used)} ({used}) used, {free}, {reserved}"
        if reserved
        else f"{used} of {format_size(disk.total_bytes)} used, {free}"
    )
    return f"{space}{f'; inodes {inodes} used' if inodes else ''}."


def space_used(disk: Disk) -> str:
    """Return the percentage used of the space that is not reserved: "31%"."""
    return f"{percent_as_df(disk.used, disk.usable)}%"


def inodes_used(disk: Disk) -> str:
    """Return the percentage of inodes used: "3%"; empty where the file system does not count them."""
    if not disk.total_inodes or disk.free_inodes is None:
        return ""
    return f"{percent_as_df(disk.total_inodes - disk.free_inodes, disk.total_inodes)}%"


def reserved_words(disk: Disk) -> str:
    """Return the reserved space: "13.6 GB of 271 GB reserved for root or the file system"; empty if there is hardly
    any."""
    if disk.reserved * _SMALL_PART <= disk.total_bytes:
        return ""
    return f"{format_size(disk.reserved)} of {format_size(disk.total_bytes)} reserved for root or the file system"


def disk_rows(report: Report) -> list[tuple[str, ...]]:
    """Return a row for each disk: mount point, size, used, free, and the percentages of bytes and inodes used."""
    return [
        (
            disk.name, format_size(disk.total_bytes), format_size(disk.used), format_size(disk.free_bytes),
            space_used(disk), inodes_used(disk),
        )
        for disk in (row.disk for row in report.disks)
    ]  # fmt: skip


def folder_words(whole: Report | ReportedDisk) -> str:
    """Return the size of the engine's folders, on one disk or all: "1.20 GB", "at least 1.20 GB", "unknown"."""
    size = format_size(whole.folder_bytes)
    return size if whole.folder_is_whole or whole.folder_bytes is None else f"at least {size}"


def remainder_sentences(report: Report) -> list[str]:
    """Return the largest parts of the remainder, if known: "Remainder: 123 MB in /var/lib/docker/swarm (raft log and
    snapshots of the swarm) and 12.0 MB in /var/lib/docker/tmp (temporary files)."."""
    parts = sorted((part for row in report.disks for part in row.remainder_parts), key=lambda part: -part.size_bytes)
    largest = [
        f"{format_size(part.size_bytes)} in {part.path}{f' ({part.what})' if part.what else ''}"
        for part in parts[:_MOST_PARTS]
    ]
    return [f"Remainder: {both(largest)}."] if largest else []


def contents_sentence(row: ReportedDisk) -> str:
    """Return what the engine has on one of several disks: "/srv (/dev/sdb1) holds 1.30 GB of the engine's: volumes
    1.20 GB and remainder 100 MB; 1.00 GB of that would be freed"."""
    disk = row.disk
    about = [words for words in (disk.device if disk.device != disk.name else "", reserved_words(disk)) if words]
    name = f"{disk.name} ({', '.join(about)})" if about else disk.name
    parts = [f"{CONTENTS[part.kind]} {format_interval(part.size)}" for part in row.kinds or ()]
    if row.folder_bytes is None:
        return f"{name} holds {both(parts) or f'what lies in {both(disk.places)}'}."
    if row.artifacts_bytes:
        parts.append(f"artifacts {format_size(row.artifacts_bytes)}")
    parts.append(f"remainder {format_size(row.remainder_bytes)}")
    goes = row.reclaimable
    goes_of_it = "" if goes is None or goes.high_bytes == 0 else amount_words(goes, "an unknown part")
    would_go = f"; {goes_of_it} of that would be freed" if goes_of_it else ""
    return f"{name} holds {folder_words(row)} of the engine's: {both(parts)}{would_go}."
