"""What an engine says of a swarm, in our words: its part in it, and its services by every version of the API."""

from typing import Any

import msgspec
import pytest

from dockersweep.engine.api.swarm import role_of, service_from_list
from dockersweep.engine.api.wire import WireService, WireSwarm
from dockersweep.model.inventory import Mount, Service
from dockersweep.policy.judging.services import uses_of
from dockersweep.words.reasons import service_text


@pytest.mark.parametrize(
    ("state", "is_manager", "role"),
    [
        ("", False, "none"),
        ("inactive", False, "none"),
        ("active", True, "manager"),
        ("active", False, "worker"),
        # A manager that was restarted and waits for its key, one that is just joining, one whose certificate is over.
        ("locked", False, "unknown"),
        ("locked", True, "unknown"),
        ("pending", False, "unknown"),
        ("error", False, "unknown"),
    ],
)
def test_what_an_engine_is_in_a_swarm(state: str, is_manager: bool, role: str) -> None:
    assert role_of(WireSwarm(local_node_state=state, control_available=is_manager)) == role
    assert role_of(None) == "none"


def service(mode: dict[str, Any], status: dict[str, int] | None = None, **container: Any) -> Service:
    spec = {"Name": "db", "TaskTemplate": {"ContainerSpec": container}, "Mode": mode}
    told = {"ID": "x", "Spec": spec, **({"ServiceStatus": status} if status is not None else {})}
    return service_from_list(msgspec.convert(told, WireService))


def status(running: int, desired: int, completed: int = 0) -> dict[str, int]:
    return {"RunningTasks": running, "DesiredTasks": desired, "CompletedTasks": completed}


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (service({"Replicated": {"Replicas": 0}}, status(0, 0)), "0 of 0 replicas"),
        (service({"Replicated": {"Replicas": 3}}, status(2, 3)), "2 of 3 replicas"),
        (service({"Global": {}}, status(0, 0)), "global, 0 of 0 tasks"),
        (service({"ReplicatedJob": {"MaxConcurrent": 1}}, status(0, 1, 1)), "job, 1 task done"),
        (service({"GlobalJob": {}}, status(0, 0, 2)), "job, 2 tasks done"),
        # API 1.40 counts no tasks.
        (service({"Replicated": {"Replicas": 3}}), "3 replicas"),
        (service({"Replicated": {}}), "replicated"),
        (service({"Global": {}}), "global"),
        (service({"GlobalJob": {}}), "job"),
    ],
)
def test_how_many_tasks_a_service_has(seen: Service, words: str) -> None:
    assert service_text(uses_of(seen)) == f"service {seen.name} ({words})"


def test_only_what_a_mount_names_is_held() -> None:
    mounts = [
        {"Type": "volume", "Source": "data"},
        {"Type": "volume"},
        {"Type": "cluster", "Source": "san"},
        {"Type": "bind", "Source": "/srv"},
        {"Type": "tmpfs"},
    ]
    assert service({}, Image="db:1", Mounts=mounts).spec.mounts == (
        Mount(type="volume", volume="data", source=None),
        Mount(type="cluster", volume="san", source=None),
        Mount(type="bind", volume=None, source="/srv"),
    )


def test_a_service_of_a_plugin_names_nothing() -> None:
    told = {"ID": "x", "Spec": {"Name": "plug", "TaskTemplate": {"PluginSpec": {"Name": "p"}}}, "PreviousSpec": None}
    seen = service_from_list(msgspec.convert(told, WireService))
    assert (seen.mode, seen.spec.images, seen.spec.mounts, seen.previous) == ("replicated", (), (), None)


def test_networks_in_the_place_where_older_clients_wrote_them_count() -> None:
    spec = {"Name": "old", "Networks": [{"Target": "n1"}], "TaskTemplate": {"Networks": [{"Target": "n2"}]}}
    assert service_from_list(msgspec.convert({"ID": "x", "Spec": spec}, WireService)).spec.networks == ("n2", "n1")


@pytest.mark.parametrize(
    "told", [{}, {"Name": "db"}, {"Name": "db", "TaskTemplate": None}, {"Name": "db", "TaskTemplate": []}]
)
def test_a_service_that_does_not_tell_what_it_names_is_no_answer(told: dict[str, Any]) -> None:
    """Else a proxy that leaves it out would let all go that the service needs."""
    good = {"Name": "db", "TaskTemplate": {}}
    assert msgspec.convert({"ID": "x", "Spec": good, "PreviousSpec": None}, WireService).spec.name == "db"
    for wrong in ({"ID": "x", "Spec": told}, {"ID": "x", "Spec": good, "PreviousSpec": told}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, WireService)
