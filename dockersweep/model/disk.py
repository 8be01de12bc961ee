"""A disk that something of an engine lies on, as `df` tells of it."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from dockersweep.model.quantities import Bytes


class Disk(Struct, frozen=True, kw_only=True):
    """One file system, however many folders of the engine lie on it, and wherever it is mounted besides."""

    total_bytes: Bytes
    """With what is reserved for root."""
    free_bytes: Bytes
    """What others than root can still write: "Avail" of df."""
    total_inodes: int | None
    """None where the file system does not count them (btrfs)."""
    free_inodes: int | None
    used_bytes: Bytes | None = None
    """"Used" of df; None in what an earlier version wrote, which counted what is reserved for root as used."""
    device: str | None = None
    """What is mounted: "/dev/sdb1"; None where that is not told."""
    mount_point: str | None = None
    """Where, as df prints it: "/var/lib/docker/volumes"; None where that is not told."""
    places: tuple[str, ...] = ()
    """The engine's folders that lie there. What is below one lies there too, unless a longer one of another disk leads
    to it."""

    @property
    def name(self) -> str:
        """What people call it where there are several: where it is mounted."""
        return self.mount_point or self.device or next(iter(self.places), "?")

    @property
    def used(self) -> int:
        """What is used; below 0 on some file systems in user space, which have more free than there is."""
        return self.total_bytes - self.free_bytes if self.used_bytes is None else self.used_bytes

    @property
    def usable(self) -> int:
        """What shares are of, as df counts them: what is used and what others than root can still write."""
        return self.used + self.free_bytes

    @property
    def reserved(self) -> int:
        """What only root can write."""
        return max(0, self.total_bytes - self.usable)


def longest_place(path: str, places: Sequence[Collection[str]]) -> int | None:
    """Return the number of the collection with the longest folder that leads to a path; None where none does."""
    longest, found = -1, None
    for number, folders in enumerate(places):
        for folder in folders:
            if len(folder) > longest and (path == folder or path.startswith(f"{folder.rstrip('/')}/")):
                longest, found = len(folder), number
    return found
