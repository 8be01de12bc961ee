"""Makes a container again, with what it had written, and does not start it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from msgspec.structs import replace

from dockersweep.engine.api.creations import CreationRefusedError, Creations
from dockersweep.engine.restoring.container_body import Surroundings, container_body
from dockersweep.engine.restoring.container_differences import differences
from dockersweep.engine.restoring.layered_image import load_layered
from dockersweep.engine.restoring.sources import IsThereError, Sources
from dockersweep.errors import ArchiveError, EngineError
from dockersweep.model.inspect_document import Json, image_id_of, part
from dockersweep.model.restoring import RESTORED_FROM, Step, mark_of

_CONFLICTS = ("already in use", "is already used", "already exists")


def make_container(
    calls: Creations, step: Step, sources: Sources, around: Surroundings, layered_as: str
) -> tuple[str, tuple[str, ...]]:
    """Make a container; return its id, and what is not as it was. `layered_as` is the tag of the image that has its
    writable layer, if it has one.

    Raises IsThereError where there is one of its name, EngineError and ArchiveError.
    """
    document = sources.document(step.removed)
    image_id = image_id_of(document)
    layered = _layered(calls, step, sources, image_id, layered_as)
    try:
        return _created(calls, step, document, layered or _reference(calls, document, image_id), around)
    except BaseException:
        if layered is not None:
            # Without its container nobody knows it.
            with suppress(EngineError):
                calls.remove_loaded(layered)
        raise


def _created(
    calls: Creations, step: Step, document: Json, image: str, around: Surroundings
) -> tuple[str, tuple[str, ...]]:
    """Make a container of an image; return its id, and what is not as it was."""
    entrypoint = part(calls.image_document(image) or {}, "Config").get("Entrypoint")
    made = container_body(document, image, replace(around, image_has_entrypoint=bool(entrypoint)))
    labels = {**part(made.body, "Labels"), RESTORED_FROM: mark_of(step.removed)}
    try:
        container_id = calls.create_as(step.as_name, {**made.body, "Labels": labels})
    except CreationRefusedError as error:
        if any(words in str(error) for words in _CONFLICTS) and step.as_name in str(error):
            raise IsThereError(f"a container called {step.as_name} is there") from None
        raise
    told = []
    for network, settings in made.connections:
        try:
            calls.connect(network, container_id, settings)
        except EngineError as error:
            told.append(f"not connected to network {network}: {error}")
    after = calls.container_document(container_id)
    return container_id, (*told, *(() if after is None else differences(_renamed(document, around.networks), after)))


def _layered(calls: Creations, step: Step, sources: Sources, image_id: str, tag: str) -> str | None:
    """Load the image with the writable layer of a container, and return its tag; None for a container that has none."""
    if sources.files(step.removed) is None:
        return None
    if calls.image(tag) is not None:
        raise IsThereError(f"an image called {tag} is there: remove it, or use --as")

    def layer() -> Iterator[bytes]:
        pieces = sources.files(step.removed)
        if pieces is None:
            raise ArchiveError("the archive has its layer no more")
        return pieces

    load_layered(calls, image_id, layer, tag, mark_of(step.removed), f"dockersweep restore {step.removed.name}")
    return tag


def _reference(calls: Creations, document: Json, image_id: str) -> str:
    """Return the name by which the container named its image, if that still is the same image; else its id."""
    name = str(part(document, "Config").get("Image") or "")
    if name:
        image = calls.image(name)
        if image is not None and image.id == image_id:
            return name
    return image_id


def _renamed(document: Json, networks: Mapping[str, str]) -> Json:
    """Return the document with networks by their names, as the new one has them."""
    host = part(document, "HostConfig")
    mode = str(host.get("NetworkMode") or "")
    return {**document, "HostConfig": {**host, "NetworkMode": networks.get(mode, mode)}}
