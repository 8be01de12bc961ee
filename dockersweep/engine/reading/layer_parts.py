"""The layers of images, as far as the engine's API reports them: sizes are lengths, as the engine counts.

An image's history has the sizes of its layers in order, but its zeros can be empty layers or steps without a layer. The
bounds for the bytes below each layer are combined from all images that have the layer. If the sizes of layers that
always occur together stay unclear, the topmost gets the bytes of all of them, undivided.
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
"""The digest of an archive without entries: a layer with it is empty."""
_ROUNDS = 4
_UNKNOWN = 1 << 62


def unclear_images(
    images: Iterable[Image],
    layers_of: Mapping[str, ImageLayers],
    image_store: str,
    flavour: Literal["docker", "podman"],
) -> frozenset[str]:
    """Return the ids of the images that get no part and may use any layer: they could not be read, or more than one of
    their platforms may be stored here."""
    if flavour == "docker" and image_store != "containerd":
        return frozenset(image.id for image in images if image.id not in layers_of and image.shared_bytes != 0)
    by_platform = flavour == "docker"
    return frozenset(
        image.id for image in images if image.id not in layers_of or (by_platform and image.manifest is None)
    )


def layer_parts(
    images: Sequence[Image],
    layers_of: Mapping[str, ImageLayers],
    image_store: str,
    flavour: Literal["docker", "podman"],
) -> tuple[Part, ...]:
    """Return the parts of these images: their layers, and what each image has besides. Images that are not fully known
    get no part: see `unclear_images`."""
    tree = _Tree()
    graphdriver = flavour == "docker" and image_store != "containerd"
    for image in images:
        if image.id in layers_of:
            tree.add(image, layers_of[image.id], size_is_layers=graphdriver)
    if graphdriver and not unclear_images(images, layers_of, image_store, flavour):
        tree.use_shared_sizes()
    tree.narrow()
    parts = list(tree.parts())
    unclear = unclear_images(images, layers_of, image_store, flavour)
    sharers = Counter(diff for layers in layers_of.values() for diff in set(layers.diff_ids))
    for image in images:
        if (path := tree.paths.get(image.id)) is None:
            if graphdriver and image.shared_bytes == 0:
                parts.append(Part(id=f"image:{image.id}", low_bytes=image.size_bytes or 0, high_bytes=image.size_bytes))
        elif image.id not in unclear:
            # Images that share a blob share its diff id: without shared diff ids, the contents are only this image's.
            alone = not unclear and all(sharers[diff] == 1 for diff in layers_of[image.id].diff_ids)
            top = tree.part_id(path.nodes[-1]) if path.nodes else None
            parts.append(_image_part(image, path, top, alone or flavour == "podman"))
    return tuple(parts)


def _image_part(image: Image, path: "_Path", top: str | None, is_own: bool) -> Part:
    """Return the part with what an image has besides its layers: nothing that counts with graphdrivers, metadata on
    Podman, compressed contents in the containerd store."""
    needs = () if top is None else (top,)
    low, high = 0, image.size_bytes
    if path.size_is_layers:
        high = 0
    elif image.size_bytes is not None and path.sums_hold:
        high = max(0, image.size_bytes - path.sums[-1])
        low = high if is_own else 0
    return Part(id=f"image:{image.id}", needs=needs, low_bytes=low, high_bytes=high)


class _Path:
    """One image's path up the tree of layers."""

    def __init__(self, image: Image, layers: ImageLayers, nodes: list[int], size_is_layers: bool) -> None:
        self.nodes = nodes
        self.size_is_layers = size_is_layers
        self.size_bytes = image.size_bytes
        self.shared_bytes = image.shared_bytes
        self.history = layers.history_bytes
        self.sums = [0, *accumulate(size for size in self.history if size)]
        """The total size of the first n non-empty layers, by n."""
        holding = len(self.sums) - 1
        whole = not size_is_layers or image.size_bytes is None or self.sums[-1] == image.size_bytes
        self.sums_hold = holding <= len(nodes) <= len(self.history) and whole
        """Whether the history belongs to exactly these layers; an image can have none."""

    def places(self) -> tuple[list[int], list[int]]:
        """Return for each non-empty layer the least and the greatest number of layers up to and including it."""
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
    """All layers of all images, with bounds for the bytes from the bottom up to and including each layer."""

    def __init__(self) -> None:
        self.paths: dict[str, _Path] = {}
        self._children: dict[tuple[int, str], int] = {}
        self._parents: list[int] = []
        self._chain_ids: list[str] = []
        self._is_empty: list[bool] = []
        self._path_over: dict[int, _Path] = {}
        """For each layer, an image with a history that has it."""
        self._low: list[int] = []
        self._high: list[int] = []

    def add(self, image: Image, layers: ImageLayers, size_is_layers: bool) -> None:
        """Add an image and its layers, with the bounds from its history."""
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
        # Otherwise the bytes of the archive or folder itself count as well.
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
        """Use SharedSize, the bytes in layers of at least two images: the sum up to the highest shared layer."""
        counted = [path for path in self.paths.values() if path.shared_bytes is not None]
        holders = Counter(node for path in counted for node in path.nodes)
        for path in counted:
            shared = [node for node in path.nodes if holders[node] > 1]
            shared_bytes = path.shared_bytes or 0
            # If images came or went between two answers, the value may not be a sum from the history.
            is_usable = path.sums_hold or shared_bytes == 0
            if shared and is_usable and self._low[shared[-1]] <= shared_bytes <= self._high[shared[-1]]:
                place = bisect_left(path.sums, shared_bytes)
                if place < len(path.sums) and path.sums[place] == shared_bytes:
                    self._bound(shared[-1], shared_bytes, shared_bytes)

    def narrow(self) -> None:
        """Combine the bounds that the images give for the layers they share."""
        for _ in range(_ROUNDS):
            before = (self._low[:], self._high[:])
            for path in self.paths.values():
                if path.sums_hold and any(self._low[node] != self._high[node] for node in path.nodes):
                    self._step(path)
            if before == (self._low, self._high):
                break
        self._grow_upwards()

    def _step(self, path: _Path) -> None:
        """Narrow the bounds along one path: each layer adds at most one of the image's sizes."""
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
        """Make the bounds grow from parent to child. A parent has a lower number than its children."""
        for node, parent in enumerate(self._parents):
            if parent >= 0:
                self._low[node] = max(self._low[node], self._low[parent])
        for node in range(len(self._parents) - 1, -1, -1):
            if (parent := self._parents[node]) >= 0:
                self._high[parent] = min(self._high[parent], self._high[node])
        for node, (low, high) in enumerate(zip(self._low, self._high, strict=True)):
            # Of answers that contradict each other, both count as possible.
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
        """For each layer: the layer below the undivided ones that it belongs to, and their number up to it."""
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
        """Return the sizes of the non-empty layers above `below` up to `top`; empty unless all are known."""
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
