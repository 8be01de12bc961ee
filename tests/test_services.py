"""What a swarm's services name: an engine minds it only while a task runs, and dockersweep always."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.engines.engine import Engine
from tests.engines.litter import Litter
from tests.engines.scenarios_layers import half_empty
from tests.engines.scenarios_registry import registry
from tests.engines.swarm import create_service, replicas, scale, service_spec, swarm, update_service
from tests.running import dockersweep

SWARM_ENGINES = ("docker-20.10", "docker-26.1", "docker-28.5", "docker-28.5-containerd")
EVERYTHING = ("--named-volumes", "--all-images")
AT_ONCE = ("--older-than", "0s")

pytestmark = pytest.mark.on_engines(*SWARM_ENGINES)


@pytest.fixture
def manager(engine: Engine) -> Iterator[Engine]:
    """An engine that is the manager of a swarm."""
    with swarm(engine):
        yield engine


def decisions(engine: Engine, *flags: str) -> dict[str, dict[str, Any]]:
    """What a plan says of each object, by its name."""
    run = dockersweep("plan", "--format", "json", *flags, host=engine.url)
    assert run.status == 0, run.stderr
    return {one["name"]: one for one in run.json()["decisions"]}


def texts(decision: dict[str, Any]) -> list[str]:
    return [f"{one['rule']}: {one['text']}" for one in decision["reasons"]]


def test_a_service_that_is_scaled_to_0_comes_back_with_its_data(manager: Engine, litter: Litter) -> None:
    litter.image("shopdb:16", layers={"db": 1000}, runnable=True)
    litter.image("shopdb:15", layers={"old": 1000}, runnable=True)
    litter.volume("db-data", size=1000)
    litter.volume("db-data-old", size=1000)
    create_service(manager, "db", "shopdb:16", mode=replicas(1), volumes=["db-data"])
    scale(manager, "db", 0)
    told = decisions(manager, *EVERYTHING, *AT_ONCE)
    for name in ("db-data", "shopdb:16"):
        assert told[name]["verdict"] == "keep"
        assert "protected: used by service db (0 of 0 replicas)" in texts(told[name])
        assert told[name]["reasons"][0]["code"] == "service"
    assert (told["db-data-old"]["verdict"], told["shopdb:15"]["verdict"]) == ("remove", "remove")
    explained = dockersweep("explain", "volume:db-data", host=manager.url).stdout
    assert "volume db-data <- service db (0 of 0 replicas)" in explained
    assert "Nothing holds it" not in explained
    assert "used by service db (0 of 0 replicas)" in dockersweep("scan", "--all", host=manager.url).stdout
    assert dockersweep("sweep", "--yes", *EVERYTHING, *AT_ONCE, host=manager.url).status == 0
    assert manager.docker("volume", "ls", "-q").stdout.split() == ["db-data"]
    scale(manager, "db", 1)
    assert "shopdb:15" not in manager.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()


def test_every_mode_and_what_a_rollback_needs(manager: Engine, litter: Litter) -> None:
    litter.base()
    for name in ("agent:1", "job:1", "web:1", "web:2", "free:1"):
        litter.image(name, layers={name: 1000}, runnable=True)
    for name in ("agent-data", "job-data", "web-old", "web-new", "slot-1", "free"):
        litter.volume(name)
    manager.wire.call("POST", "/networks/create", {"Name": "backend", "Driver": "overlay"})
    create_service(
        manager, "agent", "agent:1", mode={"Global": {}}, constraints=["node.labels.no==such"], volumes=["agent-data"]
    )
    create_service(manager, "job", "job:1", mode={"ReplicatedJob": {}}, volumes=["job-data"], command="true")
    create_service(manager, "web", "web:1", volumes=["web-old", "slot-{{.Task.Slot}}"], networks=["backend"])
    update_service(manager, "web", service_spec("web", "web:2", None, ["web-new"], ["backend"]))
    told = decisions(manager, *EVERYTHING, *AT_ONCE, "--kind", "image", "--kind", "volume", "--kind", "network")
    held = {
        "agent:1": "agent (global, 0 of 0 tasks)", "agent-data": "agent (global, 0 of 0 tasks)",
        "job:1": "job (job, ", "job-data": "job (job, ",
        "web:2": "web (0 of 0 replicas)", "web-new": "web (0 of 0 replicas)", "backend": "web (0 of 0 replicas)",
        "web:1": "web (0 of 0 replicas), for a rollback", "web-old": "web (0 of 0 replicas), for a rollback",
        "slot-1": "web (0 of 0 replicas), for a rollback",
    }  # fmt: skip
    for name, service in held.items():
        assert texts(told[name])[0].startswith(f"protected: used by service {service}"), name
        assert told[name]["verdict"] == "keep"
    assert (told["free:1"]["verdict"], told["free"]["verdict"]) == ("remove", "remove")
    inventory = dockersweep("scan", "--format", "json", host=manager.url).json()
    assert [(one["name"], one["mode"]) for one in inventory["services"]] == [
        ("agent", "global"), ("job", "replicated-job"), ("web", "replicated"),
    ]  # fmt: skip


def test_by_default_an_image_that_a_swarm_pulled_by_digest_stays(manager: Engine, litter: Litter) -> None:
    with registry(manager) as source:
        ids = []
        for tag in ("1", "2"):
            source.offer(tag, [half_empty(f"app-{tag}", 1000)])
            image = f"{source.address}/app@{source.digest(tag)}"
            # As a swarm does: no tag is left.
            manager.wire.raw("POST", "/images/create", fromImage=image)
            ids.append(manager.wire.call("GET", f"/images/{image}/json")["Id"])
        create_service(manager, "app", f"{source.address}/app:1@{source.digest('1')}")
    assert dockersweep("scan", host=manager.url).status == 0
    then = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    run = dockersweep("plan", "--format", "json", host=manager.url, DOCKERSWEEP_NOW=then)
    told = {one["id"]: one for one in run.json()["decisions"]}
    assert texts(told[ids[0]]) == ["protected: used by service app (0 of 0 replicas)"]
    assert [told[one]["verdict"] for one in ids] == ["keep", "remove"]
    assert dockersweep("sweep", "--yes", *AT_ONCE, host=manager.url).status == 0
    assert [one["Id"] for one in manager.wire.images()] == [ids[0]]


def test_services_are_asked_for_once_and_of_a_manager_alone(engine: Engine, litter: Litter) -> None:
    with engine.recorder.recording() as recording:
        assert dockersweep("scan", host=engine.url).status == 0
    assert "/services" not in [one.path for one in recording.requests]
    with swarm(engine), engine.recorder.recording() as recording:
        assert dockersweep("scan", host=engine.url).status == 0
    assert [one.path for one in recording.requests].count("/services") == 1
