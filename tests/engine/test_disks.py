"""Every disk of an engine, and what of it lies there, held against `df` and `du`."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.model.disk import Disk
from dockersweep.model.engine_folder import EngineFolder
from dockersweep.model.inventory import Inventory
from tests.rig import own_folders
from tests.rig.engines.disks import SYSTEM_CONTAINERD, SmallDisk
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import BTRFS, EACH_STORE, KINDS, EngineKind, kind
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep

pytestmark = pytest.mark.engines

MB = 1 << 20
_DF = "source,target,size,used,avail,itotal,iavail"
_ROUNDING = 64 << 10
_IMAGE, _VOLUME = 6 * MB, 3 * MB


@dataclass(frozen=True)
class Df:
    """What `df` prints of a file system."""

    source: str
    target: str
    size: int
    used: int
    available: int
    inodes: int
    free_inodes: int

    @classmethod
    def of(cls, folder: Path | str) -> Df:
        command = ["df", "-B1", f"--output={_DF}", str(folder)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1].split()
        return cls(told[0], told[1], *(int(field) if field != "-" else 0 for field in told[2:]))


def littered(engine: Engine) -> Litter:
    """Fill an engine with something of each kind."""
    litter = Litter(engine)
    litter.image("app:1", layers={"app": _IMAGE})
    litter.volume("filled", size=_VOLUME)
    litter.container("writer", writes=MB, state="exited")
    return litter


def seen(engine: Engine) -> Inventory:
    """Scan an engine."""
    told = dockersweep("scan", "--format", "json", host=engine.url)
    return msgspec.json.decode(told.stdout, type=Inventory)


def folder_of(inventory: Inventory) -> EngineFolder:
    """Read what an engine's folders take, as a report does."""
    listed = ListedObjects(inventory.containers, inventory.images, inventory.volumes, inventory.build_cache)
    folder, warnings = own_folders.folder_of(inventory.engine, listed)
    assert folder is not None
    assert warnings == ()
    return folder


def du(places: Iterable[str]) -> int:
    """What `du` counts below folders, without what is mounted there."""
    command = ["du", "-x", "-s", "-B1", "--total", *places]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(told.stdout.splitlines()[-1].split()[0])


