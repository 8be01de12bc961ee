"""What a swarm's services name: an engine minds it only while a task runs, and dockersweep always."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.rig.allowed import ALLOWED_CALLS
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST, OLDEST_AND_NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.engines.scenarios_layers import half_empty
from tests.rig.engines.scenarios_registry import registry
from tests.rig.engines.swarm import (
    await_containers,
    create_service,
    replicas,
    scale,
    service_spec,
    swarm,
    update_service,
    worker_of,
)
from tests.rig.faults import READING_FAULTS
from tests.rig.faulty_proxy import Strike, faulty
from tests.rig.running import dockersweep

SWARM_ENGINES = ("docker-20.10", "docker-26.1", "docker-28.5", "docker-28.5-containerd")
EVERYTHING = ("--named-volumes", "--all-images")
AT_ONCE = ("--older-than", "0s")

pytestmark = [pytest.mark.on_engines(*SWARM_ENGINES), pytest.mark.enough_on(*NEWEST)]


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
    await_containers(manager, "db", 1)
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
    for words in (("scan", "--all", "--format", "csv"), ("report", "--format", "html"), ("plan", "--verbose")):
        assert "used by service db (0 of 0 replicas)" in dockersweep(*words, host=manager.url).stdout, words
    assert dockersweep("sweep", "--yes", *EVERYTHING, *AT_ONCE, host=manager.url).status == 0
    assert manager.docker("volume", "ls", "-q").stdout.split() == ["db-data"]
    scale(manager, "db", 1)
    assert "shopdb:15" not in manager.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
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


def test_a_service_may_write_the_registry_that_docker_leaves_out(manager: Engine, litter: Litter) -> None:
    """As a stack file does; the engine finds the image by each of these."""
    for name in ("app:1", "team/app:1", "other:1", "team/other:1"):
        litter.image(name, layers={name.replace("/", "-"): 1000}, runnable=True)
    for name, image in (("short", "docker.io/app:1"), ("old", "index.docker.io/team/app:1")):
        create_service(manager, name, image)
        scale(manager, name, 1)
        scale(manager, name, 0)
    told = decisions(manager, *EVERYTHING, *AT_ONCE, "--kind", "image")
    verdicts = [told[name]["verdict"] for name in ("app:1", "team/app:1", "other:1", "team/other:1")]
    assert verdicts == ["keep", "keep", "remove", "remove"]
    assert texts(told["app:1"])[0] == "protected: used by service short (0 of 0 replicas)"


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


UNSEEN = "protection: a service of the swarm may use it, and services cannot be seen here (protect.unseen_services)"
WITHOUT_SERVICES = tuple(call for call in ALLOWED_CALLS if call != ("GET", "/services"))


def litter_of_a_node(engine: Engine) -> None:
    """What services may name, and what they cannot."""
    litter = Litter(engine)
    litter.image("built:1", layers={"built": 1000})
    litter.volume("data", size=1000)
    litter.anonymous_volume()
    with registry(engine) as source:
        source.offer("1", [half_empty("pulled", 1000)])
        source.pull("pulled", "1")
    engine.wire.call("POST", "/networks/create", {"Name": "mine", "Driver": "bridge"})


def only_what_cannot_be_named_goes(engine: Engine, host: str, why: str) -> None:
    run = dockersweep("plan", "--format", "json", *EVERYTHING, *AT_ONCE, host=host)
    told = {one["name"]: one for one in run.json()["decisions"]}
    for name in ("built:1", "data"):
        assert texts(told[name]) == [UNSEEN]
        assert told[name]["reasons"][0]["code"] == "unseen-services"
    assert told["mine"]["verdict"] == "remove"
    warnings = [one["text"] for one in run.json()["warnings"] if one["about"] == "services of the swarm"]
    assert len(warnings) == 1
    assert why in warnings[0]
    swept = dockersweep("sweep", "--yes", *EVERYTHING, *AT_ONCE, host=host)
    assert swept.status == 0, swept.stderr
    assert [text.count("services of the swarm: not seen") for text in (swept.stdout, swept.stderr)] == [1, 1]
    assert engine.docker("volume", "ls", "-q").stdout.split() == ["data"]
    assert engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split() == ["built:1"]
    assert "mine" not in engine.docker("network", "ls", "--format", "{{.Name}}").stdout.split()


@pytest.mark.on_engines("docker-20.10", "docker-28.5", "docker-28.5-containerd")
def test_a_worker_keeps_what_services_may_name(manager: Engine, tmp_path: Path) -> None:
    with worker_of(manager) as worker:
        litter_of_a_node(worker)
        only_what_cannot_be_named_goes(worker, worker.url, "this node is a worker of a swarm")
        policy = tmp_path / "dockersweep.toml"
        policy.write_text(LIFTED)
        run = dockersweep("sweep", "--yes", "--policy", str(policy), host=worker.url)
        assert run.status == 0, run.stderr
        assert worker.docker("volume", "ls", "-q").stdout.split() == []
    # The tests after it have their manager whole.
    Litter(manager).image("base:1", layers={}, runnable=True)
    manager.docker("run", "--rm", "base:1", "true")


LIFTED = """
version = 1
protect.unseen_services = false
[[rule]]
name = "volumes"
kind = "volume"
everything = true
remove.older_than = "0s"
"""


def test_a_proxy_that_allows_only_the_old_calls_is_told_and_enough(manager: Engine) -> None:
    litter_of_a_node(manager)
    create_service(manager, "db", "built:1", volumes=["data"])
    with faulty(manager.recorder.path, allowed=WITHOUT_SERVICES) as proxy:
        only_what_cannot_be_named_goes(manager, proxy.url, "with 403")


@pytest.mark.on_engines("docker-28.5-containerd")
def test_an_answer_that_does_not_hold_is_no_word_on_what_services_name(manager: Engine, litter: Litter) -> None:
    """The scan goes on, and keeps in doubt: what a service names it may not be told."""
    litter.volume("data")
    create_service(manager, "db", "none:1", volumes=["data"])
    for name in ("half of body", "stall", "500 JSON", "404", "garbage", "null", "wrong type"):
        fault = next(one for one in READING_FAULTS if str(one) == name)
        with faulty(manager.recorder.path) as proxy:
            proxy.begin(Strike(fault, "GET", "/services"))
            flags = ("--format", "json", "--engine-timeout", "2s", "--kind", "volume", *EVERYTHING, *AT_ONCE)
            run = dockersweep("plan", *flags, host=proxy.url)
        assert run.status == 0, (name, run.stderr)
        assert [texts(one)[0] for one in run.json()["decisions"] if one["name"] == "data"] == [UNSEEN], name
        assert [one for one in run.json()["warnings"] if one["about"] == "services of the swarm"], name


def test_services_are_asked_for_once_and_of_a_manager_alone(engine: Engine, litter: Litter) -> None:
    with engine.recorder.recording() as recording:
        assert dockersweep("scan", host=engine.url).status == 0
    assert "/services" not in [one.path for one in recording.requests]
    with swarm(engine), engine.recorder.recording() as recording:
        assert dockersweep("scan", host=engine.url).status == 0
    assert [one.path for one in recording.requests].count("/services") == 1
