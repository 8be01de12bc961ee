"""What belongs to the kubelet of a Kubernetes node, which has it made by cri-dockerd and cleans it up itself.

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
# The defaults of cri-dockerd, kubeadm and the distributions, now and formerly.
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
    """Return whether these are labels of what belongs to the kubelet."""
    for label in labels:  # noqa: SIM110 - asked of every object, and most have no labels
        if label.startswith(PREFIX):
            return True
    return False


def held_by_kubelet(inventory: Inventory) -> dict[ObjectRef, Sequence[Reason]]:
    """Return why containers and images stay that belong to the kubelet."""
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
    """Whether it is called like a pause image: by a usual name, or, where pods are, in any registry."""
    names = image.tags + image.digests
    pause = [whole_repository_of(name) for name in names if "pause" in name] if names else ()
    return any(_PAUSE.fullmatch(one) and (pods_are_here or with_registry(one).startswith(_KNOWN)) for one in pause)


def _of_container(labels: Labels) -> Sequence[Reason]:
    if _POD in labels:
        return _reason(OfPod(pod=labels[_POD], namespace=labels.get(_NAMESPACE)))
    return _reason(_of_label(labels))


def _of_label(labels: Labels) -> OfKubelet:
    return OfKubelet(label=min(label for label in labels if label.startswith(PREFIX)))


def _reason(about: OfPod | OfKubelet | Fact) -> Sequence[Reason]:
    return (Reason(code="kubelet", rule="protected", about=about),)
