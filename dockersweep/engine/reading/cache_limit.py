"""The maximum size of an engine's build cache. No engine reports it, so it is derived from the engine's settings and
defaults.

Docker reads its settings from /etc/docker/daemon.json unless its command line, which only root can read, names another
file. So the settings count only if the engine's folder is below the data root that they name.
"""

import re
from pathlib import Path

import msgspec

from dockersweep.files import read_configuration
from dockersweep.model.disk import Disk
from dockersweep.model.engine_folder import CacheLimit
from dockersweep.model.inventory import Engine, ScanWarning

SETTINGS = Path("/etc/docker/daemon.json")
DEFAULT_ROOT = "/var/lib/docker"
_LARGEST_BYTES = 1_000_000
_GIB = 1 << 30
# From this version on garbage collection is on by default (daemon/config/builder.go of 28.3; before: moby#49826).
_COLLECTS_BY_ITSELF = (28, 3)
# BuildKit's own default, as `docker buildx inspect` of 28.5 shows it.
_DEFAULT_PERCENT = 80
# Engines before 28 have a single limit; its default is a tenth of the disk.
_FIRST_WITH_SHARES = (28, 0)
_FORMER_PERCENT = 10
_FORMER_LEAST = 2_000_000_000
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


class _Rule(msgspec.Struct, rename="camel"):
    keep_storage: str = ""
    reserved_space: str = ""
    max_used_space: str = ""
    all: bool = False
    filter: object = None


class _Collection(msgspec.Struct, rename="camel"):
    enabled: bool | None = None
    default_keep_storage: str = ""
    default_reserved_space: str = ""
    default_max_used_space: str = ""
    default_min_free_space: str = ""
    policy: list[_Rule] | None = None


class _Builder(msgspec.Struct):
    gc: _Collection | None = None


class _Settings(msgspec.Struct, rename="kebab"):
    data_root: str = DEFAULT_ROOT
    builder: _Builder | None = None


def read_cache_limit(
    engine: Engine, disk: Disk | None, settings: Path | None = None
) -> tuple[CacheLimit | None, tuple[ScanWarning, ...]]:
    """Return the limit, None if it cannot be determined, and warnings about what could not be read."""
    if engine.flavour != "docker":
        return None, ()
    if not engine.is_local or disk is None:
        # The settings are on the engine's machine.
        return None, ()
    place = SETTINGS if settings is None else settings
    try:
        read = _read(place, engine)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        text = f"unknown: {place} cannot be read: {getattr(error, 'strerror', None) or error}"
        return None, (ScanWarning(about="limit of the build cache", text=text),)
    collection = (read.builder.gc if read and read.builder else None) or _Collection()
    if collection.enabled is None and collection.policy is None and _is_unset(collection):
        return _by_default(engine, disk), ()
    return _as_configured(engine, disk, collection, str(place)), ()


def _read(place: Path, engine: Engine) -> _Settings | None:
    """Return the settings; None if there are none, or they belong to an engine with another folder."""
    try:
        read = msgspec.json.decode(read_configuration(place, _LARGEST_BYTES) or b"{}", type=_Settings)
    except FileNotFoundError:
        return None
    return read if engine.root_dir is not None and Path(engine.root_dir).is_relative_to(read.data_root) else None


def _is_unset(limits: _Collection) -> bool:
    spaces = (limits.default_reserved_space, limits.default_max_used_space, limits.default_min_free_space)
    return not (limits.default_keep_storage or any(spaces))


def _by_default(engine: Engine, disk: Disk) -> CacheLimit | None:
    version = _version(engine)
    source = f"the default of Docker {engine.version}"
    if version is None or (28, 0) <= version < _COLLECTS_BY_ITSELF:
        # Between these two versions it depends on the patch release.
        return None
    if version < _COLLECTS_BY_ITSELF:
        return CacheLimit(size_bytes=None, source=source)
    return CacheLimit(size_bytes=_rounded(disk, _DEFAULT_PERCENT), source=source)


def _as_configured(engine: Engine, disk: Disk, limits: _Collection, place: str) -> CacheLimit | None:
    version = _version(engine) or (0, 0)
    if not (version >= _COLLECTS_BY_ITSELF if limits.enabled is None else limits.enabled):
        return CacheLimit(size_bytes=None, source=place)
    if limits.policy is not None:
        # A rule with a filter covers only a part of the cache.
        sizes = [_size(rule.max_used_space or rule.keep_storage) for rule in limits.policy if not rule.filter]
        known = [size for size in sizes if size]
        return CacheLimit(size_bytes=max(known) if known else None, source=place)
    if version >= _FIRST_WITH_SHARES:
        if (size := _largest(limits, disk)) is None:
            return None
    else:
        size = _size(limits.default_keep_storage) or max(_rounded(disk, _FORMER_PERCENT), _FORMER_LEAST)
    return CacheLimit(size_bytes=size, source=place)


def _largest(limits: _Collection, disk: Disk) -> int | None:
    """Return the limit that follows from the three settings of Docker 28 and newer; None if only the free space limits
    it.

    If any of them is set, the others have no default (builder/builder-next/worker/gc.go; tried on 28.5); without a
    maximum only the reserved space is kept (calculateKeepBytes in cache/manager.go of BuildKit).
    """
    if _is_unset(limits):
        return _rounded(disk, _DEFAULT_PERCENT)
    reserved = _size(limits.default_reserved_space or limits.default_keep_storage) or 0
    most = _size(limits.default_max_used_space) or 0
    return None if limits.default_min_free_space and not most else max(most, reserved) or None


def _rounded(disk: Disk, percent: int) -> int:
    """Return a percentage of the disk, rounded as BuildKit does: the number of begun GiB, taken as GB."""
    return (disk.total_bytes * percent // 100 // _GIB + 1) * 1_000_000_000


def _size(text: str) -> int | None:
    """Return a size as the engine parses it: "20GB" means 20 GiB (go-units, RAMInBytes). None if it is not a size."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?\s*", text, re.IGNORECASE | re.ASCII)
    return None if match is None else int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])


def _version(engine: Engine) -> tuple[int, int] | None:
    match = re.match(r"(\d+)\.(\d+)", engine.version)
    return (int(match[1]), int(match[2])) if match else None
