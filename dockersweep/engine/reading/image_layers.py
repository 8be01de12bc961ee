"""Asks an engine for the layers of its images, as far as they have to be known and are not remembered."""

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from dockersweep.engine.api.answers import ImageLayers
from dockersweep.engine.api.concurrent import Progress, call_for_each
from dockersweep.errors import EngineError, EngineLostError, EngineTimeoutError
from dockersweep.model.inventory import BuildCacheRecord, Engine, Image


class LayerReads(Protocol):
    """What is asked of an engine here."""

    engine: Engine

    def image_layers(self, image_id: str) -> ImageLayers | None: ...


def memory_keys(engine: Engine, images: Iterable[Image]) -> dict[str, str]:
    """Return, by image id, under what the layers of an image can be remembered for good.

    The id alone will do where it is the configuration's digest. On the containerd store it can get another platform;
    on Podman it can come back in other layers, but from elsewhere its manifest, and so its size, is another.
    """
    if engine.flavour == "podman":
        return {image.id: f"{image.id} {image.size_bytes}" for image in images}
    if engine.image_store == "containerd":
        return {image.id: image.manifest for image in images if image.manifest is not None}
    return {image.id: image.id for image in images}


def wanted_images(
    engine: Engine, images: Collection[Image], build_cache: Collection[BuildCacheRecord] | None
) -> frozenset[str]:
    """Return the ids of the images whose layers have to be known to predict what is freed."""
    everything = frozenset(image.id for image in images)
    cache_holds_layers = build_cache is None or any(record.shared for record in build_cache)
    tells_sharing = engine.flavour == "docker" and engine.image_store != "containerd"
    if not tells_sharing or cache_holds_layers:
        return everything
    # Docker 20.10 counts no intermediates as sharers, and tells nothing of them: their children are asked as well.
    return frozenset(image.id for image in images if image.shared_bytes != 0 or image.parent_id in everything)


def read_layers(
    reads: LayerReads,
    wanted: Collection[str],
    known: Mapping[str, ImageLayers],
    keys: Mapping[str, str],
    progress: Progress = lambda done, total: None,
) -> dict[str, ImageLayers]:
    """Return, by image id, what can be told of the wanted images; those that vanish or fail are left out.

    `known` is what was told earlier, by the `keys` that the images have now. Raises EngineLostError. After an answer
    that does not come in time, no further image is asked for.
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
