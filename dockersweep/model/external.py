"""What other tools keep in the storage of Podman, which holds images as containers do."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.quantities import Bytes, Instant

ExternalTool = Literal["podman build", "CRI-O", "volume", "image mount", "other"]


VOLUME_CONTAINER = "+volume"
"""What the name of a container ends with that a volume of Podman's driver image has: before it stands the volume's."""


class ExternalContainer(Struct, frozen=True, kw_only=True, gc=False):
    """Something in Podman's storage that holds an image, and that the API for docker clients does not list."""

    id: str
    """Of a mounted image: the id of the layer that is mounted."""
    name: str
    """Of a mounted image: where it is mounted."""
    image_id: str | None
    """None for a container that was made from scratch."""
    tool: ExternalTool
    """What made it: buildah counts as "podman build", "volume" is a volume of the driver image."""
    created_at: Instant | None
    size_bytes: Bytes | None = None
    """Its writable layer, without its image, in disk blocks; None where these were not measured."""
