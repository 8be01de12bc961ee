"""What other tools keep in Podman's storage, and what holds images there without being a container of the engine.

Podman's own API tells of the containers: the same list as `podman ps --all --external`, on any machine, and it has
looked for buildah's mark in each, which the storage's `containers.json` has not. What `podman image mount` has mounted
no API tells (tried on 5.8 and 6.1), and Podman removes such an image without a word: that is read from the files of
the storage, where these are on this machine.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from dockersweep.engine.disk import podman
from dockersweep.engine.disk.found import UnreadableStorageError
from dockersweep.engine.disk.ownership import folder_of
from dockersweep.errors import EngineError
from dockersweep.model.inventory import Engine, ExternalContainer, ScanWarning
from dockersweep.model.storage import Storage

External = tuple[ExternalContainer, ...]


class ExternalReads(Protocol):
    """What is asked of an engine here; only Podman has it."""

    engine: Engine

    def external_containers(self) -> External: ...
    def run_root(self) -> str | None: ...


def read_external(reads: ExternalReads) -> tuple[External | None, tuple[ScanWarning, ...]]:
    """Return what other tools hold in the engine's storage: None where the engine does not tell, with a warning.

    A proxy that lets through only the calls of docker clients answers with 403 or 404.
    """
    if reads.engine.flavour != "podman":
        return (), ()
    try:
        return (*reads.external_containers(), *_mounted_images(reads)), ()
    except EngineError as error:
        text = f"not known, so images that builds or CRI-O use may be planned, and Podman then refuses them: {error}"
        return None, (ScanWarning(about="containers of other tools", text=text),)


def _mounted_images(reads: ExternalReads) -> Iterator[ExternalContainer]:
    try:
        root = folder_of(reads.engine)
        run_root = reads.run_root()
        mounted = [] if run_root is None else podman.mounted_images(root, reads.engine.image_store, Path(run_root))
    except (UnreadableStorageError, OSError, msgspec.MsgspecError, ValueError):
        # From elsewhere, or by somebody who may not look there, it cannot be seen.
        return
    for image_id, layer, place in mounted:
        yield ExternalContainer(id=layer, name=place, image_id=image_id, tool="image mount", created_at=None)


def with_sizes(external: External | None, storage: Storage) -> External | None:
    """Return the same with their sizes, where disk blocks were measured: Podman's list has none."""
    if not external or storage.base != "disk":
        return external
    parts = {part.id: part for part in storage.parts}

    def size(container_id: str) -> int | None:
        own = parts.get(f"container:{container_id}")
        if own is None:
            return None
        sizes = [own.high_bytes, *(parts[one].high_bytes for one in own.needs if one in parts)]
        return None if None in sizes else sum(one or 0 for one in sizes)

    return tuple(
        one if one.tool == "image mount" else msgspec.structs.replace(one, size_bytes=size(one.id)) for one in external
    )
