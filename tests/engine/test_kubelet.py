"""What belongs to the kubelet of a Kubernetes node stays, on every engine; cri-dockerd is played by its labels."""

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep

POD = {"io.kubernetes.pod.name": "coredns-x", "io.kubernetes.pod.namespace": "kube-system"}
OF_POD = POD | {"io.kubernetes.container.name": "coredns", "io.kubernetes.docker.type": "container"}
SANDBOX = POD | {"io.kubernetes.container.name": "POD", "io.kubernetes.docker.type": "podsandbox"}
ALL = ("--all-images", "--named-volumes", "--older-than", "0s")


@pytest.mark.enough_on(*NEWEST)
def test_what_belongs_to_the_kubelet_stays(engine: Engine, litter: Litter) -> None:
    pause = litter.image("registry.k8s.io/pause:3.10", layers={"pause": 1000})
    agent = litter.image("agent:1", layers={"agent": 1000}, labels={"io.kubernetes.role": "agent"})
    app = litter.image("coredns:1", layers={"dns": 1000}, runnable=True)
    other = litter.image("coredns:0", layers={"old": 1000})
    volumes = [litter.volume(name) for name in ("pod-data", "free")]
    exited = litter.container("k8s_coredns", image=app, labels=OF_POD, volumes={volumes[0]: "/data"})
    sandbox = litter.container("k8s_POD", image=app, labels=SANDBOX, state="created")
    free = litter.container("mine", image=app)
    plan = dockersweep("plan", "--format", "json", *ALL, host=engine.url).json()
    told = {one["id"]: one for one in plan["decisions"]}
    for one in (pause, agent, exited, sandbox):
        assert told[one]["reasons"][0]["code"] == "kubelet"
        assert told[one]["reasons"][0]["rule"] == "protected"
    assert "Kubernetes pod kube-system/coredns-x" in told[exited]["reasons"][0]["text"]
    assert {told[one]["verdict"] for one in (pause, agent, app, exited, sandbox, "pod-data")} == {"keep"}
    assert {told[one]["verdict"] for one in (other, free, "free")} == {"remove"}
    assert dockersweep("sweep", "--yes", *ALL, host=engine.url).status == 0
    left = {one["Id"] for one in engine.wire.call("GET", "/containers/json", all="1")}
    assert left == {exited, sandbox}
    assert {one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"]} == {"pod-data"}
    images = {one["Id"] for one in engine.wire.images()}
    assert {pause, agent, app} <= images
    assert other not in images
