"""What there is to find about the engine itself: its build cache, what it left behind, and its disk."""

from dockersweep.model.inventory import Disk
from dockersweep.policy.disk_report.scene import Evidence, Found, Scene
from dockersweep.units import format_size

NEARLY_FULL_PERCENT = 95
FILLS_UP_PERCENT = 85
SOON_DAYS = 30
LARGE_CACHE_BYTES = 1_000_000_000


def cache_over_limit(scene: Scene) -> Found:
    """A limit that the engine does not keep to, because what it may not remove is larger, or it has yet to look."""
    limit, size = scene.inventory.cache_limit, _cache_bytes(scene)
    if limit is not None and limit.size_bytes is not None and size is not None and size > limit.size_bytes:
        title = f"{format_size(size)}, over {format_size(limit.size_bytes)}"
        yield Evidence(f"the limit is from {limit.source}", size, title=title)


def cache_without_limit(scene: Scene) -> Found:
    """A cache that only ever grows."""
    limit, size = scene.inventory.cache_limit, _cache_bytes(scene)
    if limit is not None and limit.size_bytes is None and size is not None and size >= LARGE_CACHE_BYTES:
        yield Evidence(f"there is no limit by {limit.source}", size, title=format_size(size))


def _cache_bytes(scene: Scene) -> int | None:
    """Return what the engine counts itself: what images have too is no cache for it."""
    sizes = [one.size_bytes for one in scene.inventory.build_cache or () if not one.shared]
    return None if None in sizes else sum(size or 0 for size in sizes)


def left_stores(scene: Scene) -> Found:
    """What an engine had before it was told to use another image store."""
    for store in scene.inventory.folder.left_stores if scene.inventory.folder else ():
        text = f"{store.folder} ({store.driver}): {format_size(store.size_bytes)}"
        yield Evidence(text, store.size_bytes, name=store.folder)


def disk_nearly_full(scene: Scene) -> Found:
    """A disk of which less than a twentieth is free, of bytes or of inodes."""
    yield from _full(scene, NEARLY_FULL_PERCENT, 101)


def disk_fills_up(scene: Scene) -> Found:
    """A disk that is not yet nearly full."""
    if not list(_full(scene, NEARLY_FULL_PERCENT, 101)):
        yield from _full(scene, FILLS_UP_PERCENT, NEARLY_FULL_PERCENT)


def _full(scene: Scene, least: float, below: float) -> Found:
    disk = scene.inventory.disk
    # A file system that has no blocks of its own tells nothing of how full it is.
    if disk is None or disk.total_bytes == 0:
        return
    used = disk.total_bytes - disk.free_bytes
    bytes_used, inodes_used = 100 * used / disk.total_bytes, _inodes_used(disk)
    if least <= bytes_used < below:
        text = f"{format_size(disk.free_bytes)} of {format_size(disk.total_bytes)} are free"
        yield Evidence(text, used, rank=bytes_used, title=f"{bytes_used:.0f} % of its bytes are used")
    if inodes_used is not None and least <= inodes_used < below:
        text = f"{disk.free_inodes:,} of {disk.total_inodes:,} inodes are free"
        yield Evidence(text, rank=inodes_used, title=f"{inodes_used:.0f} % of its inodes are used")


def _inodes_used(disk: Disk) -> float | None:
    if not disk.total_inodes or disk.free_inodes is None:
        return None
    return 100 * (disk.total_inodes - disk.free_inodes) / disk.total_inodes


def disk_full_soon(scene: Scene) -> Found:
    """A disk that is full within a month if it goes on like this."""
    trend = scene.trend
    if trend is None or trend.full_in_days is None or trend.full_in_days > SOON_DAYS:
        return
    days = round(trend.full_in_days)
    yield Evidence(trend.text, title="in less than a day" if not days else f"in about {days} days")
