"""Space targets on real engines that lie on several disks: the one that is short of space says what goes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec
import pytest

from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.model.inventory import Inventory
from tests.rig.engines.disks import SYSTEM_CONTAINERD, SmallDisk
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import BTRFS, EACH_STORE, KINDS, EngineKind, kind
from tests.rig.engines.litter import Litter
from tests.rig.engines.truth_remote import far_away
from tests.rig.own_folders import disks_of
from tests.rig.running import dockersweep

pytestmark = pytest.mark.engines

MIB = 1 << 20
SIZE = 6 * MIB
ROUNDING = 64 << 10
TARGET = 'version = 1\n[target]\norder = ["image", "volume"]\nolder_than = "0s"\n'


class Usage(NamedTuple):
    """What df prints of a disk."""

    used: int
    available: int

    @property
    def percent(self) -> float:
        """The share that is used of what others than root can use."""
        return 100 * self.used / (self.used + self.available)


def df(place: Path | str) -> Usage:
    told = subprocess.run(["df", "-B1", "--output=used,avail", place], capture_output=True, text=True, check=True)
    used, available = told.stdout.splitlines()[1].split()
    return Usage(int(used), int(available))


@contextmanager
def volumes_apart(one: EngineKind) -> Iterator[tuple[Engine, Path]]:
    """An engine on a disk that is mostly free, with three images; and three volumes on one that is filled with them."""
    with Engine(one, disks=(SmallDisk("", "ext4", 320 * MIB), SmallDisk("volumes", "ext4", 40 * MIB))) as engine:
        litter = Litter(engine)
        for number in range(3):
            litter.image(f"app-{number}:1", layers={f"layer-{number}": SIZE})
            litter.anonymous_volume(SIZE)
        yield engine, engine.data_root / "volumes"


def sweep(engine: Engine, target: str) -> tuple[int, Any]:
    run = dockersweep("sweep", "--yes", "--policy", "-", "--format", "json", host=engine.url, stdin=TARGET + target)
    return run.status, run.json()


def planned(host: str, target: str) -> Any:
    return dockersweep("plan", "--policy", "-", "--format", "json", host=host, stdin=TARGET + target + "\n").json()


@contextmanager
def covered(place: str) -> Iterator[None]:
    """Let us see an empty folder there, as what is running already does not."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def seen(host: str) -> Inventory:
    return msgspec.json.decode(dockersweep("scan", "--format", "json", host=host).stdout, type=Inventory)


def removed(document: Any) -> list[str]:
    return [one["kind"] for one in document["outcomes"] if one["status"] == "removed" and one["action"] == "remove"]


@pytest.mark.enough_on(*EACH_STORE)
@pytest.mark.parametrize("one", KINDS, ids=str)
def test_only_what_lies_on_the_disk_that_is_short_goes(one: EngineKind) -> None:
    with volumes_apart(one) as (engine, volumes):
        before = df(volumes)
        assert before.percent > 45 > df(engine.data_root).percent
        status, document = sweep(engine, f'start_above = "{before.percent - 2:.1f}%"\nstop_below = "40%"\n')
        target = document["target"]
        assert (status, target["reached"]) == (0, True), target
        assert set(removed(document)) == {"volume"}
        after = df(volumes)
        assert after.percent <= 40
        # One fewer would not do.
        assert 100 * (after.used + SIZE) / (before.used + before.available) > 40
        freed = {disk["disk"]: disk["measured_bytes"] for disk in document["reclaimed"]["on_disks"]}
        assert abs(freed[str(volumes)] - (before.used - after.used)) <= ROUNDING
        assert (freed[str(engine.data_root)], target["freed_bytes"]) == (0, freed[str(volumes)])


