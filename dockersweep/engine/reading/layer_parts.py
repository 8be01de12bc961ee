"""Which layers images use, where only the engine's API can tell: sizes are lengths, as the engine counts.

An image's history has the sizes of its layers in order, but it does not say which of its zeros are layers that hold
nothing and which are steps that made no layer. What is known of the bytes below each layer is brought together from
all images that have it. Where it stays open within layers that images have together anyway, the topmost gets the
bytes of all of them, undivided.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Literal

from dockersweep.engine.api.answers import ImageLayers
from dockersweep.engine.disk.chain_id import chain_on
from dockersweep.model.inventory import Image
from dockersweep.model.storage import Part

EMPTY_LAYER = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
"""The digest of an archive without entries: whatever has it holds nothing."""
_ROUNDS = 4
_UNKNOWN = 1 << 62


def unclear_images(
    images: Iterable[Image],
    told: Mapping[str, ImageLayers],
    image_store: str,
    flavour: Literal["docker", "podman"],
) -> frozenset[str]:
    """Return the ids of the images that get no part of their own, and may hold any layer: they could not be asked, or
    more than one platform of them may lie here."""
    if flavour == "docker" and image_store != "containerd":
        return frozenset(image.id for image in images if image.id not in told and image.shared_bytes != 0)
    by_platform = flavour == "docker"
    return frozenset(image.id for image in images if image.id not in told or (by_platform and image.manifest is None))


def layer_parts(
    images: Sequence[Image],
    told: Mapping[str, ImageLayers],
    image_store: str,
    flavour: Literal["docker", "podman"],
) -> tuple[Part, ...]:
    """Return the parts of these images: their layers, and what each has for itself.

    An image that is not known in full gets no part: see `unclear_images`.
    """
    tree = _Tree()
    graphdriver = flavour == "docker" and image_store != "containerd"
    for image in images:
        if image.id in told:
            tree.add(image, told[image.id], size_is_layers=graphdriver)
    if graphdriver and not unclear_images(images, told, image_store, flavour):
        tree.use_shared_sizes()
    tree.narrow()
    parts = list(tree.parts())
    unclear = unclear_images(images, told, image_store, flavour)
    sharers = Counter(diff for layers in told.values() for diff in set(layers.diff_ids))
    for image in images:
        if (path := tree.paths.get(image.id)) is None:
            if graphdriver and image.shared_bytes == 0:
                parts.append(Part(id=f"image:{image.id}", low_bytes=image.size_bytes or 0, high_bytes=image.size_bytes))
        elif image.id not in unclear:
            # A blob that another image has too has its diff id: without any, the contents are the image's own.
            alone = not unclear and all(sharers[diff] == 1 for diff in told[image.id].diff_ids)
            top = tree.part_id(path.nodes[-1]) if path.nodes else None
            parts.append(_image_part(image, path, top, alone or flavour == "podman"))
    return tuple(parts)


def _image_part(image: Image, path: "_Path", top: str | None, is_own: bool) -> Part:
    """What an image has besides its layers: nothing that counts with graphdrivers, its metadata on Podman, its
    compressed contents on the containerd store."""
    needs = () if top is None else (top,)
    low, high = 0, image.size_bytes
    if path.size_is_layers:
        high = 0
    elif image.size_bytes is not None and path.sums_hold:
        high = max(0, image.size_bytes - path.sums[-1])
        low = high if is_own else 0
    return Part(id=f"image:{image.id}", needs=needs, low_bytes=low, high_bytes=high)


class _Path:
    """One image's way up the tree of layers."""

    def __init__(self, image: Image, layers: ImageLayers, nodes: list[int], size_is_layers: bool) -> None:
        self.nodes = nodes
        self.size_is_layers = size_is_layers
        self.size_bytes = image.size_bytes
        self.shared_bytes = image.shared_bytes
        self.history = layers.history_bytes
        self.sums = [0, *accumulate(size for size in self.history if size)]
        """What the first so many layers that hold something hold together."""
        holding = len(self.sums) - 1
        whole = not size_is_layers or image.size_bytes is None or self.sums[-1] == image.size_bytes
        self.sums_hold = holding <= len(nodes) <= len(self.history) and whole
        """Whether the history is of just these layers; an image can be without one."""

    def places(self) -> tuple[list[int], list[int]]:
        """How many layers lie, at least and at most, up to and with each that holds something."""
        zeros_before, zeros = [], 0
        for size in self.history:
            if size:
                zeros_before.append(zeros)
            else:
                zeros += 1
        empty = len(self.nodes) - len(zeros_before)
        first = [number + max(0, empty - zeros + before) for number, before in enumerate(zeros_before, 1)]
        last = [number + min(empty, before) for number, before in enumerate(zeros_before, 1)]
        return first, last


