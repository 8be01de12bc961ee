"""What only a report reads of an engine: its folder as a whole, and the limit of its build cache."""

from msgspec import Struct

from dockersweep.model.quantities import Bytes


class LeftStore(Struct, frozen=True, kw_only=True):
    """An image store that the engine had before another, and that nothing uses or removes any more."""

    folder: str
    """The folder of it that is the largest."""
    driver: str
    size_bytes: Bytes | None
    """Of all its folders, in disk blocks; None where it was not measured."""


class FolderOnDisk(Struct, frozen=True, kw_only=True):
    """What of the engine's folders lies on one disk."""

    places: tuple[str, ...]
    """Those folders, as the disk has them."""
    size_bytes: Bytes | None
    """In disk blocks, as du counts them: hard links once, and without what is mounted there; None where it was not
    measured."""
    is_whole: bool = True
    """Whether all of it was measured; what could not be walked, like a subvolume, takes more."""


class EngineFolder(Struct, frozen=True, kw_only=True):
    """The engine's own folder, and the stores that it has elsewhere, which only a report reads."""

    size_bytes: Bytes | None
    """What lies on all disks together."""
    left_stores: tuple[LeftStore, ...] = ()
    on_disks: tuple[FolderOnDisk, ...] = ()


class CacheLimit(Struct, frozen=True, kw_only=True):
    """Up to which size the engine lets its build cache grow, which only a report reads."""

    size_bytes: Bytes | None
    """None where it grows without a limit."""
    source: str
    """Where that is known from: "/etc/docker/daemon.json", "the default of Docker 28.5.2"."""
