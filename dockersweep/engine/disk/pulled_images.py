"""Which images of a containerd store can be pulled again, judging by the labels of their content.

A pull and a push label what they transfer with registry and repository (core/remotes/docker/handler.go of containerd,
daemon/containerd/image_push.go of moby). BuildKit gives the same label to the manifest and the configuration of any
local image that it uses as a base, with whatever name that has, but not to layers (tried on 28.5). So the layers
decide; a pull does not label layers whose snapshot exists already. An image can be pulled again if

- its manifests and configurations name a common repository,
- each of its layers that exist here names some repository, and
- a layer that no other image has names the common one, and got that label with this manifest.

When in doubt, an image cannot be pulled again. The registry is not asked whether it still has the image.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from dockersweep.engine.disk.containerd_metadata import Blob, Namespace

_SOURCE = "containerd.io/distribution.source."
_CHILD = re.compile(r"containerd\.io/gc\.ref\.content\.(config|[lm]\.[0-9]+|[0-9]+)")
"""Labels that link a manifest or an index to its content. BuildKit uses plain numbers, 0 for the configuration."""
_CONFIGURATION = ("config", "0")
_PUSH_NS = 10_000_000_000
"""A push labels everything at its end within this time, the manifest first."""


def recoverable_images(namespace: Namespace) -> set[str]:
    """Return the targets of images that can be pulled again."""
    trees = {target: _Tree.of(target, namespace.blobs) for target in set(namespace.images.values())}
    holders = Counter(layer for tree in trees.values() for layer in tree.layers)
    return {target for target, tree in trees.items() if tree.is_recoverable(namespace.blobs, holders)}


class _Tree(Struct):
    """The existing content of one image."""

    described: set[str] = field(default_factory=set)
    """Its indexes, manifests and configurations."""
    layers: dict[str, set[str]] = field(default_factory=dict)
    """Layer -> the manifests that name it."""

    @classmethod
    def of(cls, target: str, blobs: Mapping[str, Blob]) -> "_Tree":
        tree = cls()
        waiting = [target]
        while waiting:
            content = waiting.pop()
            if content in tree.described or content not in blobs:
                continue
            tree.described.add(content)
            for role, child in _children(blobs[content]):
                if child not in blobs:
                    continue
                if role in _CONFIGURATION or role.startswith("m.") or any(_children(blobs[child])):
                    waiting.append(child)
                else:
                    tree.layers.setdefault(child, set()).add(content)
        return tree

    def is_recoverable(self, blobs: Mapping[str, Blob], holders: Mapping[str, int]) -> bool:
        """Return whether the image was surely pulled from one repository, or pushed there."""
        sources = [_repositories(blobs[content]) for content in self.described]
        common = frozenset.intersection(*sources) if sources else frozenset()
        of_layers = {layer: _repositories(blobs[layer]) for layer in self.layers}
        return all(of_layers.values()) and any(
            of_layers[layer] & common and _came_with(blobs[layer], blobs[manifest])
            for layer, manifests in self.layers.items()
            if holders[layer] == 1
            for manifest in manifests
        )


def _came_with(layer: Blob, manifest: Blob) -> bool:
    """Return whether a layer got its label with the pull or push of this manifest, and not before: a local image that
    adds only configuration to a pulled one has labeled layers for itself once the pulled one is gone.

    A pull fetches the manifest first, while a build has the layers first; a push labels both at once.
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
