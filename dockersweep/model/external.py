"""Objects of other tools in Podman's storage, which hold images as containers do."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.quantities import Bytes, Instant

ExternalTool = Literal["podman build", "CRI-O", "volume", "image mount", "other"]


VOLUME_CONTAINER = "+volume"
"""The suffix of the container behind a volume of Podman's driver "image"; the volume's name comes before it."""


class ExternalContainer(Struct, frozen=True, kw_only=True, gc=False):
    """Something in Podman's storage that holds an image, and that the API for docker clients does not list."""

    id: str
    """For a mounted image, the id of the mounted layer."""
    name: str
    """For a mounted image, the mount point."""
    image_id: str | None
    """None for a container that was made from scratch."""
    tool: ExternalTool
    """What created it: buildah counts as "podman build", "volume" is a volume of the driver "image"."""
    created_at: Instant | None
    size_bytes: Bytes | None = None
    """Its writable layer, without its image, in disk blocks; None where these were not measured."""
