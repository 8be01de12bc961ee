"""Looks up one object: for a scan, and again just before a removal."""

import re

from dockersweep.engine.api import wire
from dockersweep.engine.api.answers import ImageLayers, ImageTags
from dockersweep.engine.api.session import Session
from dockersweep.engine.api.translate import (
    container_from_details,
    network_from_list,
    split_references,
    volume_from_list,
)
from dockersweep.model.inventory import Container, Network, Volume


class Lookups(Session):
    """Lookups of single objects; None for one that is gone. Raises EngineError for an invalid answer."""

    def container(self, container_id: str) -> Container | None:
        """Return one container in full, without its size."""
        details = self._look(f"/containers/{container_id}/json", wire.WireContainerDetails)
        return None if details is None else container_from_details(details, self.quirks.is_podman)

    def image(self, reference: str) -> ImageTags | None:
        """Return the image that an id or a tag means now."""
        details = self._look(f"/images/{reference}/json", wire.WireImageDetails)
        if details is None:
            return None
        image_id = details.id if details.id.startswith("sha256:") else f"sha256:{details.id}"
        return ImageTags(id=image_id, tags=split_references(details.repo_tags, None)[0])

    def image_layers(self, image_id: str) -> ImageLayers | None:
        """Return the layers of an image."""
        layers = self._look(f"/images/{image_id}/json", wire.WireImageLayers)
        if layers is None:
            return None
        steps = self._look(f"/images/{image_id}/history", list[wire.WireHistoryStep])
        if steps is None:
            return None
        return ImageLayers(
            diff_ids=tuple((layers.root_fs.layers if layers.root_fs else None) or ()),
            history_bytes=tuple(max(0, step.size) for step in reversed(steps)),
            stored_as=_layer_folders(layers.graph_driver) if self.quirks.is_podman else (),
        )

    def volume(self, name: str) -> Volume | None:
        """Return one volume, without whether the engine counts it as in use."""
        volume = self._look(f"/volumes/{name}", wire.WireVolume)
        return None if volume is None else volume_from_list(volume, False, self.quirks.marks_anonymous_volumes)

    def network(self, reference: str) -> tuple[Network, bytes] | None:
        """Return the network that an id or a name means now, and the engine's document about it, with which it can be
        made again."""
        found = self._look_whole(f"/networks/{reference}", wire.WireNetwork)
        return None if found is None else (network_from_list(found[0]), found[1])


def _layer_folders(driver: wire.WireGraphDriver | None) -> tuple[str, ...]:
    """Return Podman's ids of an image's layers, the lowest first; overlay has a folder ID/diff for each."""
    data = (driver.data if driver else None) or {}
    folders = [data.get("UpperDir"), *(data.get("LowerDir") or "").split(":")]
    ids = [match[1] for folder in folders if folder and (match := re.fullmatch(r".*/([0-9a-f]{64})/diff", folder))]
    return tuple(reversed(ids))
