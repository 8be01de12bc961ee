"""Containers of other tools in Podman's storage, and mounted images there.

Podman's own API lists the containers, as `podman ps --all --external` does, from any machine. Unlike the storage's
`containers.json`, it also says which are buildah's. No API reports what `podman image mount` has mounted (tried on 5.8
and 6.1), and Podman removes such an image silently: so that is read from the storage, if it is on this machine.
"""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from dockersweep.engine.api.concurrent import GRACE_SECONDS, BackgroundCall
from dockersweep.engine.api.wire import WirePodmanContainer
from dockersweep.engine.disk.ownership import folder_of
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.errors import EngineError
from dockersweep.files import what_is_wrong
from dockersweep.model.external import ExternalContainer
from dockersweep.model.inventory import Engine, ScanWarning
from dockersweep.model.quantities import known_sum
from dockersweep.model.storage import Storage

if TYPE_CHECKING:
    from dockersweep.engine.disk.leaks import RunRoot

External = tuple[ExternalContainer, ...]


class ExternalReads(Protocol):
    """The request that this module makes; only Podman supports it."""

    engine: Engine

    def podman_containers(self) -> tuple[tuple[WirePodmanContainer, ...], External]: ...


class PodmanLists(NamedTuple):
    """What Podman's own API lists; empty for other engines."""

    external: External | None = ()
    """The containers of other tools in its storage, and mounted images; None if unknown."""
    own: tuple[WirePodmanContainer, ...] | None = None
    """Its own containers; None if unknown."""
    warnings: tuple[ScanWarning, ...] = ()


def read_podman_lists(reads: ExternalReads, run_root: "RunRoot") -> PodmanLists:
    """Return Podman's containers and those of other tools in its storage.

    A proxy that only allows the docker API answers with 403 or 404.
    """
    if reads.engine.flavour != "podman":
        return PodmanLists()
    try:
        own, external = reads.podman_containers()
        mounted, warnings = _mounted_images(reads.engine, run_root)
        return PodmanLists((*external, *mounted), own, warnings)
    except EngineError as error:
        text = f"not known, so images that builds or CRI-O use may be planned, and Podman then refuses them: {error}"
        return PodmanLists(None, None, (ScanWarning(about="containers of other tools", text=text),))


def _mounted_images(engine: Engine, run_root: "RunRoot") -> tuple[External, tuple[ScanWarning, ...]]:
    """Return the mounted images, with warnings. There is a time limit, as a missing disk may never answer."""
    from dockersweep.engine.disk import podman
    from dockersweep.engine.disk.moved_stores import image_stores

    try:
        root = BackgroundCall(lambda: folder_of(engine)).result(GRACE_SECONDS)
        runs_in = run_root()
        if runs_in is None:
            return (), ()
        stores = chain((root,), image_stores(root))
        reading = BackgroundCall(lambda: podman.mounted_images(stores, engine.image_store, Path(runs_in)))
        mounted = reading.result(GRACE_SECONDS)
    except UnreadableStorageError:
        # From another machine it cannot be read.
        return (), ()
    except TimeoutError:
        return (), (_not_known(f"the folders were not read within {GRACE_SECONDS:g} seconds"),)
    except (EngineError, OSError, msgspec.MsgspecError, ValueError) as error:
        return (), (_not_known(what_is_wrong(error)),)
    return tuple(
        ExternalContainer(id=layer, name=place, image_id=image_id, tool="image mount", created_at=None)
        for image_id, layer, place in mounted
    ), ()


def _not_known(why: str) -> ScanWarning:
    text = f"not known, and Podman removes an image that podman image mount has mounted: {why}"
    return ScanWarning(about="mounted images", text=text)


def with_sizes(external: External | None, storage: Storage) -> External | None:
    """Return the containers with their sizes if disk blocks were measured: Podman's list has none."""
    if not external or storage.base != "disk":
        return external
    parts = {part.id: part for part in storage.parts}

    def size(container_id: str) -> int | None:
        own = parts.get(f"container:{container_id}")
        if own is None:
            return None
        sizes = [own.high_bytes, *(parts[part_id].high_bytes for part_id in own.needs if part_id in parts)]
        return known_sum(sizes)

    return tuple(
        container
        if container.tool == "image mount"
        else msgspec.structs.replace(container, size_bytes=size(container.id))
        for container in external
    )