@pytest.mark.parametrize("one", [kind("docker-28.5"), kind("podman-6.1"), BTRFS], ids=str)
@pytest.mark.enough_on("docker-28.5", BTRFS.name)
def test_what_btrfs_frees_later_is_waited_for(one: EngineKind) -> None:
    with Engine(one, disks=(SmallDisk("", "btrfs", 600 * MIB),)) as engine:
        engine.stop()
        shutil.rmtree(engine.data_root / "volumes", ignore_errors=True)
        subprocess.run(["btrfs", "subvolume", "create", engine.data_root / "volumes"], capture_output=True, check=True)
        engine.start()
        Litter(engine).anonymous_volume(1000)
        for number in range(4):
            Litter(engine).image(f"app-{number}:1", layers={f"layer-{number}": 4 * SIZE})
        subprocess.run(["sync", "--file-system", engine.data_root], check=True)
        status, document = sweep(engine, f'min_free = "{df(engine.data_root).available + SIZE}B"\n')
        assert (status, document["target"]["reached"]) == (0, True), document["target"]
        assert removed(document) == ["image"]
        free, freed = document["reclaimed"]["free_space_bytes"], document["reclaimed"]["measured_bytes"]
        assert one == BTRFS or abs(free - freed) <= MIB


def test_what_xfs_frees_in_the_background_is_waited_for() -> None:
    with Engine(kind("docker-28.5"), disks=(SmallDisk("", "xfs", 320 * MIB),)) as engine:
        Litter(engine).anonymous_volume(4 * SIZE)
        subprocess.run(["sync", "--file-system", engine.data_root], check=True)
        _, document = sweep(engine, 'free = "1MB"\n')
        assert removed(document) == ["volume"]
        free, freed = document["reclaimed"]["free_space_bytes"], document["reclaimed"]["measured_bytes"]
        assert abs(free - freed) <= MIB


def test_what_is_free_on_another_disk_does_not_help() -> None:
    with volumes_apart(kind("docker-28.5")) as (engine, volumes):
        asked = df(volumes).available + 100 * MIB
        assert df(engine.data_root).available > asked
        policy = f'{TARGET}min_free = "{asked}B"\n'
        plan = dockersweep("plan", "--policy", "-", host=engine.url, stdin=policy).stdout
        assert f"Target: {volumes}: " in plan
        assert "the policy allows no more" in plan
        status, document = sweep(engine, f'min_free = "{asked}B"\n')
        assert (status, document["target"]["reached"]) == (3, False)
        assert removed(document) == ["volume"] * 3
        assert document["target"]["text"].startswith(f"{volumes}: ")


def test_a_disk_that_was_not_over_what_starts_it_is_not_emptied_down_to_what_stops_it() -> None:
    with volumes_apart(kind("docker-28.5")) as (engine, volumes):
        Litter(engine).image("large:1", layers={"large": 40 * MIB})
        stop = df(engine.data_root).percent - 2
        assert 10 < stop < df(volumes).percent - 2
        status, document = sweep(
            engine, f'start_above = "{df(volumes).percent - 1:.1f}%"\nstop_below = "{stop:.1f}%"\n'
        )
        assert (status, document["target"]["reached"]) == (0, True), document["target"]
        assert set(removed(document)) == {"volume"}
        assert df(volumes).percent <= stop < df(engine.data_root).percent


def test_a_size_is_what_the_engine_holds_on_each_disk() -> None:
    with volumes_apart(kind("docker-28.5")) as (engine, volumes):
        plan = planned(engine.url, 'start_above = "15MB"')
        asked = {disk["disk"]: disk for disk in plan["target"]["disks"]}
        assert set(asked) == {str(engine.data_root), str(volumes)}
        held = 3 * SIZE - 15_000_000
        for disk in asked.values():
            assert held <= disk["wanted_bytes"] <= held + 2 * MIB
        assert sorted(one["kind"] for one in plan["removals"]) == ["image", "volume"]


