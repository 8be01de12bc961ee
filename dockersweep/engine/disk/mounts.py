"""What is mounted where, as the kernel tells this process."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple


class Mount(NamedTuple):
    """One mount."""

    point: str
    device: str
    """What is mounted: "/dev/sdb1", "tmpfs"."""
    kind: str
    """The file system: "ext4"."""


class _Row(NamedTuple):
    """A line of mountinfo."""

    number: str
    on: str
    """The number of the mount that it lies on."""
    mount: Mount


def read_mounts() -> dict[str, Mount]:
    """Return what is mounted and can be seen, by where: not what something else was mounted over, there or above.
    Nothing where it is not told."""
    # Anybody may have mounted something at a name with a carriage return, which would be one more end of a line.
    with (
        contextlib.suppress(OSError, ValueError),
        open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as file,
    ):
        return {mount.point: mount for mount in _seen([_row(line) for line in file])}
    return {}


def mount_of(path: str, mounts: Mapping[str, Mount]) -> Mount | None:
    """Return the mount that a path without links lies on; None where it is not told."""
    while path not in mounts and path != "/":
        path = path.rpartition("/")[0] or "/"
    return mounts.get(path)


def file_system_of(device: int, mount: Mount | None) -> object:
    """Return what is the same for all places on one file system: the number that stat tells, but on a btrfs, of which
    each subvolume has a number of its own."""
    return mount.device if mount is not None and mount.kind == "btrfs" else device


def as_text(path: str) -> str:
    """Return a path, or the name of a device, as text: bytes of it that are no UTF-8 are shown by their codes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _seen(rows: list[_Row]) -> Iterator[Mount]:
    """Yield the mounts that a path leads to, each on the way from one to the next as the kernel goes it."""
    numbers = {row.number for row in rows}
    roots = [row.number for row in rows if row.mount.point == "/" and (row.on == row.number or row.on not in numbers)]
    # What lies on a mount that was not listed yet, or cannot be seen from here, lies on the root as far as we know.
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
    """Return a path and all that are above it, from the root down."""
    ends = [at for at, character in enumerate(path) if character == "/" and at > 0]
    return ("/", *(path[:end] for end in ends), path) if path != "/" else ("/",)


def _row(line: str) -> _Row:
    """See proc(5): the fields between the root options and the dash vary in number."""
    before, _, after = line.partition(" - ")
    number, on, _, _, point = before.split(" ")[:5]
    kind, device = after.split(" ")[:2]
    return _Row(number, on, Mount(_unescaped(point), _unescaped(device), kind))


def _unescaped(path: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\043", "#"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path
