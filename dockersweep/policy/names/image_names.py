"""Which existing images a container or a volume names."""

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property

from dockersweep.model.image_references import ImageIds
from dockersweep.model.inventory import Container, Image


class ImageNames:
    """Finds the images that a container or a volume names."""

    def __init__(self, images: tuple[Image, ...]) -> None:
        self._images = images

    @cached_property
    def _by_name(self) -> dict[str, tuple[str, ...]]:
        ids: dict[str, tuple[str, ...]] = {}
        for image in self._images:
            own = (image.id,)
            for name in (image.id, *image.tags, *image.digests):
                known = ids.get(name)
                ids[name] = own if known is None else known + own
        return ids

    @cached_property
    def _whole_ids(self) -> frozenset[str]:
        return frozenset(image.id for image in self._images)

    @cached_property
    def _ids(self) -> ImageIds:
        return ImageIds(image.id for image in self._images)

    @cached_property
    def _untagged(self) -> dict[str, None]:
        return {image.id: None for image in self._images if not image.tags}

    def held_by(self, container: Container) -> Collection[str]:
        """Return the ids of the images that it may have been created from."""
        if container.image_id in self._whole_ids:
            return (container.image_id,)
        return self._by_name.get(container.image_id or "") or self._named(container.image)

    def meant_by(self, reference: str) -> tuple[Collection[str], Iterable[str]]:
        """Return the ids of the images that a reference names now, and of those that it may have named before."""
        named = dict.fromkeys(self._named(reference))
        possible = self._untagged if named else (image.id for image in self._images)
        return named, (image_id for image_id in possible if image_id not in named)

    def _named(self, reference: str) -> Collection[str]:
        """Return the ids of the images that a person may mean by a reference."""
        if not reference:
            return ()
        for spelling in (reference, f"{reference}:latest"):
            for prefix in ("", "localhost/", "docker.io/library/", "docker.io/"):
                if prefix + spelling in self._by_name:
                    return self._by_name[prefix + spelling]
        return self.beginning_with(reference.removeprefix("sha256:"))

    def beginning_with(self, digits: str) -> Sequence[str]:
        """Return the ids of the images whose digits begin with these."""
        return self._ids.beginning_with(digits)