@pytest.mark.parametrize("file_system", ["ext4", "xfs"])
def test_a_containerd_of_the_system_has_a_disk_of_its_own(file_system: Any) -> None:
    disks = (SmallDisk("", "ext4", 64 * MIB), SmallDisk(SYSTEM_CONTAINERD, file_system, 300 * MIB))
    with Engine(kind("docker-28.5-containerd"), disks=disks, system_containerd=True) as engine:
        litter = Litter(engine)
        for number in range(4):
            litter.image(f"app-{number}:1", layers={f"layer-{number}": 4 * SIZE})
        litter.anonymous_volume(SIZE)
        before = df(SYSTEM_CONTAINERD)
        stop = before.percent - 12
        status, document = sweep(engine, f'start_above = "{before.percent - 1:.1f}%"\nstop_below = "{stop:.1f}%"\n')
        after = df(SYSTEM_CONTAINERD)
        assert (status, document["target"]["reached"]) == (0, True), document["target"]
        assert set(removed(document)) == {"image"}
        assert after.percent <= stop
        [freed] = [disk for disk in document["reclaimed"]["on_disks"] if disk["disk"] == SYSTEM_CONTAINERD]
        assert abs(freed["measured_bytes"] - (before.used - after.used)) <= max(ROUNDING, freed["measured_bytes"] / 100)


def test_no_share_is_known_where_containerd_cannot_be_seen() -> None:
    # As in a container that has the engine's own folder and no other.
    disks = (SmallDisk("", "ext4", 64 * MIB),)
    with Engine(kind("docker-28.5-containerd"), disks=disks, system_containerd=True) as engine:
        Litter(engine).image("app:1", layers={"layer": SIZE})
        with covered(SYSTEM_CONTAINERD):
            assert (
                "containerd's or that of its volumes cannot be read"
                in planned(engine.url, 'start_above = "1%"')["target"]["text"]
            )
            assert planned(engine.url, 'min_free = "1TB"')["removals"] == []
        assert planned(engine.url, 'start_above = "1%"')["removals"] != []


@pytest.mark.parametrize("one", [kind("docker-28.5"), kind("podman-6.1")], ids=str)
def test_no_share_is_known_where_volumes_cannot_be_seen(one: EngineKind) -> None:
    """As in a container that has the engine's folder without the disk that is mounted in it."""
    with volumes_apart(one) as (engine, volumes):
        subprocess.run(["umount", volumes], check=True)
        try:
            plan = planned(engine.url, 'start_above = "1%"')
            hidden = seen(engine.url)
            images = TARGET.replace('"image", "volume"', '"image"') + 'start_above = "1%"\n'
            of_images = dockersweep("plan", "--policy", "-", "--format", "json", host=engine.url, stdin=images).json()
        finally:
            subprocess.run(["mount", "-o", "loop", engine.run_directory / "disk-1", volumes], check=True)
        assert (plan["target"]["begins"], plan["removals"]) == (None, [])
        assert "or that of its volumes cannot be read" in plan["target"]["text"]
        assert hidden.storage is not None
        assert {part.high_bytes for part in hidden.storage.parts if part.id.startswith("volume:")} <= {None}
        assert {one["kind"] for one in of_images["removals"]} == {"image"}


def test_disks_are_told_apart_where_it_is_not_told_what_is_mounted() -> None:
    with volumes_apart(kind("docker-28.5")) as (engine, volumes):
        inventory = seen(engine.url)
        listed = ListedObjects(inventory.containers, inventory.images, inventory.volumes, inventory.build_cache)
        with patch("dockersweep.engine.disk.stores.read_mounts", dict):
            first, second = disks_of(inventory.engine, listed)
        assert (first.places, second.places) == ((str(engine.data_root),), (str(volumes),))
        assert second.name == str(volumes)


def test_from_afar_no_share_of_a_disk_is_known() -> None:
    with volumes_apart(kind("docker-28.5")) as (engine, _), far_away(engine.recorder.path) as url:
        plan = planned(url, 'start_above = "1%"')
    assert (plan["target"]["begins"], plan["target"]["reached"], plan["removals"]) == (None, None, [])
    assert "the engine's disk cannot be measured from here: it is on another machine" in plan["target"]["text"]
