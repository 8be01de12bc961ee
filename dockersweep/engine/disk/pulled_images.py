"""Which images of a containerd store can be pulled again, as the labels of their content tell.

A pull and a push label what they transfer with registry and repository (core/remotes/docker/handler.go of containerd,
daemon/containerd/image_push.go of moby). BuildKit gives the same label to the manifest and the configuration of any
local image that it takes as a base, under whatever name that has; to layers it gives none (tried on 28.5). So the
layers decide, of which a pull does not label those whose snapshot is there already: an image can be pulled again where

- its manifests and configurations name one repository,
- each of its layers that is there names some repository, and
- a layer that no other image has names that one, and did so with this manifest.

Whatever is in doubt cannot be pulled again. Whether the registry still has it is not asked.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from dockersweep.engine.disk.containerd_metadata import Blob, Namespace

_SOURCE = "containerd.io/distribution.source."
_CHILD = re.compile(r"containerd\.io/gc\.ref\.content\.(config|[lm]\.[0-9]+|[0-9]+)")
"""What ties a manifest or an index to its content. BuildKit gives plain numbers, the configuration has the first."""
_CONFIGURATION = ("config", "0")
_PUSH_NS = 10_000_000_000
"""A push labels everything at its end, the manifest first."""


def recoverable_images(namespace: Namespace) -> set[str]:
    """Return the content that images point at which can be pulled again."""
    trees = {target: _Tree.of(target, namespace.blobs) for target in set(namespace.images.values())}
    holders = Counter(layer for tree in trees.values() for layer in tree.layers)
    return {target for target, tree in trees.items() if tree.is_recoverable(namespace.blobs, holders)}


class _Tree(Struct):
    """The content of one image that is there."""

    described: set[str] = field(default_factory=set)
    """Its indexes, manifests and configurations."""
    layers: dict[str, set[str]] = field(default_factory=dict)
    """The manifests that name each layer."""

    @classmethod
    def of(cls, target: str, blobs: Mapping[str, Blob]) -> "_Tree":
        tree = cls()
        waiting = [target]
        while waiting:
            one = waiting.pop()
            if one in tree.described or one not in blobs:
                continue
            tree.described.add(one)
            for role, child in _children(blobs[one]):
                if child not in blobs:
                    continue
                if role in _CONFIGURATION or role.startswith("m.") or any(_children(blobs[child])):
                    waiting.append(child)
                else:
                    tree.layers.setdefault(child, set()).add(one)
        return tree

    def is_recoverable(self, blobs: Mapping[str, Blob], holders: Mapping[str, int]) -> bool:
        """Return whether it was pulled from one repository, or pushed there, beyond doubt."""
        sources = [_repositories(blobs[one]) for one in self.described]
        common = frozenset.intersection(*sources) if sources else frozenset()
        of_layers = {layer: _repositories(blobs[layer]) for layer in self.layers}
        return all(of_layers.values()) and any(
            of_layers[layer] & common and _came_with(blobs[layer], blobs[manifest])
            for layer, manifests in self.layers.items()
            if holders[layer] == 1
            for manifest in manifests
        )


def _came_with(layer: Blob, manifest: Blob) -> bool:
    """Return whether a layer has its label by the pull or the push of this manifest: an own image that adds only
    configuration to a pulled one has its layers for itself once that is gone.

    A pull fetches the manifest first, whereas a build has the layers before; a push labels both at once.
    """
    pushed_after = layer.updated_ns - manifest.updated_ns
    return layer.created_ns >= manifest.created_ns > 0 or 0 <= pushed_after <= _PUSH_NS


def _children(blob: Blob) -> Iterator[tuple[str, str]]:
    for key, value in blob.labels.items():
        if match := _CHILD.fullmatch(key):
            yield match[1], f"blob:{value}"


def _repositories(blob: Blob) -> frozenset[str]:
    return frozenset(
        f"{key.removeprefix(_SOURCE)}/{repository}"
        for key, value in blob.labels.items()
        if key.startswith(_SOURCE)
        for repository in value.split(",")
        if repository
    )
