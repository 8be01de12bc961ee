"""What is mounted where, as the kernel tells this process."""

import contextlib
from collections.abc import Mapping
from typing import NamedTuple


class Mount(NamedTuple):
    """One mount."""

    point: str
    device: str
    """What is mounted: "/dev/sdb1", "tmpfs"."""
    kind: str
    """The file system: "ext4"."""


def read_mounts() -> dict[str, Mount]:
    """Return what is mounted, by where, the last where several lie over each other; nothing where it is not told."""
    with contextlib.suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return {mount.point: mount for mount in map(_mount, file)}
    return {}


def mount_of(path: str, mounts: Mapping[str, Mount]) -> Mount | None:
    """Return the mount that a path without links lies on; None where it is not told."""
    while path not in mounts and path != "/":
        path = path.rpartition("/")[0] or "/"
    return mounts.get(path)


def _mount(line: str) -> Mount:
    """See proc(5): the fields between the root options and the dash vary in number."""
    before, _, after = line.partition(" - ")
    kind, device = after.split(" ")[:2]
    return Mount(_unescaped(before.split(" ")[4]), _unescaped(device), kind)


def _unescaped(path: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path
