"""What an engine's data root takes on the disk: the truth that predictions of freed bytes are held against.

An engine has books of its own there, which grow and shrink with everything it does, and are not given back with
anything: they are left out, see `_is_book`. What is looked at is what the machine sees of the folder, so that what is
mounted inside the engine's namespaces counts once, where it lies.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

from tests.rig.engines.engine import Engine

_BLOCK = 512
_POLL = 0.05
_PATIENCE = 30.0
_BOOK_ENDINGS = (".db", ".db-wal", ".db-shm", ".db-journal", ".sql", ".sqlite", ".lock")
_BOOK_NAMES = frozenset({"repositories.json", "images.json", "layers.json", "containers.json", "runc-log.json"})
_BOOK_FOLDERS = frozenset({"network", "plugins", "runtimes", "swarm", "tmp", "tmpmounts", "trust", "ingest"})
_LISTINGS = ("tar-split.json.gz", ".tar-split.gz")
_LAYER_STARTS = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh")
_IMAGE_KEYS = (b'"layers"', b'"manifests"', b'"rootfs"')


@dataclass(frozen=True)
class Used:
    """Bytes of one data root, or the difference of two. Hard links count once."""

    lengths: int
    """The lengths of files and symbolic links. Folders have none that anybody counts, and the listings of what is in a
    layer, of which an engine keeps one beside each, are no part of it."""
    disk: int
    """The blocks of files and folders, as `du` counts them."""

    def __add__(self, other: Self) -> Used:
        return Used(self.lengths + other.lengths, self.disk + other.disk)

    def __sub__(self, other: Self) -> Used:
        return Used(self.lengths - other.lengths, self.disk - other.disk)


NOTHING = Used(0, 0)


def used(engine: Engine) -> Used:
    """What the data root takes now, and the images that lie elsewhere, without the engine's books."""
    images = engine.containerd_folder
    elsewhere = [] if engine.data_root in images.parents else [images]
    return used_below(engine.data_root, *elsewhere)


def used_below(*folders: Path) -> Used:
    """What these folders take together. What vanishes while we look takes nothing."""
    seen: set[tuple[int, int]] = set()
    lengths = disk = 0
    for folder in folders:
        for entry in _entries(folder):
            status = entry.stat(follow_symlinks=False)
            if status.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
            disk += status.st_blocks * _BLOCK
            if not entry.is_dir(follow_symlinks=False) and not entry.name.endswith(_LISTINGS):
                lengths += status.st_size
    return Used(lengths, disk)


def settled(engine: Engine) -> Used:
    """The same once it stays so: both containerd and BuildKit collect their garbage a moment later."""
    deadline = time.monotonic() + _PATIENCE
    # For a moment after a build its records are in use still, and would rightly be kept.
    while engine.kind.has_build_cache and _in_use(engine) and time.monotonic() < deadline:
        time.sleep(_POLL)
    quiet = _quiet_seconds(engine)
    last, since = used(engine), time.monotonic()
    while time.monotonic() - since < quiet:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the data root of {engine.kind.name} does not come to rest: {last}")
        time.sleep(_POLL)
        now = used(engine)
        if now != last:
            last, since = now, time.monotonic()
    return last


def _in_use(engine: Engine) -> bool:
    told = engine.wire.call("GET", "/system/df", type="build-cache")
    return any(record["InUse"] for record in told["BuildCache"] or [])


def _quiet_seconds(engine: Engine) -> float:
    """For how long nothing must have changed until nothing more is to come."""
    # containerd waits fifty times as long between two collections as one takes, which is a few milliseconds here. Over
    # three seconds after each sweep nothing was ever seen to come later than the answer to its last request.
    if engine.kind.image_store == "containerd":
        return 0.3
    return 0.1 if engine.kind.has_build_cache else 0.0


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder that is no book, each with its status already read."""
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                here = list(found)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in here:
            try:
                entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if entry.is_dir(follow_symlinks=False):
                if not (entry.name in _BOOK_FOLDERS and _is_own_folder(entry)):
                    waiting.append(entry.path)
                    yield entry
            elif not _is_book(entry):
                yield entry


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    """Whether a folder belongs to the engine itself, and is not one in a layer or in a volume that is named so."""
    return not any(part in entry.path for part in ("/diff/", "/fs/", "/_data/"))


def _is_book(entry: os.DirEntry[str]) -> bool:
    """Whether a file is the engine's own.

    Databases and lists of everything grow by pages and shrink whenever their engine likes. Blobs that belong to no
    image are BuildKit's memory of past builds, some 100 kB for each, which it writes up to three seconds after the
    build and keeps when the build cache goes.
    """
    if not _is_own_folder(entry):
        return False
    if entry.name.endswith(_BOOK_ENDINGS) or entry.name in _BOOK_NAMES:
        return True
    return "/blobs/sha256/" in entry.path and not _is_of_an_image(entry.path)


@lru_cache(maxsize=4096)
def _is_of_an_image(blob: str) -> bool:
    """Whether a blob is a layer, a configuration, a manifest or an index. It never changes: its name is its digest."""
    try:
        with open(blob, "rb") as file:
            start = file.read(100_000)
    except FileNotFoundError:
        return True
    if start.startswith(_LAYER_STARTS) or start[257:262] == b"ustar" or not start.strip(b"\0"):
        return True
    return start[:1] == b"{" and any(key in start for key in _IMAGE_KEYS)
