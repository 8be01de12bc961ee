"""`dockersweep swarm` on a real swarm: three engines of different versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.rig.engines.cluster import Cluster, cluster
from tests.rig.running import Run, dockersweep

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("swarm")]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    """Three nodes, which tests leave as they found them."""
    with cluster() as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_is_left(nodes: Cluster) -> Iterator[None]:
    yield
    assert (nodes.services(), nodes.configs()) == ([], [])


def on_swarm(nodes: Cluster, *words: str, image: str = "dockersweep") -> Run:
    return dockersweep("swarm", *words, "--image", image, host=nodes.manager.url)


def hosts_of(run: Run) -> dict[str, dict[str, Any]]:
    """The hosts of a fleet document by the ids of their nodes."""
    return {host["swarm_node_id"]: host for host in run.json()["hosts"]}


def test_a_verb_runs_on_every_node(nodes: Cluster) -> None:
    run = on_swarm(nodes, "scan", "--format", "json")
    assert (run.status, run.beside_warnings) == (0, "")
    hosts = hosts_of(run)
    assert set(hosts) == {nodes.node_id(engine) for engine in nodes.engines}
    for engine in nodes.engines:
        host = hosts[nodes.node_id(engine)]
        assert (host["status"], host["message"]) == ("done", None)
        info = engine.wire.call("GET", "/info")
        assert host["name"] == info["Name"]
        assert host["document"]["engine"]["version"].startswith(engine.kind.version)
        assert host["document"]["engine"]["id"] == info["ID"]
        assert {image["tags"][0] for image in host["document"]["images"] if image["tags"]} >= {"dockersweep:latest"}


def test_nodes_without_the_image_are_named(nodes: Cluster) -> None:
    run = on_swarm(nodes, "plan", "--constraint", "node.role==worker", "--format", "json", image="nowhere:1")
    assert run.status == 5
    told = [(host["status"], host["message"]) for host in run.json()["hosts"]]
    assert told == [("not-reached", "it could not start the container: No such image: nowhere:1")] * 2