class _Tree:
    """All layers of all images, with bounds for the bytes from the bottom up to and with each of them."""

    def __init__(self) -> None:
        self.paths: dict[str, _Path] = {}
        self._children: dict[tuple[int, str], int] = {}
        self._parents: list[int] = []
        self._chain_ids: list[str] = []
        self._is_empty: list[bool] = []
        self._path_over: dict[int, _Path] = {}
        """An image with a history that holds a layer."""
        self._low: list[int] = []
        self._high: list[int] = []

    def add(self, image: Image, layers: ImageLayers, size_is_layers: bool) -> None:
        """Put an image on its layers, with what its own history tells of them."""
        stored = layers.stored_as if len(layers.stored_as) == len(layers.diff_ids) else ()
        nodes: list[int] = []
        for place, diff_id in enumerate(layers.diff_ids):
            parent = nodes[-1] if nodes else -1
            key = stored[place] if stored else diff_id
            node = self._children.get((parent, key))
            nodes.append(self._new(parent, key, diff_id, bool(stored), size_is_layers) if node is None else node)
        path = self.paths[image.id] = _Path(image, layers, nodes, size_is_layers)
        if path.sums_hold:
            self._place(path)
            self._path_over |= dict.fromkeys(nodes, path)
        if nodes and image.size_bytes is not None:
            if size_is_layers:
                self._bound(nodes[-1], image.size_bytes, image.size_bytes)
            else:
                self._bound(nodes[-1], 0, image.size_bytes)

    def _new(self, parent: int, key: str, diff_id: str, is_stored: bool, counts_files: bool) -> int:
        node = self._children[parent, key] = len(self._parents)
        chained = chain_on(None if parent < 0 else self._chain_ids[parent], diff_id)
        self._parents.append(parent)
        self._chain_ids.append(key if is_stored else chained)
        # Elsewhere the archive's or the folder's own bytes count as well.
        self._is_empty.append(counts_files and diff_id == EMPTY_LAYER)
        self._low.append(0)
        self._high.append(_UNKNOWN)
        return node

    def _bound(self, node: int, low: int, high: int) -> None:
        self._low[node] = max(self._low[node], low)
        self._high[node] = min(self._high[node], high)

    def _place(self, path: _Path) -> None:
        first, last = path.places()
        certain = possible = 0
        for count, node in enumerate(path.nodes, 1):
            while certain < len(last) and last[certain] <= count:
                certain += 1
            while possible < len(first) and first[possible] <= count:
                possible += 1
            self._bound(node, path.sums[certain], path.sums[possible])

    def use_shared_sizes(self) -> None:
        """SharedSize is what lies in layers of at least two images: the sum up to the highest of them."""
        counted = [path for path in self.paths.values() if path.shared_bytes is not None]
        holders = Counter(node for path in counted for node in path.nodes)
        for path in counted:
            shared = [node for node in path.nodes if holders[node] > 1]
            told = path.shared_bytes or 0
            # Where images came or went between two answers, the sum is none that the history knows.
            tells = path.sums_hold or told == 0
            if shared and tells and self._low[shared[-1]] <= told <= self._high[shared[-1]]:
                place = bisect_left(path.sums, told)
                if place < len(path.sums) and path.sums[place] == told:
                    self._bound(shared[-1], told, told)

    def narrow(self) -> None:
        """Bring together what the images tell of the layers they share."""
        for _ in range(_ROUNDS):
            before = (self._low[:], self._high[:])
            for path in self.paths.values():
                if path.sums_hold and any(self._low[node] != self._high[node] for node in path.nodes):
                    self._step(path)
            if before == (self._low, self._high):
                break
        self._grow_upwards()

    def _step(self, path: _Path) -> None:
        """With each layer either one more or none of the image's sizes is below."""
        low = [bisect_left(path.sums, self._low[node]) for node in path.nodes]
        high = [bisect_right(path.sums, self._high[node]) - 1 for node in path.nodes]
        steps = [0 if self._is_empty[node] else 1 for node in path.nodes]
        below_low, below_high = 0, 0
        for place, step in enumerate(steps):
            below_low = low[place] = max(low[place], below_low)
            below_high = high[place] = min(high[place], below_high + step)
        for place in range(len(steps) - 1, 0, -1):
            low[place - 1] = max(low[place - 1], low[place] - steps[place])
            high[place - 1] = min(high[place - 1], high[place])
        if all(0 <= least <= most < len(path.sums) for least, most in zip(low, high, strict=True)):
            for node, least, most in zip(path.nodes, low, high, strict=True):
                self._bound(node, path.sums[least], path.sums[most])

    def _grow_upwards(self) -> None:
        """What lies below a layer is no less than what lies below its parent. A parent has the lower number."""
        for node, parent in enumerate(self._parents):
            if parent >= 0:
                self._low[node] = max(self._low[node], self._low[parent])
        for node in range(len(self._parents) - 1, -1, -1):
            if (parent := self._parents[node]) >= 0:
                self._high[parent] = min(self._high[parent], self._high[node])
        for node, (low, high) in enumerate(zip(self._low, self._high, strict=True)):
            # Answers that contradict each other are held to be both possible.
            self._low[node], self._high[node] = min(low, high), max(low, high)

    def part_id(self, node: int) -> str:
        """Return the id of a layer's part."""
        return f"layer:{self._chain_ids[node]}"

    def parts(self) -> Iterator[Part]:
        """Yield the layers as parts, each after its parent."""
        children = Counter(self._parents)
        tops = {path.nodes[-1] for path in self.paths.values() if path.nodes}
        divides = [
            children[node] != 1 or node in tops or self._low[node] == self._high[node]
            for node in range(len(self._parents))
        ]
        undivided: list[tuple[int, int]] = []
        """For each layer the one below all that it may share its bytes with, and how many those are."""
        for node, parent in enumerate(self._parents):
            below, count = undivided[parent] if parent >= 0 and not divides[parent] else (parent, 0)
            undivided.append((below, count + 1))
            needs = () if parent < 0 else (self.part_id(parent),)
            if not divides[node]:
                yield Part(id=self.part_id(node), needs=needs, high_bytes=0)
                continue
            low, high = self._between(below, node)
            yield Part(
                id=self.part_id(node),
                needs=needs,
                low_bytes=low,
                high_bytes=high,
                undivided_layers=count + 1,
                undivided_sizes=self._sizes_between(below, node) if count else (),
            )

    def _sizes_between(self, below: int, top: int) -> tuple[int, ...]:
        """What the layers there hold, those that hold something, where that is known of all of them."""
        path = self._path_over.get(top)
        low = 0 if below < 0 else self._low[below]
        known = self._low[top] == self._high[top] and (below < 0 or low == self._high[below])
        if path is None or not known or low not in path.sums or self._low[top] not in path.sums:
            return ()
        first, last = path.sums.index(low), path.sums.index(self._low[top])
        return tuple(size for size in path.history if size)[first:last]

    def _between(self, below: int, top: int) -> tuple[int, int | None]:
        low, high = (0, 0) if below < 0 else (self._low[below], self._high[below])
        unknown = self._high[top] >= _UNKNOWN
        return max(0, self._low[top] - high), None if unknown else max(0, self._high[top] - low)
