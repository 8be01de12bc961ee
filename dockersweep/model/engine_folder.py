"""What only a report needs of an engine: its folder as a whole, and the limit of its build cache."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from dockersweep.model.quantities import Bytes


class LeftStore(Struct, frozen=True, kw_only=True):
    """An image store that the engine used before another, and that nothing uses or removes any more."""

    folder: str
    """Its largest folder."""
    driver: str
    size_bytes: Bytes | None
    """The size of `places`, in disk blocks; None where it was not measured."""
    places: tuple[str, ...] = ()
    """All of its folders: if only some are removed, the engine fails when it is switched back. Empty in older
    inventories."""


LeakKind = Literal["layer", "containerd", "podman", "volume", "container", "image-mount"]
"""Where it should be listed: Docker's layers, containerd, Podman's storage, Docker's volumes or containers; or it is
the snapshot of an image mount whose container is gone."""
LeakReason = Literal["unnamed", "removal-unfinished", "unkept", "lease-expired", "ingest-abandoned", "container-gone"]
"""Why it is leaked: nothing names it; only an interrupted removal does; containerd knows it, but nothing keeps it; only
an expired lease keeps it; it is a download that did not end; or its lease belongs to a container that is gone."""


class LeakedFolder(Struct, frozen=True, kw_only=True):
    """A folder or file in the engine's stores that belongs to none of its objects."""

    kind: LeakKind
    path: str
    size_bytes: Bytes | None
    """The least that removing it frees, in disk blocks; None where it was not measured."""
    changed_at: datetime | None
    """When anything in it last changed; None where that is not known."""
    why: LeakReason
    expired_at: datetime | None = None
    """When the lease on it expired."""
    lease: str | None = None
    """The containerd lease that still keeps it."""


class Artifact(Struct, frozen=True, kw_only=True):
    """One of Podman's artifacts."""

    name: str
    """"quay.io/team/model:1"; its digest where it has no name."""
    size_bytes: Bytes | None
    """The size of its files in disk blocks, without those of artifacts before it; None where they could not be read."""


class ArtifactStore(Struct, frozen=True, kw_only=True):
    """Podman's artifacts, which no list of its API for docker clients has."""

    folder: str
    size_bytes: Bytes
    """The size of everything in the folder, in disk blocks."""
    artifacts: tuple[Artifact, ...]


class TopFolder(Struct, frozen=True, kw_only=True):
    """One of the subfolders of the engine's folders: "/var/lib/docker/swarm"."""

    path: str
    size_bytes: Bytes
    """In disk blocks, without folders below it that are listed themselves."""


class FolderOnDisk(Struct, frozen=True, kw_only=True):
    """The part of the engine's folders on one disk."""

    places: tuple[str, ...]
    """These folders, as in `Disk.places`."""
    size_bytes: Bytes | None
    """In disk blocks, as du counts them: hard links once, and without other file systems; None where it was not
    measured."""
    is_whole: bool = True
    """Whether all of it was measured; what could not be walked, like a subvolume, is missing in the size."""
    tops: tuple[TopFolder, ...] = ()
    """The sizes of subfolders; none where they were not measured."""


class EngineFolder(Struct, frozen=True, kw_only=True):
    """The engine's own folder, and its stores elsewhere, which only a report reads."""

    size_bytes: Bytes | None
    """The size on all disks together."""
    left_stores: tuple[LeftStore, ...] = ()
    artifacts: ArtifactStore | None = None
    """None where there are none, or they could not be read."""
    on_disks: tuple[FolderOnDisk, ...] = ()
    leaks: tuple[LeakedFolder, ...] = ()
    """The leaks, including young ones, which may still be in use; none where leaks cannot be told for certain."""


class CacheLimit(Struct, frozen=True, kw_only=True):
    """The size up to which the engine lets its build cache grow, which only a report reads."""

    size_bytes: Bytes | None
    """None where it grows without a limit."""
    source: str
    """Where that is known from: "/etc/docker/daemon.json", "the default of Docker 28.5.2"."""
