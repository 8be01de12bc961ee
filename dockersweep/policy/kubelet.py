"""What belongs to the kubelet of a Kubernetes node, which has it made by cri-dockerd and cleans it up itself.

cri-dockerd labels each container with its pod, and the one that holds the namespaces of a pod, which runs the pause
image, as "podsandbox" (core/sandbox_helpers.go of Mirantis/cri-dockerd). It labels no volume and no network.
"""

import re
from collections.abc import Sequence

from dockersweep.model.inventory import Image, Inventory, Labels
from dockersweep.model.plan import Reason
from dockersweep.policy.image_names import whole_repository_of, with_registry

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
    return any(label.startswith(PREFIX) for label in labels)


def held_by_kubelet(inventory: Inventory) -> dict[str, Sequence[Reason]]:
    """Return why containers and images stay that belong to the kubelet, by their ids."""
    held = {seen.id: _of_container(seen.labels) for seen in inventory.containers if is_of_kubelet(seen.labels)}
    are_here = bool(held)
    for image in inventory.images:
        if is_of_kubelet(image.labels):
            held[image.id] = _reason(f"it has the label {_first(image.labels)}, so it belongs to the kubelet")
        elif _is_pause(image, are_here):
            held[image.id] = _reason("the pause image, which the kubelet needs for every pod")
    return held


def _is_pause(image: Image, pods_are_here: bool) -> bool:
    """Whether it is called like a pause image: by a usual name, or, where pods are, in any registry."""
    pause = (whole_repository_of(name) for name in (*image.tags, *image.digests) if "pause" in name)
    return any(_PAUSE.fullmatch(one) and (pods_are_here or with_registry(one).startswith(_KNOWN)) for one in pause)


def _of_container(labels: Labels) -> Sequence[Reason]:
    if _POD in labels:
        pod = f"{labels[_NAMESPACE]}/{labels[_POD]}" if _NAMESPACE in labels else labels[_POD]
        return _reason(f"part of the Kubernetes pod {pod}, which the kubelet itself cleans up")
    return _reason(f"it has the label {_first(labels)}, so it belongs to the kubelet")


def _first(labels: Labels) -> str:
    return min(label for label in labels if label.startswith(PREFIX))


def _reason(text: str) -> Sequence[Reason]:
    return (Reason(code="kubelet", rule="protected", text=text),)
