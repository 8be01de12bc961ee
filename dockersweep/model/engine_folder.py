"""What only a report reads of an engine: its folder as a whole, and the limit of its build cache."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from dockersweep.model.quantities import Bytes


class LeftStore(Struct, frozen=True, kw_only=True):
    """An image store that the engine had before another, and that nothing uses or removes any more."""

    folder: str
    """The folder of it that is the largest."""
    driver: str
    size_bytes: Bytes | None
    """Of all that is its own, in disk blocks; None where it was not measured."""
    places: tuple[str, ...] = ()
    """All that is its own: a part of it that is left fails when the engine is switched back. Empty in older
    inventories."""


LeakKind = Literal["layer", "containerd", "podman", "volume", "container", "image-mount"]
"""Whose metadata would have to name it: Docker's layers, containerd, Podman's storage, Docker's volumes, containers; or
those are the mounts of images, and what they are of is gone."""
LeakReason = Literal["unnamed", "removal-unfinished", "unkept", "lease-expired", "ingest-abandoned", "container-gone"]
"""Why nobody owns it: nothing names it; only a removal that was broken off does; containerd knows it, but nothing keeps
it; so does a lease that has expired; it is a download that did not end; or its lease is that of a container which is
gone."""


class LeakedFolder(Struct, frozen=True, kw_only=True):
    """A folder or file in the engine's stores that nothing the engine knows of owns."""

    kind: LeakKind
    path: str
    size_bytes: Bytes | None
    """What moving it away frees at least, in disk blocks; None where it was not measured."""
    changed_at: datetime | None
    """When anything in it last changed; None where that is not known."""
    why: LeakReason
    expired_at: datetime | None = None
    """When the lease on it expired."""
    lease: str | None = None
    """The lease of containerd that keeps it all the same."""


class Artifact(Struct, frozen=True, kw_only=True):
    """One of Podman's artifacts."""

    name: str
    """"quay.io/team/model:1"; its digest where it has no name."""
    size_bytes: Bytes | None
    """Of its files, in disk blocks, without those that an earlier one has too; None where they could not be read."""


class ArtifactStore(Struct, frozen=True, kw_only=True):
    """Podman's artifacts, which no list of its API for docker clients has."""

    folder: str
    size_bytes: Bytes
    """Of all that lies there, in disk blocks."""
    artifacts: tuple[Artifact, ...]


class TopFolder(Struct, frozen=True, kw_only=True):
    """One of the folders that the engine's consist of: "/var/lib/docker/swarm"."""

    path: str
    size_bytes: Bytes
    """In disk blocks, without what is in those below it that are told by themselves."""


class FolderOnDisk(Struct, frozen=True, kw_only=True):
    """What of the engine's folders lies on one disk."""

    places: tuple[str, ...]
    """Those folders, as the disk has them."""
    size_bytes: Bytes | None
    """In disk blocks, as du counts them: hard links once, and without what is mounted there; None where it was not
    measured."""
    is_whole: bool = True
    """Whether all of it was measured; what could not be walked, like a subvolume, takes more."""
    tops: tuple[TopFolder, ...] = ()
    """What lies in which of them; none where it was not measured."""


class EngineFolder(Struct, frozen=True, kw_only=True):
    """The engine's own folder, and the stores that it has elsewhere, which only a report reads."""

    size_bytes: Bytes | None
    """What lies on all disks together."""
    left_stores: tuple[LeftStore, ...] = ()
    artifacts: ArtifactStore | None = None
    """None where there are none, or they could not be read."""
    on_disks: tuple[FolderOnDisk, ...] = ()
    leaks: tuple[LeakedFolder, ...] = ()
    """What nobody owns, young ones included, which may be in the making; none where that cannot be told for certain."""


class CacheLimit(Struct, frozen=True, kw_only=True):
    """Up to which size the engine lets its build cache grow, which only a report reads."""

    size_bytes: Bytes | None
    """None where it grows without a limit."""
    source: str
    """Where that is known from: "/etc/docker/daemon.json", "the default of Docker 28.5.2"."""
