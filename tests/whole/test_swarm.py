"""`dockersweep swarm` on a real swarm: three engines of different versions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockersweep.engine.api.swarm_jobs import RUN_LABEL, SECONDS_LABEL
from tests.rig.engines.cluster import Cluster, cluster, paused
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.engines.ssh_host import ssh_host
from tests.rig.engines.swarm import leave_swarm, service_spec
from tests.rig.policies import VERSION, rule_text
from tests.rig.running import Run, dockersweep, on_a_terminal, start

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("swarm")]
AT_ONCE = ("--older-than", "0s")
# A worker keeps named volumes and images that services may name.
OLD_POLICY = VERSION + rule_text("old jobs", "container", 'match.name = "job-*"', 'remove.older_than = "0s"')


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    """Three nodes, which tests leave as they found them."""
    with cluster() as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_is_left(nodes: Cluster) -> Iterator[None]:
    yield
    assert (nodes.services(), nodes.configs()) == ([], [])


@pytest.fixture
def jobs(nodes: Cluster) -> Iterator[None]:
    """A stopped container on every node."""
    for engine in nodes.engines:
        litter = Litter(engine)
        litter.image("job:1", layers={"job": 1000}, runnable=True)
        litter.container("job-1", image="job:1", writes=2000)
    yield
    for engine in nodes.engines:
        engine.docker("container", "rm", "--force", "job-1", check=False)


def words(nodes: Cluster, *more: str, image: str = "dockersweep") -> list[str]:
    return ["-H", nodes.manager.url, "swarm", *more, "--image", image]


def on_swarm(nodes: Cluster, *more: str, image: str = "dockersweep") -> Run:
    return dockersweep("swarm", *more, "--image", image, host=nodes.manager.url)


def hosts_of(run: Run) -> dict[str, dict[str, Any]]:
    """The hosts of a fleet document by the ids of their nodes."""
    return {host["swarm_node_id"]: host for host in run.json()["hosts"]}


def await_service(nodes: Cluster, process: subprocess.Popen[str]) -> None:
    """Wait until a run has created its job."""
    while not nodes.services():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def has_job(engine: Engine) -> bool:
    return "job-1" in engine.docker("ps", "--all", "--format", "{{.Names}}").stdout.split()


def test_a_verb_runs_on_every_node(nodes: Cluster) -> None:
    run = on_swarm(nodes, "scan", "--format", "json")
    assert run.status == 0, run.stderr
    hosts = hosts_of(run)
    assert set(hosts) == {nodes.node_id(engine) for engine in nodes.engines}
    for engine in nodes.engines:
        host = hosts[nodes.node_id(engine)]
        assert (host["status"], host["message"]) == ("done", None)
        info = engine.wire.call("GET", "/info")
        assert (host["name"], host["engine_id"]) == (info["Name"], info["ID"])
        assert host["document"]["engine"]["version"].startswith(engine.kind.version)
        assert {image["tags"][0] for image in host["document"]["images"] if image["tags"]} >= {"dockersweep:latest"}
    assert run.json()["sums"]["engines"] == 3
    # The next one knows when each first saw what it has.
    again = hosts_of(on_swarm(nodes, "scan", "--format", "json"))
    for node_id, host in hosts.items():
        seen = {image["id"]: image["first_seen_at"] for image in again[node_id]["document"]["images"]}
        assert seen.items() >= {image["id"]: image["first_seen_at"] for image in host["document"]["images"]}.items()


def test_what_a_container_of_the_job_may_do(nodes: Cluster) -> None:
    process = start(*words(nodes, "scan"))
    await_service(nodes, process)
    container = nodes.services()[0]["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert container["ReadOnly"] is True
    assert [(mount["Type"], mount["Source"]) for mount in container["Mounts"]] == [
        ("bind", "/var/run/docker.sock"), ("volume", "dockersweep"),
    ]  # fmt: skip
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "on 3 engines" in out


def test_nodes_without_the_image_are_named(nodes: Cluster) -> None:
    run = on_swarm(nodes, "plan", "--constraint", "node.role==worker", "--format", "json", image="nowhere:1")
    assert run.status == 5
    told = [(host["status"], host["message"]) for host in run.json()["hosts"]]
    assert told == [("not-reached", "it could not start the container: No such image: nowhere:1")] * 2
    allowed = on_swarm(nodes, "plan", "--allow-unreached", "3", image="nowhere:1")
    assert (allowed.status, "NOT REACHED: 3 hosts" in allowed.stdout) == (0, True)


def test_the_policy_of_here_is_that_of_the_nodes(nodes: Cluster, jobs: None, tmp_path: Path) -> None:
    policy = tmp_path / "old.toml"
    policy.write_text(OLD_POLICY)
    run = on_swarm(nodes, "plan", "--policy", str(policy), "--format", "json")
    assert run.status == 0, run.stderr
    for host in run.json()["hosts"]:
        document = host["document"]
        assert [one["name"] for one in document["removals"]] == ["job-1"]
        assert document["policy"]["source"] == "the policy in /etc/dockersweep/dockersweep.toml"
    assert len({host["policy_sha256"] for host in run.json()["hosts"]}) == 1
    policy.write_text(OLD_POLICY + "[protect]\ncompose_files = ['/srv/*/compose.yaml']\n")
    refused = on_swarm(nodes, "plan", "--policy", str(policy))
    assert (refused.status, "which the nodes of a swarm do not have" in refused.stderr) == (2, True)


def test_a_person_is_asked_once_and_just_that_goes(nodes: Cluster, jobs: None) -> None:
    sweep = words(nodes, "sweep", *AT_ONCE, "--kind", "container")
    status, shown = on_a_terminal(sweep, "n\n", 90)
    assert (status, "nothing removed: not confirmed" in shown) == (0, True), shown
    assert all(map(has_job, nodes.engines))
    status, shown = on_a_terminal(sweep, "y\n", 90)
    assert status == 0, shown
    assert shown.count("[y/N]") == 1
    assert "nobody has looked" not in " ".join(shown.split())
    assert "Remove 3 containers on 3 hosts" in " ".join(shown.split())
    assert not any(map(has_job, nodes.engines))


def test_a_plan_on_a_terminal_is_a_look_at_each_node(nodes: Cluster, jobs: None) -> None:
    for engine in nodes.engines:
        Litter(engine).container("job-2", image="job:1")
    volume = ("--volume", "looked")
    sweep = ("sweep", "--yes", *AT_ONCE, "--kind", "container", *volume)
    refused = on_swarm(nodes, *sweep)
    assert (refused.status, refused.stdout.count("nobody has looked at the engine")) == (4, 3), refused.stdout
    status, shown = on_a_terminal(words(nodes, "plan", *AT_ONCE, *volume), "", 90)
    assert status == 0, shown
    assert on_swarm(nodes, *sweep).status == 0
    assert not any(map(has_job, nodes.engines))


def test_nothing_of_the_job_is_swept(nodes: Cluster, jobs: None) -> None:
    """On a manager all that it could take goes; a worker keeps images and named volumes, as it sees no services."""
    for engine in nodes.engines:
        engine.docker("volume", "create", "lost")
    everything = (*AT_ONCE, "--all-images", "--named-volumes")
    run = on_swarm(nodes, "sweep", "--yes", "--yes-first-time", *everything, "--format", "json")
    assert run.status == 0, run.stderr
    assert run.json()["rollout"] == {"canary": 0, "max_failures": None, "stopped": None}
    for engine in nodes.engines:
        assert "dockersweep" in engine.docker("image", "ls", "--format", "{{.Repository}}").stdout.split()
        assert "dockersweep" in engine.docker("volume", "ls", "--quiet").stdout.split()
    assert nodes.manager.docker("image", "ls", "--format", "{{.Repository}}").stdout.split() == ["dockersweep"]
    assert nodes.manager.docker("volume", "ls", "--quiet").stdout.split() == ["dockersweep"]
    for worker in nodes.workers:
        worker.docker("volume", "rm", "lost")


def test_where_a_canary_refuses_no_other_is_begun(nodes: Cluster, jobs: None) -> None:
    limited = ("--max-objects", "0", "--canary", "1", "--format", "json")
    run = on_swarm(nodes, "sweep", "--yes", *AT_ONCE, "--kind", "container", *limited)
    assert run.status == 3, run.stderr
    assert [host["status"] for host in run.json()["hosts"]] == ["refused", "not-begun", "not-begun"]
    assert "goes first" in run.json()["rollout"]["stopped"]
    assert all(map(has_job, nodes.engines))


def test_a_signal_lets_nodes_finish_that_remove(nodes: Cluster, jobs: None) -> None:
    sweep = ("sweep", "--yes", *AT_ONCE, "--kind", "container", "--canary", "1", "--format", "json")
    process = start(*words(nodes, *sweep))
    await_service(nodes, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the nodes that have begun finish; no other is begun" in err
    told = Run(130, out, err).json()
    assert [host["status"] for host in told["hosts"]] == ["done", "not-begun", "not-begun"]
    assert told["rollout"]["stopped"] == "interrupted"
    assert sorted(map(has_job, nodes.engines)) == [False, True, True]


def test_a_user_of_the_group_of_the_socket(nodes: Cluster) -> None:
    manager = nodes.manager
    user = ("--constraint", f"node.id=={nodes.node_id(manager)}", "--user", "1000:1000", "--volume", "other")
    refused = on_swarm(nodes, "scan", *user)
    assert (refused.status, "permission denied" in refused.stdout) == (5, True)
    group = os.stat(f"/proc/{manager.pid}/root/run/docker.sock").st_gid
    run = on_swarm(nodes, "scan", *user, "--group-add", str(group), "--format", "json")
    assert run.status == 0, run.stderr
    [host] = run.json()["hosts"]
    assert not [warning for warning in host["document"]["warnings"] if warning["about"] in ("ledger", "lock")]


def test_a_killed_run_is_cleaned_up_by_the_next_one(nodes: Cluster) -> None:
    process = start(*words(nodes, "scan"))
    await_service(nodes, process)
    process.kill()
    process.communicate()
    assert len(nodes.services()) == 1
    run = on_swarm(nodes, "scan")
    assert run.status == 0
    assert "removed what an earlier run that was killed had left in the swarm" in run.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_leaves_nothing(nodes: Cluster, number: signal.Signals, status: int) -> None:
    process = start(*words(nodes, "scan"))
    await_service(nodes, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (status, "dockersweep: interrupted\n")


def test_what_others_have_left_goes_when_its_time_has_passed(nodes: Cluster) -> None:
    def create(run: str, seconds: int) -> str:
        spec = service_spec(f"dockersweep-{run}", "nowhere:1", None)
        spec["Labels"] = {RUN_LABEL: run, SECONDS_LABEL: str(seconds)}
        made: str = nodes.manager.wire.call("POST", "/services/create", spec)["ID"]
        return made

    create("passed", 0)
    # Killed before its service was created.
    labels = {RUN_LABEL: "early", SECONDS_LABEL: "0"}
    config = {"Name": "dockersweep-early-0", "Labels": labels, "Data": "eA=="}
    nodes.manager.wire.call("POST", "/configs/create", config)
    at_work = create("atwork", 3600)
    plain = nodes.manager.wire.call("POST", "/services/create", service_spec("web", "nowhere:1", None))["ID"]
    time.sleep(1.1)
    assert on_swarm(nodes, "scan").status == 0
    assert {service["ID"] for service in nodes.services()} == {at_work, plain}
    assert nodes.configs() == []
    for service in (at_work, plain):
        nodes.manager.wire.call("DELETE", f"/services/{service}")


def test_only_a_manager_can_run_it(nodes: Cluster) -> None:
    run = dockersweep("swarm", "scan", "--image", "dockersweep", host=nodes.workers[0].url)
    assert (run.status, "is a worker of a swarm: run it on a manager" in run.stderr) == (2, True)


def test_a_manager_may_be_reached_over_ssh(nodes: Cluster, tmp_path: Path) -> None:
    policy = tmp_path / "old.toml"
    policy.write_text(OLD_POLICY)
    with ssh_host(nodes.manager) as host:
        asked = ("swarm", "plan", "--policy", str(policy), "--image", "dockersweep", "--format", "json")
        run = dockersweep(*asked, host=host.url, PATH=host.path)
    assert run.status == 0, run.stderr
    assert [one["status"] for one in run.json()["hosts"]] == ["done"] * 3


def test_nodes_that_are_drained_leave_or_hang_are_named(nodes: Cluster) -> None:
    """The last one: a node leaves for good."""
    first, second = nodes.workers
    nodes.manager.docker("node", "update", "--availability", "drain", nodes.node_id(first))
    drained = hosts_of(on_swarm(nodes, "scan", "--format", "json"))
    assert drained[nodes.node_id(first)]["message"] == "it is drained: the swarm gives it no tasks"
    nodes.manager.docker("node", "update", "--availability", "active", nodes.node_id(first))
    ids = [nodes.node_id(engine) for engine in nodes.engines]
    with paused(second):
        command = [sys.executable, "-m", "dockersweep", *words(nodes, "scan", "--format", "json")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        await_service(nodes, process)
        leave_swarm(first)
        out, err = process.communicate(timeout=90)
        assert process.returncode == 5, err
        told = hosts_of(Run(process.returncode, out, err))
        down = on_swarm(nodes, "scan")
    assert told[ids[0]]["status"] == "done"
    for node in ids[1:]:
        assert told[node]["status"] in ("not-reached", "failed")
        assert "went down (heartbeat failure)" in told[node]["message"]
    assert down.status == 5
    assert "NOT REACHED: 2 hosts" in down.stdout
    assert down.stdout.count("it is down (heartbeat failure)") == 2