def near(told: int | None, truth: int) -> bool:
    return told is not None and abs(told - truth) <= max(_ROUNDING, truth // 100)


def check_disk(disk: Disk) -> None:
    """Hold a disk against what `df` says of it now."""
    df = Df.of(disk.places[0])
    assert (disk.device, disk.mount_point, disk.total_bytes) == (df.source, df.target, df.size)
    assert near(disk.used, df.used)
    assert near(disk.free_bytes, df.available)
    assert (disk.total_inodes or 0) == df.inodes
    assert abs((disk.free_inodes or 0) - df.free_inodes) <= max(100, df.inodes // 100)


def check(engine: Engine, *mount_points: str) -> tuple[Inventory, EngineFolder]:
    """Hold all that is told of an engine's disks against `df` and `du`."""
    inventory = seen(engine)
    assert tuple(disk.mount_point for disk in inventory.disks) == mount_points
    for disk in inventory.disks:
        check_disk(disk)
    folder = folder_of(inventory)
    assert [on_disk.places for on_disk in folder.on_disks] == [disk.places for disk in inventory.disks]
    for on_disk in folder.on_disks:
        assert near(on_disk.size_bytes, du(on_disk.places)), on_disk
    return inventory, folder


def main_disk(engine: Engine) -> str:
    return Df.of(engine.data_root).target


@pytest.mark.enough_on(*EACH_STORE)
@pytest.mark.parametrize("one", KINDS, ids=str)
def test_volumes_on_a_disk_of_their_own(one: EngineKind) -> None:
    with Engine(one, disks=(SmallDisk("volumes", "ext4"),)) as engine:
        littered(engine)
        inventory, folder = check(engine, main_disk(engine), f"{engine.data_root}/volumes")
        assert inventory.other_disks[0].reserved > 4 * MB
        assert inventory.other_disks[0].places == (f"{engine.data_root}/volumes",)
        assert _VOLUME <= (folder.on_disks[1].size_bytes or 0) < _VOLUME + MB
        assert (folder.on_disks[0].size_bytes or 0) > _IMAGE
        if one.flavour == "docker":
            # It lists each folder of the disk as a volume.
            assert "lost+found" in [volume.name for volume in inventory.volumes]
            every = ("--named-volumes", "--kind", "volume", "--older-than", "0s")
            assert dockersweep("sweep", "--yes", *every, host=engine.url).status == 0
            assert engine.docker("volume", "ls", "-q").stdout.split() == ["lost+found"]


@pytest.mark.enough_on(*EACH_STORE)
@pytest.mark.parametrize("one", [one for one in KINDS if one.flavour == "docker"], ids=str)
def test_layers_on_a_disk_of_their_own(one: EngineKind) -> None:
    """Podman itself unmounts what is mounted at its folder of layers: findings/podman-layers-disk.sh."""
    layers = one.image_store
    with Engine(one, disks=(SmallDisk(layers, "ext4"),)) as engine:
        littered(engine)
        _, folder = check(engine, main_disk(engine), f"{engine.data_root}/{layers}")
        assert (folder.on_disks[1].size_bytes or 0) > _IMAGE
        assert (folder.on_disks[0].size_bytes or 0) > _VOLUME


@pytest.mark.enough_on(*EACH_STORE)
@pytest.mark.parametrize("one", KINDS, ids=str)
def test_all_on_one_disk_and_volumes_on_another(one: EngineKind) -> None:
    with Engine(one, disks=(SmallDisk("", "xfs", 320 * MB), SmallDisk("volumes"))) as engine:
        littered(engine)
        check(engine, str(engine.data_root), f"{engine.data_root}/volumes")


@pytest.mark.parametrize("disks", [(), (SmallDisk(SYSTEM_CONTAINERD, "ext4"), SmallDisk("volumes"))])
def test_the_containerd_of_the_system(disks: tuple[SmallDisk, ...]) -> None:
    with Engine(kind("docker-28.5-containerd"), disks=disks, system_containerd=True) as engine:
        littered(engine)
        others = [f"{engine.data_root}/volumes", SYSTEM_CONTAINERD] if disks else []
        inventory, folder = check(engine, Df.of(engine.run_directory).target, *others)
        if not disks:
            assert inventory.disk is not None
            assert inventory.disk.places == (str(engine.data_root), SYSTEM_CONTAINERD)
        # The contents and the snapshots of an image, which is of random bytes.
        assert (folder.on_disks[-1].size_bytes or 0) > 2 * _IMAGE


@pytest.mark.parametrize("at", ["../elsewhere", "mounted-here"])
@pytest.mark.parametrize(
    ("one", "moved"),
    [(kind("docker-28.5"), "volumes"), (kind("docker-28.5-containerd"), "containerd"), (kind("podman-6.1"), "volumes")],
    ids=str,
)
@pytest.mark.enough_on("docker-28.5", "docker-28.5-containerd")
def test_a_folder_that_was_moved_to_another_disk_behind_a_link(one: EngineKind, moved: str, at: str) -> None:
    with Engine(one, disks=(SmallDisk(at, "ext4"),)) as engine:
        engine.stop()
        link, real = engine.data_root / moved, (engine.data_root / at).resolve() / "moved"
        shutil.rmtree(link)
        real.mkdir()
        link.symlink_to(real)
        engine.start()
        littered(engine)
        inventory = seen(engine)
        assert [disk.mount_point for disk in inventory.disks] == [main_disk(engine), str(real.parent)]
        assert str(link) in inventory.other_disks[0].places
        folder = folder_of(inventory)
        assert near(folder.on_disks[0].size_bytes, du([str(engine.data_root)]))
        assert near(folder.on_disks[1].size_bytes, du([str(real)]))
        policy = 'version = 1\n[target]\norder = ["image", "volume"]\nstart_above = "1B"\n'
        target = dockersweep("plan", "--policy", "-", "--format", "json", host=engine.url, stdin=policy).json()[
            "target"
        ]
        held = {asked["disk"]: asked["wanted_bytes"] for asked in target["disks"]}
        assert held[str(real.parent)] > (_IMAGE if moved == "containerd" else _VOLUME) - MB
        assert held[main_disk(engine)] < (_VOLUME if moved == "containerd" else 2 * _IMAGE) + 2 * MB


def test_a_link_to_what_lies_in_the_folder_itself_counts_once() -> None:
    with Engine(kind("docker-28.5")) as engine:
        engine.stop()
        shutil.move(engine.data_root / "volumes", engine.data_root / "moved")
        (engine.data_root / "volumes").symlink_to("moved")
        engine.start()
        littered(engine)
        [on_disk] = folder_of(seen(engine)).on_disks
        assert near(on_disk.size_bytes, du([str(engine.data_root)]))


@pytest.mark.enough_on(*EACH_STORE)
@pytest.mark.parametrize("one", KINDS, ids=str)
def test_what_one_volume_has_mounted_stays_a_name(one: EngineKind) -> None:
    """An fstab may have a disk for a single volume, and `device=` mounts one there while the volume is in use."""
    with Engine(one, disks=(SmallDisk("volumes/mounted/_data"),)) as engine:
        littered(engine)
        (engine.data_root / "volumes/mounted/_data/file").write_bytes(b"x" * 4 * MB)
        before = folder_of(seen(engine))
        check(engine, main_disk(engine))
        (engine.data_root / "volumes/mounted/_data/more").write_bytes(b"x" * 4 * MB)
        assert near(folder_of(seen(engine)).size_bytes, before.size_bytes or 0)


def test_btrfs() -> None:
    """Each layer is a snapshot of the one below it, so that what they share must count once."""
    with Engine(BTRFS, disks=(SmallDisk("", "btrfs", 600 * MB),)) as engine:
        littered(engine).image("app:2", layers={"app": _IMAGE, "more": 20 * MB})
        inventory = seen(engine)
        assert inventory.disk is not None
        assert inventory.other_disks == ()
        check_disk(inventory.disk)
        [on_disk] = folder_of(inventory).on_disks
        assert near(on_disk.size_bytes, btrfs_du(engine.data_root))
        layers = list(engine.data_root.glob("btrfs/subvolumes/*"))
        assert sum(du([str(layer)]) for layer in layers) > btrfs_du(engine.data_root) + _IMAGE


def btrfs_du(folder: Path) -> int:
    """What lies below a folder of a btrfs, in bytes: each shared extent once, and without what is so small that it
    lies with the names."""
    subprocess.run(["sync", "--file-system", folder], check=True)
    command = ["btrfs", "filesystem", "du", "--summarize", "--raw", str(folder)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    _, exclusive, shared = told.stdout.splitlines()[1].split()[:3]
    return int(exclusive) + int(shared)
