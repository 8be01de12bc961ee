"""Containers and networks that are made again from their inspect documents, on real engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dockersweep.engine.restoring.container_body import Surroundings, container_body
from dockersweep.engine.restoring.container_differences import differences
from dockersweep.engine.restoring.network_body import network_body
from tests.rig.engines.engine import Engine, EngineError
from tests.rig.engines.litter import BASE, Litter

_NET = "10.77.0.0/24"
_OF_ALL = (
    *("--network", "net1", "--network-alias", "al1", "--ip", "10.77.0.20", "--hostname", "hh"),
    *("-e", "A=1", "-e", "B=", "-w", "/tmp", "-u", "1000:1000", "--label", "x=y", "--group-add", "5"),
    *("-p", "18080:80", "--expose", "90", "--add-host", "foo:1.2.3.4", "--dns", "1.1.1.1"),
    *("--restart", "on-failure:3", "-m", "64m", "--cpus", "0.5", "--cpuset-cpus", "0", "--pids-limit", "50"),
    *("--ulimit", "nofile=100:200", "--cap-add", "NET_ADMIN", "--cap-drop", "MKNOD", "--oom-score-adj", "100"),
    *("--security-opt", "no-new-privileges", "--read-only", "--sysctl", "net.ipv4.ip_forward=1"),
    *("--tmpfs", "/scratch:size=1m", "-v", "vol1:/data:ro", "-v", "/anonymous", "-v", "/tmp:/host:ro"),
    *("--device", "/dev/null:/dev/other", "--shm-size", "10m", "--log-opt", "max-size=1m", "-t", "-i"),
    *("--health-cmd", "true", "--health-interval", "10s", "--stop-signal", "INT", "--stop-timeout", "7"),
    *("--entrypoint", "/bin/sh"),
)
CASES: dict[str, tuple[str, ...]] = {
    "plain": ("--network", "none"),
    "all": _OF_ALL,
    "connected": ("--network", "net1", "--ip", "10.77.0.21"),
    "mounts": (
        *("--network", "none", "--mount", "type=volume,target=/m1", "--mount", "type=tmpfs,target=/m3"),
        *("--mount", "type=volume,source=vol2,target=/m2,volume-nocopy"),
        *("--mount", "type=bind,source=/tmp,target=/m4,readonly"),
    ),
    "host": ("--network", "host", "--pid", "host", "--ipc", "host"),
    "privileged": ("--network", "none", "--privileged"),
    "default": (),
    "shares": ("--network", "container:connected", "--pid", "container:connected"),
    "volumes-from": ("--network", "none", "--volumes-from", "all"),
}


@pytest.fixture
def village(engine: Engine) -> Iterator[Engine]:
    """An engine with two networks, two volumes and an image."""
    litter = Litter(engine)
    litter.base()
    engine.docker("network", "create", "--internal", "--subnet", _NET, "net1")
    engine.docker("network", "create", "--internal", "net2")
    litter.volume("vol1")
    litter.volume("vol2")
    yield engine
    engine.wipe()


def _made(engine: Engine, name: str, flags: tuple[str, ...]) -> None:
    engine.docker("create", "--name", name, *flags, BASE, "sh", "-c", "exit 0")
    if name == "all":
        engine.docker("network", "connect", "--alias", "second", "net2", name)


def test_containers_are_made_again_as_they_were(village: Engine) -> None:
    for name, flags in CASES.items():
        _made(village, name, flags)
    wire, found = village.wire, {}
    is_podman = village.kind.flavour == "podman"
    for name in CASES:
        before = wire.call("GET", f"/containers/{name}/json")
        host_name = wire.call("GET", "/info")["Name"]
        made = container_body(before, BASE, Surroundings(host_name=host_name, is_podman=is_podman))
        again = wire.call("POST", "/containers/create", made.body, name=f"{name}-again")["Id"]
        for network, settings in made.connections:
            body = {"Container": again, "EndpointConfig": settings}
            wire.raw("POST", f"/networks/{network}/connect", body)
        found[name] = differences(before, wire.call("GET", f"/containers/{again}/json"))
    # What Podman would not start is started here.
    wire.call("POST", "/containers/plain-again/start")
    # Its mounts are those of another container, which need not be there any more.
    from_another = found.pop("volumes-from")
    assert set(found.values()) == {()}, found
    assert all("VolumesFrom" in text for text in from_another)


def test_what_is_not_as_it_was_is_told() -> None:
    before: dict[str, Any] = {
        "Id": "1" * 64,
        "Config": {"Env": ["A=1", "B=2"], "Hostname": "1" * 12, "Tty": True},
        "HostConfig": {"Memory": 64, "CapAdd": ["X"]},
        "Mounts": [{"Type": "volume", "Name": "v", "Destination": "/data", "RW": True}],
        "NetworkSettings": {"Networks": {"front": {"IPAMConfig": {"IPv4Address": "10.0.0.2"}}}},
    }
    after = {
        "Id": "2" * 64,
        "Config": {"Env": ["B=2", "A=1"], "Hostname": "2" * 12, "Tty": True},
        "HostConfig": {"Memory": 0, "CapAdd": ["X"]},
        "Mounts": [{"Type": "volume", "Name": "w", "Destination": "/data", "RW": True}],
        "NetworkSettings": {"Networks": {"front": {}}},
    }
    assert differences(before, before) == ()
    assert differences(before, after) == (
        "HostConfig.Memory was 64, is not set",
        "mount /data was volume v rw, is volume w rw",
        "network front.IPAMConfig was {'IPv4Address': '10.0.0.2'}, is not set",
    )
    many = {**before, "HostConfig": {f"Key{number:02}": 1 for number in range(30)}}
    assert differences(before, many)[-1] == "and 12 more settings"


def test_a_container_names_what_was_made_again_by_its_name() -> None:
    before = {
        "Id": "1" * 64,
        "Config": {"Entrypoint": None, "Cmd": ["run"], "Hostname": "mine"},
        "HostConfig": {
            "NetworkMode": "container:" + "2" * 64,
            "PidMode": "container:" + "3" * 64,
            "Links": ["/a:/b/c"],
        },
    }
    around = Surroundings(containers={"2" * 64: "web"}, host_name="box", image_has_entrypoint=True)
    made = container_body(before, "app:1", around).body
    assert made["HostConfig"]["NetworkMode"] == "container:web"
    assert made["HostConfig"]["PidMode"] == "container:" + "3" * 64
    assert made["HostConfig"]["Links"] == ["a:c"]
    assert (made["Entrypoint"], made["Cmd"], made["Hostname"]) == ([""], ["run"], "mine")
    by_id = {"Id": "1", "HostConfig": {"NetworkMode": "n" * 64}, "NetworkSettings": {"Networks": {"front": None}}}
    made = container_body(by_id, "app:1", Surroundings(networks={"n" * 64: "front"})).body
    assert made["HostConfig"]["NetworkMode"] == "front"
    assert made["NetworkingConfig"] == {"EndpointsConfig": {"front": {}}}


@pytest.mark.parametrize("value", [None, 1, "x", [], [1], {"a": 1}])
def test_an_odd_document_makes_an_odd_request_and_no_error(value: Any) -> None:
    keys = ("Id", "Config", "HostConfig", "Mounts", "NetworkSettings")
    for key in keys:
        container_body({key: value}, "app:1", Surroundings(is_podman=True))
    for key in ("NetworkMode", "Binds", "Mounts", "Links", "PidMode", "Devices", "IpcMode", "VolumesFrom"):
        container_body(
            {"HostConfig": {key: value}, "Mounts": [{"Destination": value}]}, "app:1", Surroundings(is_podman=True)
        )
    for key in ("Name", "IPAM", "Labels", "ConfigFrom", "Options"):
        network_body({key: value}, "front", other_subnet=False)


_NETWORKS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "internal": ("--internal",),
    "full": (
        *("--internal", "--subnet", "10.78.0.0/24", "--ip-range", "10.78.0.128/25", "--gateway", "10.78.0.1"),
        *("--aux-address", "x=10.78.0.5", "--label", "a=b", "--attachable", "-o", "com.docker.network.driver.mtu=1400"),
    ),
    "v6": ("--internal", "--ipv6", "--subnet", "fd00:78::/64"),
    "macvlan": ("-d", "macvlan"),
    "configuration": ("--config-only", "--subnet", "10.80.0.0/24"),
    "configured": ("--config-from", "configuration", "-d", "bridge"),
}


def test_networks_are_made_again_as_they_were(engine: Engine) -> None:
    tried = 0
    for name, flags in _NETWORKS.items():
        try:
            engine.docker("network", "create", *flags, name)
        except EngineError:
            # Not every kernel has all drivers.
            continue
        before = engine.wire.call("GET", f"/networks/{name}")
        engine.wire.call("DELETE", f"/networks/{name}")
        engine.wire.call("POST", "/networks/create", network_body(before, name, other_subnet=False))
        after = engine.wire.call("GET", f"/networks/{name}")
        assert _comparable(after) == _comparable(before)
        tried += 1
    assert tried >= len(_NETWORKS) - 1
    engine.wipe()


def test_a_network_gets_another_subnet_where_that_is_asked_for(engine: Engine) -> None:
    engine.docker("network", "create", "--internal", "--subnet", "10.81.0.0/24", "first")
    document = engine.wire.call("GET", "/networks/first")
    engine.wire.call("POST", "/networks/create", network_body(document, "second", other_subnet=True))
    subnets = [one["Subnet"] for one in engine.wire.call("GET", "/networks/second")["IPAM"]["Config"]]
    assert subnets
    assert "10.81.0.0/24" not in subnets
    engine.wipe()


def _comparable(document: dict[str, Any]) -> dict[str, Any]:
    kept = {
        key: value for key, value in document.items() if key not in ("Id", "Created", "created", "network_interface")
    }
    ipam = kept["IPAM"]
    known = {"Driver": ipam["Driver"], "Options": ipam["Options"] or {}}
    return {**kept, "IPAM": {**known, "Config": sorted(ipam["Config"] or (), key=str)}}
