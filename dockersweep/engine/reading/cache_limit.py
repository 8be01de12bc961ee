"""Up to which size an engine lets its build cache grow: no engine tells, so its settings and its defaults must.

Docker reads its settings from /etc/docker/daemon.json unless it is told another file, and that only root sees on the
command line of its process: what is found there counts only where it names the engine's own folder.
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
# From there on the engine collects without being told (daemon/config/builder.go of 28.3); before it must be told
# (moby#49826).
_COLLECTS_BY_ITSELF = (28, 3)
# What BuildKit's own default is, as `docker buildx inspect` of 28.5 shows it.
_DEFAULT_PERCENT = 80
# Engines before 28 know one limit only, which is a tenth of the disk where nothing is said.
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
    """Return the limit, and what could not be read, as warnings; None where nothing tells."""
    if engine.flavour != "docker":
        return None, ()
    if not engine.is_local or disk is None:
        # Its settings are where it is.
        return None, ()
    place = SETTINGS if settings is None else settings
    try:
        read = _read(place, engine)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        text = f"unknown: {place} cannot be read: {getattr(error, 'strerror', None) or error}"
        return None, (ScanWarning(about="limit of the build cache", text=text),)
    collection = (read.builder.gc if read and read.builder else None) or _Collection()
    if collection.enabled is None and collection.policy is None and _says_nothing(collection):
        return _by_default(engine, disk), ()
    return _as_told(engine, disk, collection, str(place)), ()


def _read(place: Path, engine: Engine) -> _Settings | None:
    """Return what the settings say; None where there are none, or they are of an engine with another folder."""
    try:
        read = msgspec.json.decode(read_configuration(place, _LARGEST_BYTES) or b"{}", type=_Settings)
    except FileNotFoundError:
        return None
    return read if engine.root_dir is not None and Path(engine.root_dir).is_relative_to(read.data_root) else None


def _says_nothing(limits: _Collection) -> bool:
    spaces = (limits.default_reserved_space, limits.default_max_used_space, limits.default_min_free_space)
    return not (limits.default_keep_storage or any(spaces))


def _by_default(engine: Engine, disk: Disk) -> CacheLimit | None:
    version = _version(engine)
    source = f"the default of Docker {engine.version}"
    if version is None or (28, 0) <= version < _COLLECTS_BY_ITSELF:
        # Between these two it depends on the patch.
        return None
    if version < _COLLECTS_BY_ITSELF:
        return CacheLimit(size_bytes=None, source=source)
    return CacheLimit(size_bytes=_rounded(disk, _DEFAULT_PERCENT), source=source)


def _as_told(engine: Engine, disk: Disk, limits: _Collection, place: str) -> CacheLimit | None:
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
    """Return the size that the three shares of Docker 28 and newer leave; None where the free space alone limits it.

    Where any of them is set the others have no default (builder/builder-next/worker/gc.go; tried on 28.5); without a
    maximum what is reserved is all that is kept (calculateKeepBytes in cache/manager.go of BuildKit).
    """
    if _says_nothing(limits):
        return _rounded(disk, _DEFAULT_PERCENT)
    reserved = _size(limits.default_reserved_space or limits.default_keep_storage) or 0
    most = _size(limits.default_max_used_space) or 0
    return None if limits.default_min_free_space and not most else max(most, reserved) or None


def _rounded(disk: Disk, percent: int) -> int:
    """Return a share of the disk as BuildKit rounds it: up to the next GB, by way of GiB."""
    return (disk.total_bytes * percent // 100 // _GIB + 1) * 1_000_000_000


def _size(text: str) -> int | None:
    """Return a size as the engine reads it, for whom "20GB" are 20 GiB (go-units, RAMInBytes); None for no size."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?\s*", text, re.IGNORECASE | re.ASCII)
    return None if match is None else int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])


def _version(engine: Engine) -> tuple[int, int] | None:
    match = re.match(r"(\d+)\.(\d+)", engine.version)
    return (int(match[1]), int(match[2])) if match else None
