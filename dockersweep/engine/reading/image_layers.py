"""Requests the layers of an engine's images, as far as they are needed and not remembered."""

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from dockersweep.engine.api.answers import ImageLayers
from dockersweep.engine.api.concurrent import Progress, call_for_each
from dockersweep.errors import EngineError, EngineLostError, EngineTimeoutError
from dockersweep.model.inventory import BuildCacheRecord, Engine, Image


class LayerReads(Protocol):
    """The requests that this module makes."""

    engine: Engine

    def image_layers(self, image_id: str) -> ImageLayers | None: ...


def memory_keys(engine: Engine, images: Iterable[Image]) -> dict[str, str]:
    """Return, by image id, the key under which an image's layers can be remembered forever.

    Where the id is the configuration's digest, it is the key. In the containerd store an id can get another platform.
    On Podman an id can come back with other layers, but then its manifest, and so its size, is different.
    """
    if engine.flavour == "podman":
        return {image.id: f"{image.id} {image.size_bytes}" for image in images}
    if engine.image_store == "containerd":
        return {image.id: image.manifest for image in images if image.manifest is not None}
    return {image.id: image.id for image in images}


def wanted_images(
    engine: Engine, images: Collection[Image], build_cache: Collection[BuildCacheRecord] | None
) -> frozenset[str]:
    """Return the ids of the images whose layers are needed to predict the freed bytes."""
    everything = frozenset(image.id for image in images)
    cache_holds_layers = build_cache is None or any(record.shared for record in build_cache)
    reports_sharing = engine.flavour == "docker" and engine.image_store != "containerd"
    if not reports_sharing or cache_holds_layers:
        return everything
    # Docker 20.10 does not count or report intermediate images as sharers: so their children are needed as well.
    return frozenset(image.id for image in images if image.shared_bytes != 0 or image.parent_id in everything)


def read_layers(
    reads: LayerReads,
    wanted: Collection[str],
    known: Mapping[str, ImageLayers],
    keys: Mapping[str, str],
    progress: Progress = lambda done, total: None,
) -> dict[str, ImageLayers]:
    """Return the layers of the wanted images by id, without images that disappear or fail.

    `known` has the remembered layers by their `keys`. After a time-out no further image is requested. Raises
    EngineLostError.
    """
    remembered = {image_id: known[keys[image_id]] for image_id in wanted if keys.get(image_id) in known}
    late: list[EngineTimeoutError] = []

    def ask(image_id: str) -> ImageLayers | None:
        try:
            return None if late else reads.image_layers(image_id)
        except EngineLostError:
            raise
        except EngineTimeoutError as error:
            late.append(error)
        except EngineError:
            pass
        return None

    asked = call_for_each([image_id for image_id in wanted if image_id not in remembered], ask, progress)
    return remembered | {image_id: layers for image_id, layers in asked.items() if layers is not None}
