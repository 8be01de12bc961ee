"""What Podman's own list and its database tell of containers is what its list for docker clients tells."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import convert, json, to_builtins
from msgspec.structs import replace

from dockersweep.engine.api import wire
from dockersweep.engine.api.answers import ListedContainer
from dockersweep.engine.api.status_text import Ended
from dockersweep.engine.disk.container_records import ContainerRecord
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.stores import Stores
from dockersweep.engine.reading import podman_containers as module
from dockersweep.engine.reading import scanner
from dockersweep.engine.reading.podman_containers import UncertainError, podman_containers
from dockersweep.model.inventory import Inventory, Network
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.engines.podman_cli import podman
from tests.rig.inventories import ENGINE, network
from tests.rig.own_scan import scanned_by_us

PODMANS = ("podman-5.8", "podman-6.1")
LIST = "/containers/json"


def scanned(engine: Engine) -> tuple[Inventory, bool]:
    """Scan an engine; return what is there, and whether it was asked for its list for docker clients."""
    with engine.recorder.recording() as recorder:
        inventory = scanned_by_us(engine)
    return inventory, LIST in {request.path for request in recorder.requests}


def scanned_otherwise(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    with monkeypatch.context() as patch:
        patch.setattr(scanner, "podman_containers_in_time", lambda *_: None)
        inventory, is_asked = scanned(engine)
    assert is_asked
    return inventory


def containers(inventory: Inventory) -> dict[str, object]:
    return {one.name: to_builtins(one) for one in inventory.containers}


def of_every_sort(litter: Litter) -> None:
    """Containers in every state, with every network and mount that can be told."""
    litter.base()
    litter.network("wide")
    litter.volume("data", size=1000)
    binds = [f"/tmp:/{name}" for name in ("z", "b", "m/n", "a")]
    for state in ("created", "exited", "running", "paused"):
        joined = litter.container(
            f"{state}-mounts",
            state=state,
            volumes={"data": "/data"},
            anonymous_volumes=["/more", "/again"],
            binds=binds,
        )
        litter.container(f"{state}-wide", state=state, networks=["wide"], labels={"a": 'b"'})
        litter.container(f"{state}-two", state=state, networks=["wide", "podman"])
        litter.container(f"{state}-host", state=state, networks=["host"], exit_code=3)
        if state in ("created", "running"):
            litter.container(f"{state}-joins", state=state, networks=[f"container:{joined}"])
    podman(litter.engine, "create", "--name", "odd", "--network", "none", "--tmpfs", "/x", "busybox", "true")


@pytest.mark.on_engines(*PODMANS)
def test_both_lists_tell_the_same(litter: Litter, monkeypatch: pytest.MonkeyPatch) -> None:
    of_every_sort(litter)
    # The first look at one that has ended writes that down.
    scanned(litter.engine)
    told, is_asked = scanned(litter.engine)
    assert not is_asked
    assert len(told.containers) == 19
    other = scanned_otherwise(litter.engine, monkeypatch)
    assert containers(told) == containers(other)
    assert [one.id for one in told.containers] == [one.id for one in other.containers]


@pytest.mark.on_engines(*PODMANS)
@pytest.mark.parametrize(
    "words",
    [("--mount", "type=image,source=busybox,dst=/i"), ("--volume", "/tmp:/o:O"), ("--network", "ns:/proc/1/ns/net")],
    ids=["a mounted image", "an overlay", "a namespace by its path"],
)
def test_what_was_not_tried_is_asked_for(litter: Litter, words: tuple[str, str]) -> None:
    litter.base()
    network = () if "--network" in words else ("--network", "none")
    podman(litter.engine, "create", "--name", "odd", *network, *words, "busybox", "true")
    told, is_asked = scanned(litter.engine)
    assert is_asked
    assert [one.name for one in told.containers] == ["odd"]


@pytest.mark.on_engines("podman-6.1")
def test_what_another_version_lists_is_asked_for(litter: Litter, monkeypatch: pytest.MonkeyPatch) -> None:
    litter.container("one", state="created")
    monkeypatch.setattr("dockersweep.engine.api.quirks.Quirks.lists_network_mode", None)
    assert scanned(litter.engine)[1]


AT = "2026-11-30T12:00:00.5Z"
ENDED = 1_796_040_010
LISTED: dict[str, object] = {
    "Id": "one", "Names": ["name"], "ImageID": "image", "Image": "app:1", "Created": AT, "State": "exited",
    "Labels": None, "Mounts": ["/data"], "Networks": ["wide"], "StartedAt": ENDED - 1, "ExitedAt": ENDED, "ExitCode": 3,
}  # fmt: skip
CONFIG: dict[str, object] = {
    "id": "one", "name": "name", "createdTime": AT, "createNetNS": True, "networkMode": "bridge",
    "spec": {"linux": {"namespaces": [{"type": "network"}]}}, "userVolumes": ["/data"],
    "namedVolumes": [{"volumeName": "v", "dest": "/data"}],
}  # fmt: skip
STATE: dict[str, object] = {
    "state": 6, "startedTime": "2026-11-30T12:00:09.5Z", "finishedTime": "2026-11-30T12:00:10.5Z", "exitCode": 3,
}  # fmt: skip
WIDE = network("wide")
STORES = Stores(ENGINE, ListedObjects((), (), (), None), Path("/d"), True, Path("/d"), None, frozenset(), (), {})


def told_of(
    monkeypatch: pytest.MonkeyPatch,
    listed: dict[str, object] | None = None,
    config: dict[str, object] | None = None,
    state: dict[str, object] | None = None,
    networks: tuple[Network, ...] = (WIDE,),
) -> tuple[ListedContainer, ...]:
    """What is told of a container with these changes."""
    record = ContainerRecord(json.encode(CONFIG | (config or {})), json.encode(STATE | (state or {})))
    monkeypatch.setattr(module, "read_podman_records", lambda *_: {"one": record})
    own = convert(LISTED | (listed or {}), wire.WirePodmanContainer)
    return podman_containers(STORES, [own], networks, True, ENDED + 100)[0]


def test_what_a_container_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    [(container, ended)] = told_of(monkeypatch)
    assert (container.image_id, container.networks) == ("sha256:image", ("bridge", "net-wide", "wide"))
    assert [mount.volume for mount in container.mounts] == ["v"]
    assert ended == Ended(3, 99, 100)


def test_dockers_name_of_the_network_that_is_there_always(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = replace(WIDE, name="bridge")
    [(container, _)] = told_of(monkeypatch, listed={"Networks": ["podman"]}, networks=(usual,))
    assert container.networks == ("bridge", "net-wide", "podman")
    # Somebody gave another one that name.
    with pytest.raises(UncertainError):
        told_of(monkeypatch, listed={"Networks": ["podman"]}, networks=(usual, usual))


@pytest.mark.parametrize(
    "changes",
    [
        {"listed": {"Id": "two"}},
        {"listed": {"Names": ["other"]}},
        {"listed": {"State": "running"}},
        {"listed": {"ExitCode": 4}},
        {"listed": {"ExitedAt": ENDED + 1}},
        {"listed": {"StartedAt": ENDED}},
        {"listed": {"Created": "2026-11-30T12:00:00.6Z"}},
        {"listed": {"Mounts": []}},
        {"listed": {"Networks": ["unknown"]}},
        {"listed": {"Networks": []}},
        {"config": {"id": "two"}},
        {"config": {"name": "other"}},
        {"config": {"networkMode": "pasta"}},
        {"config": {"createNetNS": False}},
        {"config": {"netNsCtr": "gone"}},
        {"config": {"namedVolumes": []}},
        {"config": {"userVolumes": ["/data", "/more"]}},
        {"config": {"overlayVolumes": [{}]}},
        {"config": {"artifactVolumes": [{}]}},
        {"config": {"ctrImageVolumes": [{}]}},
        {"config": {"spec": {}}},
        {"config": {"spec": 7}},
        {"state": {"state": 99}},
        {"state": {"netns": "/run/netns/x"}},
    ],
    ids=str,
)
def test_what_does_not_agree_or_is_not_known_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, dict[str, object]]
) -> None:
    with pytest.raises(UncertainError):
        told_of(monkeypatch, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["Mounts", "Networks"])
def test_a_list_that_leaves_out_what_is_held_tells_nothing(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.delitem(LISTED, key)
    with pytest.raises(UncertainError):
        told_of(monkeypatch)


def test_a_container_that_has_no_record_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "read_podman_records", lambda *_: {})
    with pytest.raises(UncertainError):
        podman_containers(STORES, [convert(LISTED, wire.WirePodmanContainer)], (WIDE,), True, ENDED + 100)
