"""A disk that an engine uses, as `df` reports it."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from dockersweep.model.quantities import Bytes


class Disk(Struct, frozen=True, kw_only=True):
    """One file system, however many folders of the engine are on it, and wherever else it is mounted."""

    total_bytes: Bytes
    """Including space reserved for root."""
    free_bytes: Bytes
    """What users other than root can still write: "Avail" of df."""
    total_inodes: int | None
    """None where the file system does not count them (btrfs)."""
    free_inodes: int | None
    used_bytes: Bytes | None = None
    """"Used" of df; None from an earlier version, which counted space reserved for root as used."""
    device: str | None = None
    """The mounted device: "/dev/sdb1"; None where that is not known."""
    mount_point: str | None = None
    """Where it is mounted, as df prints it: "/var/lib/docker/volumes"; None where that is not known."""
    places: tuple[str, ...] = ()
    """The engine's folders on it. What is below them is on it too, except below a deeper folder of another disk."""

    @property
    def name(self) -> str:
        """Its name where there are several: the mount point."""
        return self.mount_point or self.device or next(iter(self.places), "?")

    @property
    def used(self) -> int:
        """The used bytes; negative on some FUSE file systems, which report more free space than their size."""
        return self.total_bytes - self.free_bytes if self.used_bytes is None else self.used_bytes

    @property
    def usable(self) -> int:
        """The base of percentages, as in df: used bytes and those that users other than root can still write."""
        return self.used + self.free_bytes

    @property
    def reserved(self) -> int:
        """The bytes reserved for root."""
        return max(0, self.total_bytes - self.usable)


def longest_place(path: str, places: Sequence[Collection[str]]) -> int | None:
    """Return the index of the collection with the deepest folder that contains a path; None where none does."""
    longest, index = -1, None
    for number, folders in enumerate(places):
        for folder in folders:
            if len(folder) > longest and (path == folder or path.startswith(f"{folder.rstrip('/')}/")):
                longest, index = len(folder), number
    return index
