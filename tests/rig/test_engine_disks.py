"""Engines of tests whose folders lie on disks of their own: seen by all who should, and gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rig.engines.disks import SYSTEM_CONTAINERD, DiskError, FileSystem, SmallDisk
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import BTRFS, KINDS, NEWEST, EngineKind, kind
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep

pytestmark = [pytest.mark.engines, pytest.mark.enough_on(*NEWEST, once=True)]

_MB = 1 << 20
_OWNER = """
import sys
from tests.rig.engines.disks import SmallDisk, have_own_mounts
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind
have_own_mounts()
engine = Engine(kind("docker-28.5"), disks=(SmallDisk("", "ext4"), SmallDisk("volumes"))).start()
print(engine.run_directory, engine._keeper.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("one", KINDS, ids=str)
def test_the_engine_and_we_see_the_same_disk_until_it_is_closed(one: EngineKind) -> None:
    with Engine(one, disks=(SmallDisk("volumes"),)) as engine:
        run = engine.run_directory
        litter = Litter(engine)
        litter.volume("filled", size=3 * _MB)
        litter.container("writer", volumes={"filled": "/data"}, state="exited")
        volumes = engine.data_root / "volumes"
        assert os.path.ismount(volumes)
        assert _used(volumes) >= 3 * _MB
        engine.restart()
        assert (volumes / "filled/_data/litter.bin").stat().st_size == 3 * _MB
        found = dockersweep("scan", "--format", "json", host=engine.url).json()
        assert [disk["mount_point"] for disk in found["other_disks"]] == [str(volumes)]
        _fill_past_wiping(litter)
        engine.wipe()
        assert os.path.ismount(volumes)
        assert not (volumes / "filled").exists()
    assert _left(run) == []


@pytest.mark.parametrize("file_system", ["tmpfs", "ext4", "xfs", "btrfs"])
def test_a_disk_has_the_file_system_that_it_is_to_have(file_system: FileSystem) -> None:
    disk = SmallDisk("volumes", file_system, 320 * _MB)
    with Engine(kind("docker-28.5"), disks=(disk,)) as engine:
        run, volumes = engine.run_directory, engine.data_root / "volumes"
        assert _df(volumes, "fstype") == file_system
        assert 200 * _MB < int(_df(volumes, "size")) <= 320 * _MB
        reserved = int(_df(volumes, "size")) - int(_df(volumes, "used")) - int(_df(volumes, "avail"))
        # btrfs keeps its metadata twice, which others cannot write to either.
        assert (reserved > 30 * _MB) == (file_system in ("ext4", "btrfs"))
    assert _left(run) == []


def test_all_of_an_engine_may_lie_on_a_disk_and_a_part_of_it_on_another() -> None:
    with Engine(kind("docker-28.5"), disks=(SmallDisk("", "ext4"), SmallDisk("volumes"))) as engine:
        Litter(engine).image("app:1", layers={"app": 4 * _MB})
        assert _used(engine.data_root) > 4 * _MB > _used(engine.data_root / "volumes")


def test_images_lie_with_the_containerd_of_the_system() -> None:
    beside = kind("docker-28.5-containerd")
    there_before = Path(SYSTEM_CONTAINERD).exists()
    with Engine(beside, disks=(SmallDisk(SYSTEM_CONTAINERD, "ext4"),), system_containerd=True) as engine:
        run = engine.run_directory
        Litter(engine).image("app:1", layers={"app": 4 * _MB})
        assert _used(Path(SYSTEM_CONTAINERD)) > 8 * _MB
        assert not (engine.data_root / "containerd").exists()
        with pytest.raises(DiskError, match="another engine"):
            Engine(beside, system_containerd=True).start()
        engine.restart()
        assert "app:1" in engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").stdout
    assert _left(run) == []
    assert Path(SYSTEM_CONTAINERD).exists() == there_before


def test_btrfs_has_a_subvolume_for_each_layer() -> None:
    with Engine(BTRFS, disks=(SmallDisk("", "btrfs", 600 * _MB),)) as engine:
        assert engine.api.info()["Driver"] == "btrfs"
        Litter(engine).image("app:1", layers={"app": 4 * _MB})
        [layer] = (engine.data_root / "btrfs/subvolumes").iterdir()
        assert (layer.stat().st_ino, layer.stat().st_dev != engine.data_root.stat().st_dev) == (256, True)


@pytest.mark.parametrize("with_the_keeper", [False, True])
def test_no_disk_outlives_an_owner_that_is_killed(with_the_keeper: bool) -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        told, keeper = owner.stdout.readline().split()
        run = Path(told)
        assert any(str(run) in line for line in _loop_devices())
        if with_the_keeper:
            os.kill(int(keeper), signal.SIGKILL)
        owner.kill()
    _await(lambda: not _left(run))
    if not with_the_keeper:
        _await(lambda: not run.exists())


def test_a_disk_that_no_file_system_is_as_small_as_is_refused() -> None:
    with pytest.raises(DiskError, match="no xfs is as small as 1,048,576 bytes"):
        SmallDisk("volumes", "xfs", _MB)


def _fill_past_wiping(litter: Litter) -> None:
    """So much that the engine gets new disks instead of being emptied."""
    for number in range(70):
        litter.volume(f"many-{number}")


def _left(run: Path) -> list[str]:
    """What is still mounted of an engine here and on the machine, and on which loop devices."""
    mounts = [Path(f"/proc/{who}/mountinfo").read_text() for who in ("self", os.getppid())]
    return [line for text in (*mounts, *_loop_devices()) for line in text.splitlines() if str(run) in line]


def _loop_devices() -> list[str]:
    return [one.read_text() for one in Path("/sys/block").glob("loop*/loop/backing_file")]


def _used(folder: Path) -> int:
    return int(_df(folder, "used"))


def _df(folder: Path, field: str) -> str:
    told = subprocess.run(["df", "-B1", f"--output={field}", folder], capture_output=True, text=True, check=True)
    return told.stdout.splitlines()[1].strip()


def _await(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
