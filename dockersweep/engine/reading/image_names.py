"""The image that a name referred to at the time of an event."""

from bisect import bisect_right
from collections.abc import Iterable
from operator import itemgetter

from dockersweep.model.event_reading import EngineEvent
from dockersweep.model.image_references import ImageIds, whole_repository_of, with_registry, with_tag
from dockersweep.model.inventory import Image

_SHORTEST_ID = 6


class ImageNames:
    """The existing images by all their current names, and by the tags that events gave them."""

    def __init__(self, images: Iterable[Image], events: Iterable[EngineEvent]) -> None:
        """The events may be in any order."""
        self._ids = {image.id for image in images}
        self._beginnings = ImageIds(self._ids)
        self._now = {_whole(name): image.id for image in images for name in (*image.digests, *image.tags)}
        self._given: dict[str, list[tuple[int, str]]] = {}
        for event in events:
            if event.type == "image" and event.action == "tag" and event.attributes.get("name"):
                name = _whole(event.attributes["name"])
                self._given.setdefault(name, []).append((event.at_nanos, _as_id(event.id)))
        for given in self._given.values():
            given.sort()

    def of_event(self, event: EngineEvent) -> tuple[str, ...]:
        """Return the id of the image of an image event. When Docker pulls or pushes, the event has a name instead."""
        image_id = _as_id(event.id)
        return (image_id,) if image_id in self._ids else self.named(event.id, event.at_nanos)

    def named(self, reference: str, at_nanos: int) -> tuple[str, ...]:
        """Return the id of the image that a container's image reference meant then; empty if it is gone or unknown."""
        if not reference:
            return ()
        name = _whole(reference)
        if given := self._given.get(name):
            # If the tag was only given later, it is unknown which image had it before.
            count = bisect_right(given, at_nanos, key=itemgetter(0))
            return (given[count - 1][1],) if count and given[count - 1][1] in self._ids else ()
        if name in self._now:
            return (self._now[name],)
        digits = reference.removeprefix("sha256:")
        return tuple(self._beginnings.beginning_with(digits)) if len(digits) >= _SHORTEST_ID else ()


def _as_id(text: str) -> str:
    """Podman's ids have no "sha256:"."""
    return text if ":" in text else f"sha256:{text}"


def _whole(reference: str) -> str:
    """Return a reference with everything that may be left out: the registry and the tag "latest". With a digest, the
    tag has no meaning."""
    name, at, digest = reference.partition("@")
    if at:
        return f"{with_registry(whole_repository_of(name))}@{digest}"
    return with_registry(with_tag(name))
