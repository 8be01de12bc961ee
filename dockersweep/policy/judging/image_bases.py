"""Which images were built `FROM` which, as far as layers and parents show.

Where projects build the same Dockerfile, each has an image with the same layers: a hundred review apps of one
repository are a hundred equal images, and none of them is the base of another.
"""

from collections.abc import Iterator, Mapping
from itertools import chain

from dockersweep.model.compose_labels import project_in, service_in
from dockersweep.model.inventory import Image
from dockersweep.model.storage import LAYER_PREFIXES
from dockersweep.policy.bytes.layer_graph import LayerGraph

_OfProjects = dict[str | None, dict[str | None, list[Image]]]


def has_same_labels(image: Image, base: Image) -> bool:
    """Whether an image can have inherited its labels from another. Compose labels each service of a project apart."""
    return project_in(base.labels) == project_in(image.labels) and service_in(base.labels) == service_in(image.labels)


class ImageBases:
    """Finds the images that an image may be built from: engines tell its layers, and not its base."""

    def __init__(self, images: tuple[Image, ...], graph: LayerGraph) -> None:
        """`images` are those of the graph's inventory."""
        self._graph = graph
        self._by_id = {image.id: image for image in images}
        self._by_top: dict[int, _OfProjects] = {}
        """Top layer -> compose project -> service -> images, by their labels: a hundred review apps of one repository
        are not compared with each other."""
        self._tops: Mapping[str, tuple[int, ...]] = {image.id: tuple(self._own_layers(image)) for image in images}
        for image in images:
            for top in self._tops[image.id]:
                of_project = self._by_top.setdefault(top, {}).setdefault(project_in(image.labels), {})
                of_project.setdefault(service_in(image.labels), []).append(image)

    def _own_layers(self, image: Image) -> Iterator[int]:
        node = self._node_of(image)
        return (need for need in self._graph.needs[node] if self._graph.part_id(need).startswith(LAYER_PREFIXES))

    def are_known(self, image: Image) -> bool:
        """Whether the layers of an image are known."""
        return self._node_of(image) not in self._graph.maybe

    def _node_of(self, image: Image) -> int:
        return self._graph.nodes["image"][self._graph.places["image"][image.id]]

    def twins(self, image: Image, of_its_service: bool) -> Iterator[Image]:
        """Yield the other images with exactly the same layers that may be its base: none of other projects, and with
        `of_its_service` only those of its own service, without it only the others."""
        for top in self._tops[image.id]:
            yield from (twin for twin in self._alike(top, image, of_its_service) if twin.id != image.id)

    def _alike(self, top: int, image: Image, of_its_service: bool) -> Iterator[Image]:
        """Yield the images with this top layer; those of other projects only where its own project has none."""
        by_project = self._by_top.get(top, {})
        own, own_service = project_in(image.labels), service_in(image.labels)
        if of_its_service:
            yield from by_project.get(own, {}).get(own_service, ())
            return
        for project in dict.fromkeys((None, own)) if own in by_project else by_project:
            for service, images in by_project.get(project, {}).items():
                if (project, service) != (own, own_service):
                    yield from images

    def below(self, image: Image, of_its_service: bool) -> Iterator[Image]:
        """Yield the images that have only the lowest layers of an image, and its parents, each once; with
        `of_its_service` only those of its own service, without it only the others."""
        yielded = {image.id}
        parents = (base for base in self._parents(image) if has_same_labels(base, image) is of_its_service)
        for base in chain(self._with_fewer_layers(image, of_its_service), parents):
            if base.id not in yielded:
                yielded.add(base.id)
                yield base

    def _with_fewer_layers(self, image: Image, of_its_service: bool) -> Iterator[Image]:
        tops = self._tops[image.id]
        waiting = list(tops)
        reached = set(tops)
        while waiting:
            for need in self._graph.needs[waiting.pop()]:
                if need not in reached:
                    reached.add(need)
                    waiting.append(need)
                    yield from self._alike(need, image, of_its_service)

    def _parents(self, image: Image) -> Iterator[Image]:
        parent = self._by_id.get(image.parent_id or "")
        # An inventory that somebody wrote may have parents in a circle.
        visited = {image.id}
        while parent is not None and parent.id not in visited:
            visited.add(parent.id)
            yield parent
            parent = self._by_id.get(parent.parent_id or "")
