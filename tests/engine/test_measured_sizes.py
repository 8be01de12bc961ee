"""Sizes that are measured here are those that the engine would tell, and only what is not measured is asked for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.engine.api.answers import DiskUsage
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.walk import DiskBytes, Walker, lengths_below, measure
from dockersweep.engine.reading import scanner
from dockersweep.files import AnyPath
from dockersweep.model.inventory import Inventory
from tests.rig.engines import archive
from tests.rig.engines.archive import ImageSpec
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import EACH_STORE
from tests.rig.engines.litter import Litter
from tests.rig.own_folders import storage_on_disk
from tests.rig.own_scan import scanned_by_us

_WRITES = "cd /; echo hello > f1; ln f1 f2; ln -s f1 sl; mkdir -p d/e; ln f1 d/e/f3; rm -rf /litter; exit 3"


def fill(folder: Path) -> None:
    """Files of every kind."""
    (folder / "a").write_bytes(b"x" * 5000)
    os.link(folder / "a", folder / "b")
    (folder / "deep" / "er").mkdir(parents=True)
    os.link(folder / "a", folder / "deep" / "er" / "c")
    os.symlink("/nowhere/at all", folder / "link")
    os.mkfifo(folder / "pipe")
    os.mknod(folder / "device", 0o600 | 0o020000, os.makedev(1, 3))
    (folder / "empty").touch()
    with (folder / "sparse").open("wb") as file:
        file.truncate(100_000)


LENGTHS = 5000 + len("/nowhere/at all") + 100_000


def scanned(engine: Engine) -> tuple[Inventory, list[str]]:
    """Scan an engine; return what is there, and which parts of its disk usage it was asked for."""
    with engine.recorder.recording() as recorder:
        inventory = scanned_by_us(engine)
    asked = [request.params.get("type", "") for request in recorder.requests if request.path == "/system/df"]
    return inventory, sorted(asked)


def sizes(inventory: Inventory) -> dict[str, int | None]:
    """Sizes by names."""
    of_containers = {one.name: one.size_bytes for one in inventory.containers}
    return of_containers | {one.name: one.size_bytes for one in inventory.volumes}


def walked_by_the_engine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    """Scan an engine that has to measure all itself."""
    with monkeypatch.context() as patch:
        patch.setattr(scanner, "measured_in_time", lambda *_: DiskUsage())
        return scanned(engine)[0]


_LEFT = {"docker-20.10": [""], "docker-28.5-containerd": ["build-cache", "container", "image"]}
"""What Docker is asked for all the same; of Podman nothing is."""


@pytest.mark.enough_on("docker-20.10", *EACH_STORE)
def test_the_engine_would_tell_the_same(litter: Litter, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = litter.engine
    fill(Path(engine.wire.call("GET", f"/volumes/{litter.volume('filled')}")["Mountpoint"]))
    litter.volume("plain", size=1000)
    litter.container("ended", writes=3000, volumes={"plain": "/data"}, command=_WRITES, exit_code=3)
    litter.container("made", state="created", writes=1234, anonymous_volumes=["/more"])
    litter.container("runs", state="running", writes=777, command=_WRITES)
    litter.images([ImageSpec(tags, {"base": 5000, top: 700}) for tags, top in ((("app:1",), "one"), ((), "two"))])
    if engine.kind.has_legacy_builder:
        litter.legacy_build("app:2", steps=2, size=3000)
    told, asked = scanned(engine)
    walked = walked_by_the_engine(engine, monkeypatch)
    assert sizes(told) == sizes(walked)
    if engine.kind.image_store != "containerd":
        # Which tells of its snapshots, as they are at that moment.
        assert told.layers_bytes == walked.layers_bytes
    assert sizes(told)["filled"] == LENGTHS
    is_podman = engine.kind.flavour == "podman"
    assert asked == ([] if is_podman else _LEFT.get(engine.kind.name, ["build-cache"]))


@pytest.mark.on_engines("docker-28.5", "podman-6.1")
def test_what_was_not_measured_is_asked_for(litter: Litter) -> None:
    """Engines count what is mounted in a volume too; here a mount is not looked into."""
    engine = litter.engine
    litter.container("one", writes=1000)
    folder = Path(engine.wire.call("GET", f"/volumes/{litter.volume('mounted', size=1000)}")["Mountpoint"]) / "disk"
    folder.mkdir()
    before = sizes(scanned(engine)[0])
    where = ["nsenter", "-t", str(engine.pid), "-m"]
    for command in (["mount", "-t", "tmpfs", "x", str(folder)], ["dd", "if=/dev/zero", f"of={folder}/f", "count=1"]):
        subprocess.run([*where, *command], check=True, capture_output=True)
    subprocess.run(["mount", "-t", "tmpfs", "x", str(folder)], check=True)
    try:
        told, asked = scanned(engine)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        subprocess.run([*where, "umount", str(folder)], check=True)
    assert asked == ([""] if engine.kind.flavour == "podman" else ["build-cache", "volume"])
    assert sizes(told) == {**before, "mounted": 1000 + 512}


@pytest.mark.on_engines("docker-28.5", "podman-6.1")
def test_a_volume_that_its_options_mount_is_told_while_it_is_mounted(
    litter: Litter, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = litter.engine
    litter.volume("memory", options={"type": "tmpfs", "device": "tmpfs", "o": "size=1m"})
    is_podman = engine.kind.flavour == "podman"
    told, asked = scanned(engine)
    assert (sizes(told)["memory"], "" in asked) == (None, False)
    runs = litter.container("runs", state="running", volumes={"memory": "/data"})
    engine.wire.call("PUT", f"/containers/{runs}/archive", archive.tar({"file": b"x" * 700}), path="/data")
    told, asked = scanned(engine)
    assert (sizes(told)["memory"], "" in asked) == (700 if is_podman else None, is_podman)
    assert sizes(told) == sizes(walked_by_the_engine(engine, monkeypatch))


@pytest.mark.on_engines("docker-28.5")
def test_the_first_layer_of_a_container_is_measured_once(litter: Litter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker makes one below what a container writes, for its mount points; nothing changes it any more."""
    engine = litter.engine
    litter.container("one", state="created", writes=1000)
    inventory, _ = scanned(engine)
    listed = ListedObjects(inventory.containers, inventory.images, inventory.volumes, inventory.build_cache)
    first = storage_on_disk(inventory.engine, listed)
    kept = {part.id: part for part in first.unchanging}
    [lower] = [part for part in first.unchanging if part.id.endswith("-init")]
    assert lower.low_bytes > 0
    assert lower.id not in {part.id for part in first.storage.parts}
    walked: list[str] = []

    def noting(walker: Walker, places: Iterable[AnyPath], counted: AnyPath | None) -> DiskBytes:
        walked.extend(map(str, places))
        return measure(places, counted=counted)

    monkeypatch.setattr(Walker, "measure", noting)
    again = storage_on_disk(inventory.engine, listed, kept)
    assert again.storage == first.storage
    assert again.unchanging == first.unchanging
    assert not [place for place in walked if "-init" in place]
    assert [place for place in walked if "/containers/" in place]
    monkeypatch.undo()
    [container] = [part for part in first.storage.parts if part.id.startswith("container:")]
    unlike = {part.id: replace(part, low_bytes=0, high_bytes=0, inodes=0) for part in first.unchanging}
    [lighter] = [
        part for part in storage_on_disk(inventory.engine, listed, unlike).storage.parts if part.id == container.id
    ]
    assert container.low_bytes - lighter.low_bytes == lower.low_bytes


