"""Docker's swarm: the role of an engine, and services as types of the model."""

from collections.abc import Iterable
from typing import Literal

from dockersweep.engine.api.wire import WireService, WireServiceMode, WireServiceSpec, WireSpecMount, WireSwarm
from dockersweep.model.inventory import Mount, Service, ServiceSpec

SwarmRole = Literal["none", "manager", "worker", "unknown"]
"""The role of an engine in a swarm. "unknown" is a node that is locked, just joining, or in error: it may have tasks,
and no one can be asked."""


def role_of(swarm: WireSwarm | None) -> SwarmRole:
    """Return the role from Swarm in GET /info; Podman is "inactive"."""
    state = swarm.local_node_state if swarm else ""
    if swarm is None or state in ("", "inactive"):
        return "none"
    if state != "active":
        return "unknown"
    return "manager" if swarm.control_available else "worker"


def service_from_list(service: WireService) -> Service:
    """Translate an entry of the list of services. The engine counts tasks only from API 1.41 on."""
    status = service.service_status
    return Service(
        id=service.id,
        name=service.spec.name,
        mode=_mode(service.spec.mode),
        spec=_spec(service.spec),
        previous=None if service.previous_spec is None else _spec(service.previous_spec),
        running=status.running_tasks if status else None,
        desired=status.desired_tasks if status else _replicas(service.spec.mode),
        completed=status.completed_tasks if status else None,
    )


def _mode(mode: WireServiceMode | None) -> str:
    if mode is None:
        return "replicated"
    modes = (("global", mode.global_), ("replicated-job", mode.replicated_job), ("global-job", mode.global_job))
    return next((name for name, setting in modes if setting is not None), "replicated")


def _replicas(mode: WireServiceMode | None) -> int | None:
    return mode.replicated.replicas if mode and mode.replicated else None


def _spec(spec: WireServiceSpec) -> ServiceSpec:
    template = spec.task_template
    container = template.container_spec
    networks = (*(template.networks or ()), *(spec.networks or ()))
    return ServiceSpec(
        images=(container.image,) if container and container.image else (),
        mounts=tuple(_mounts((container.mounts if container else None) or ())),
        networks=tuple(dict.fromkeys(network.target for network in networks if network.target)),
    )


def _mounts(mounts: Iterable[WireSpecMount]) -> Iterable[Mount]:
    """Yield the mounts with a source: without one, each task gets a new anonymous volume. A mount of type "cluster"
    names a volume, or a group of volumes, of a CSI plugin."""
    for mount in mounts:
        if mount.source:
            is_volume = mount.type in ("volume", "cluster")
            volume, source = (mount.source, None) if is_volume else (None, mount.source)
            yield Mount(type=mount.type, volume=volume, source=source)
