"""Containers and images of a Kubernetes node: its kubelet creates them through cri-dockerd, and removes them itself.

cri-dockerd labels each container with its pod, and the one that holds the namespaces of a pod, which runs the pause
image, as "podsandbox" (core/sandbox_helpers.go of Mirantis/cri-dockerd). It labels no volume and no network.
"""

import re
from collections.abc import Sequence

from dockersweep.model.image_references import whole_repository_of, with_registry
from dockersweep.model.inventory import Image, Inventory, Labels, ObjectRef
from dockersweep.model.naming import ref_of
from dockersweep.model.reason import Fact, OfKubelet, OfPod, Reason

PREFIX = "io.kubernetes."
_POD = "io.kubernetes.pod.name"
_NAMESPACE = "io.kubernetes.pod.namespace"
# Past and present defaults of cri-dockerd, kubeadm and the distributions.
_KNOWN = (
    "registry.k8s.io/",
    "k8s.gcr.io/",
    "gcr.io/google_containers/",
    "gcr.io/google-containers/",
    "docker.io/rancher/",
    "mcr.microsoft.com/oss/kubernetes/",
    "registry.aliyuncs.com/google_containers/",
)
_PAUSE = re.compile(r"(?:.*/)?(?:mirrored-)?pause(?:-(?:amd64|arm|arm64|ppc64le|s390x))?")


def is_of_kubelet(labels: Labels) -> bool:
    """Return whether an object with these labels belongs to the kubelet."""
    for label in labels:  # noqa: SIM110 - asked of every object, and most have no labels
        if label.startswith(PREFIX):
            return True
    return False


def held_by_kubelet(inventory: Inventory) -> dict[ObjectRef, Sequence[Reason]]:
    """Return the containers and images that belong to the kubelet, with the reasons to keep them."""
    held = {
        ref_of(container): _of_container(container.labels)
        for container in inventory.containers
        if is_of_kubelet(container.labels)
    }
    are_here = bool(held)
    for image in inventory.images:
        if is_of_kubelet(image.labels):
            held[ref_of(image)] = _reason(_of_label(image.labels))
        elif _is_pause(image, are_here):
            held[ref_of(image)] = _reason(Fact(name="pause-image"))
    return held


def _is_pause(image: Image, pods_are_here: bool) -> bool:
    """Whether it is named like a pause image of a known registry, or of any registry on a host with pods."""
    names = image.tags + image.digests
    repositories = [whole_repository_of(name) for name in names if "pause" in name] if names else ()
    return any(
        _PAUSE.fullmatch(repository) and (pods_are_here or with_registry(repository).startswith(_KNOWN))
        for repository in repositories
    )


def _of_container(labels: Labels) -> Sequence[Reason]:
    if _POD in labels:
        return _reason(OfPod(pod=labels[_POD], namespace=labels.get(_NAMESPACE)))
    return _reason(_of_label(labels))


def _of_label(labels: Labels) -> OfKubelet:
    return OfKubelet(label=min(label for label in labels if label.startswith(PREFIX)))


def _reason(about: OfPod | OfKubelet | Fact) -> Sequence[Reason]:
    return (Reason(code="kubelet", rule="protected", about=about),)