def test_lengths_are_those_below_one_folder(tmp_path: Path) -> None:
    for name in ("before", "counted", "counted-too", "work"):
        (tmp_path / "part" / name).mkdir(parents=True)
        (tmp_path / "part" / name / "file").write_bytes(b"x" * 10)
    fill(tmp_path / "part" / "counted")
    os.link(tmp_path / "part" / "counted" / "a", tmp_path / "part" / "work" / "a")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_bytes(b"x" * 10)
    places, counted = [tmp_path / "part", tmp_path / "other"], tmp_path / "part" / "counted"
    plain, told = measure(places), measure(places, counted=counted)
    assert (told.low, told.high, told.inodes, told.lengths) == (plain.low, plain.high, plain.inodes, LENGTHS + 10)
    assert plain.lengths is None
    assert measure([counted], counted=counted).lengths == lengths_below(counted, float("inf")) == LENGTHS + 10
    assert measure(places, counted=tmp_path / "gone").lengths is None
    assert lengths_below(tmp_path / "gone", float("inf")) == 0
    deep = tmp_path / "part" / "counted" / "deep"
    assert measure(places, measured={str(deep): 5}, counted=counted).lengths is None
    assert measure(places, measured={str(tmp_path / "part" / "work"): 5}, counted=counted).lengths == LENGTHS + 10
