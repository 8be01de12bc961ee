"""The images and volumes that Kubernetes YAML names for `podman kube play`."""

import os
from collections.abc import Iterator

from dockersweep.declared.yaml_tree import Mapping, Node, Scalar, Sequence, Source, read_yaml
from dockersweep.model.declared import Declared, DeclaredKind

_PODS = ("Pod", "Deployment", "DaemonSet", "Job", "CronJob", "StatefulSet", "ReplicaSet")
_WITHOUT_PODS = ("ConfigMap", "Secret", "Service", "Namespace")
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def declared_by_kube(data: bytes, path: str, notes: list[str]) -> Iterator[Declared]:
    """Yield what the documents of a file declare; documents of other kinds get a note. Raises DeclaredFileError."""
    for document in read_yaml(data, Source(path, os.path.dirname(path))):
        if not isinstance(document, Mapping):
            continue
        kind = _text(document.items.get("kind"))
        if kind == "PersistentVolumeClaim":
            metadata = document.items.get("metadata")
            if isinstance(metadata, Mapping):
                yield from _named("volume", metadata.items.get("name"))
        elif kind in _PODS:
            yield from _pods(document, set())
        elif kind not in _WITHOUT_PODS:
            notes.append(f"{path}:{document.line}: a document of kind {kind or 'unknown'} is skipped")


def _pods(node: Node, visited: set[int]) -> Iterator[Declared]:
    """Yield what the pod specifications in a document name, in its templates too."""
    if not isinstance(node, Mapping) or id(node) in visited:
        return
    # Aliases share nodes; walking every alias could take forever.
    visited.add(id(node))
    for key, inner in node.items.items():
        if key in ("spec", "template", "jobTemplate"):
            yield from _pods(inner, visited)
        elif key in _CONTAINERS and isinstance(inner, Sequence):
            for container in inner.items:
                if isinstance(container, Mapping):
                    yield from _named("image", container.items.get("image"))
        elif key == "volumes" and isinstance(inner, Sequence):
            for volume in inner.items:
                yield from _volume(volume)


def _volume(volume: Node) -> Iterator[Declared]:
    if not isinstance(volume, Mapping):
        return
    claim, image = volume.items.get("persistentVolumeClaim"), volume.items.get("image")
    if isinstance(claim, Mapping):
        yield from _named("volume", claim.items.get("claimName"))
    if isinstance(image, Mapping):
        yield from _named("image", image.items.get("reference"))


def _named(kind: DeclaredKind, node: Node | None) -> Iterator[Declared]:
    if isinstance(node, Scalar) and not node.is_null:
        yield Declared(kind=kind, name=node.text, path=node.source.path, line=node.line)


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, Scalar) else ""
