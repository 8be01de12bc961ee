"""What is mounted where, from /proc/self/mountinfo."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple


class Mount(NamedTuple):
    """One mount."""

    point: str
    device: str
    """The mounted device: "/dev/sdb1", "tmpfs"."""
    kind: str
    """The type of the file system: "ext4"."""


class _Row(NamedTuple):
    """A line of mountinfo."""

    number: str
    on: str
    """The number of the parent mount."""
    mount: Mount


def read_mounts() -> dict[str, Mount]:
    """Return path -> visible mount, without mounts that others are mounted over, there or above. Empty where
    unavailable."""
    # newline="\n", because the name of a mount point may contain a carriage return.
    with (
        contextlib.suppress(OSError, ValueError),
        open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as file,
    ):
        return {mount.point: mount for mount in _seen([_row(line) for line in file])}
    return {}


def mount_of(path: str, mounts: Mapping[str, Mount]) -> Mount | None:
    """Return the mount of a path without links; None where unknown."""
    while path not in mounts and path != "/":
        path = path.rpartition("/")[0] or "/"
    return mounts.get(path)


def file_system_of(device: int, mount: Mount | None) -> object:
    """Return a key that is equal for all places on one file system: the device number of stat, or on btrfs, where each
    subvolume has its own number, the device's name."""
    return mount.device if mount is not None and mount.kind == "btrfs" else device


def as_text(path: str) -> str:
    """Return a path, or the name of a device, as text, with bytes that are not UTF-8 escaped."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _seen(rows: list[_Row]) -> Iterator[Mount]:
    """Yield the mounts that are reachable by their path: follow it from mount to mount as the kernel does."""
    numbers = {row.number for row in rows}
    roots = [row.number for row in rows if row.mount.point == "/" and (row.on == row.number or row.on not in numbers)]
    # A mount whose parent is not listed, or not visible from here, counts as mounted on the root.
    root = roots[0] if roots else ""
    lying = {(row.on if row.on in numbers else root, row.mount.point): row.number for row in rows if row.number != root}
    for row in rows:
        number = root
        for path in _paths_to(row.mount.point):
            while (number, path) in lying:
                number = lying[number, path]
        if number == row.number:
            yield row.mount


def _paths_to(path: str) -> Iterable[str]:
    """Return a path and all its parents, from the root down."""
    ends = [at for at, character in enumerate(path) if character == "/" and at > 0]
    return ("/", *(path[:end] for end in ends), path) if path != "/" else ("/",)


def _row(line: str) -> _Row:
    """Parse a line. See proc(5): the number of fields before the dash varies."""
    before, _, after = line.partition(" - ")
    number, on, _, _, point = before.split(" ")[:5]
    kind, device = after.split(" ")[:2]
    return _Row(number, on, Mount(_unescaped(point), _unescaped(device), kind))


def _unescaped(path: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\043", "#"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path
