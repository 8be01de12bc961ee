"""How full the engine's disk is: told where the engine is on this machine, and only if its folder is its own."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest

from dockersweep.engine.disk.disks import read_disks
from dockersweep.engine.disk.ownership import ForeignFolderError, ListedObjects
from dockersweep.engine.disk.stores import find_stores
from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Engine as SeenEngine
from dockersweep.model.quantities import LARGEST
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import EACH_STORE
from tests.rig.engines.litter import Litter
from tests.rig.engines.truth_remote import far_away
from tests.rig.inventories import ENGINE, container, image
from tests.rig.own_folders import disks_of, folder_of, storage_on_disk
from tests.rig.running import dockersweep

ONE, OTHER = "1" * 64, "2" * 64
NOTHING = ListedObjects((), (), (), ())
IMAGES = Path("image/overlay2/imagedb/content/sha256")
MEGABYTE = 1_000_000


def root_of(folder: Path, *entries: str) -> SeenEngine:
    """Make what a folder of an engine has in it, and return an engine that says it is its own."""
    for entry in ("overlay2", str(IMAGES), "containers", *entries):
        (folder / entry).mkdir(parents=True, exist_ok=True)
    return msgspec.structs.replace(ENGINE, root_dir=str(folder))


def listed(*images: str, containers: tuple[str, ...] = ()) -> ListedObjects:
    """Return what an engine lists."""
    return ListedObjects(tuple(container(one) for one in containers), tuple(image(one) for one in images), (), ())


def figures(disk: Disk) -> dict[str, int | None]:
    """Return what df tells of a disk, its names left out."""
    told = msgspec.structs.asdict(disk)
    return {name: told[name] for name in told if name.endswith(("_bytes", "_inodes"))}


@pytest.mark.linux
def test_the_figures_are_those_that_df_prints(tmp_path: Path) -> None:
    engine = root_of(tmp_path)
    told = os.statvfs_result((4096, 512, 1000, 300, 250, 90, 40, 30, 0, 255))
    sizes = {"total_bytes": 512_000, "free_bytes": 128_000, "used_bytes": 358_400}
    with patch("os.statvfs", lambda _: told):
        (disk,) = disks_of(engine, NOTHING)
        assert figures(disk) == sizes | {"total_inodes": 90, "free_inodes": 30}
        assert (disk.usable, disk.reserved) == (486_400, 25_600)
        assert disk.places == (str(tmp_path),)
        assert (disk.mount_point, disk.device) == shown_by_df(tmp_path)
    without_inodes = os.statvfs_result((4096, 512, 1000, 300, 250, 0, 0, 0, 0, 255))
    with patch("os.statvfs", lambda _: without_inodes):
        (disk,) = disks_of(engine, NOTHING)
        assert figures(disk) == sizes | {"total_inodes": None, "free_inodes": None}
    with patch("os.statvfs", lambda _: os.statvfs_result((4096, 512, 0, 0, 0, 0, 0, 0, 0, 255))):
        assert disks_of(engine, NOTHING) == ()
    with patch("os.statvfs", side_effect=PermissionError):
        assert disks_of(engine, NOTHING) == ()


@pytest.mark.parametrize(
    ("blocks", "free", "told"),
    [
        # s3fs has 16 EiB.
        (2**52, 2**52, (LARGEST, LARGEST, 0)),
        (10, 20, (40_960, 81_920, 0)),
    ],
)
def test_figures_that_no_disk_has_are_those_that_a_document_can_have(
    tmp_path: Path, blocks: int, free: int, told: tuple[int, int, int]
) -> None:
    with patch("os.statvfs", lambda _: os.statvfs_result((4096, 4096, blocks, free, free, 0, 0, 0, 0, 255))):
        (disk,) = disks_of(root_of(tmp_path), NOTHING)
    assert (disk.total_bytes, disk.free_bytes, disk.used_bytes) == told
    assert msgspec.json.decode(msgspec.json.encode(disk), type=Disk) == disk


def shown_by_df(folder: Path) -> tuple[str, str]:
    """Return where a folder's file system is mounted and what it is, as df says."""
    told = subprocess.run(["df", "--output=target,source", folder], capture_output=True, text=True, check=True)
    where, what = told.stdout.splitlines()[1].split()
    return where, what


@pytest.mark.parametrize(
    "changes", [{"endpoint": "tcp://box:2375"}, {"endpoint": "ssh://box"}, {"root_dir": None}, {"root_dir": "/nowhere"}]
)
def test_from_afar_nothing_is_told(tmp_path: Path, changes: dict[str, str | None]) -> None:
    assert disks_of(msgspec.structs.replace(root_of(tmp_path), **changes), NOTHING) == ()


@pytest.mark.parametrize(
    ("there", "seen", "is_told"),
    [
        ([], NOTHING, True),
        ([IMAGES / ONE], listed(ONE), True),
        ([IMAGES / ONE], NOTHING, False),
        ([], listed(ONE), False),
        ([IMAGES / ONE], listed(ONE, OTHER), False),
        ([IMAGES / ONE, f"containers/{ONE}"], listed(ONE, containers=(ONE,)), True),
        ([IMAGES / ONE], listed(ONE, containers=(ONE,)), False),
    ],
)
def test_a_folder_without_an_id_must_have_what_is_listed(
    tmp_path: Path, there: list[Path | str], seen: ListedObjects, is_told: bool
) -> None:
    assert (disks_of(root_of(tmp_path, *map(str, there)), seen) != ()) == is_told


def test_a_folder_of_another_kind_of_storage_is_not_believed(tmp_path: Path) -> None:
    engine = root_of(tmp_path)
    assert disks_of(msgspec.structs.replace(engine, image_store="btrfs"), NOTHING) == ()
    assert disks_of(msgspec.structs.replace(engine, image_store="containerd"), NOTHING) == ()


def test_the_id_in_the_folder_must_be_the_engines_and_most_of_what_is_listed_be_there(tmp_path: Path) -> None:
    engine = root_of(tmp_path, str(IMAGES / ONE), f"containers/{ONE}")
    (tmp_path / "engine-id").write_text("ANOTHER\n")
    assert disks_of(engine, listed(ONE)) == ()
    (tmp_path / "engine-id").write_text("ENGINE\n")
    assert disks_of(engine, NOTHING) != ()
    assert disks_of(engine, listed(ONE, OTHER, containers=(ONE,))) != ()
    assert disks_of(engine, listed(OTHER)) == ()
    in_containerd = msgspec.structs.replace(engine, image_store="containerd")
    assert disks_of(in_containerd, listed(OTHER, containers=(ONE,))) != ()
    assert disks_of(in_containerd, listed(OTHER, containers=(OTHER,))) == ()


@pytest.mark.parametrize(
    ("here", "listed_images", "is_own"),
    [(2, 2, True), (2, 3, True), (1, 2, False), (1, 3, False), (3, 2, True)],
)
@pytest.mark.parametrize("is_told", [True, False], ids=["id-told", "id-not-told"])
def test_space_blocks_and_folder_agree_whose_a_folder_is(
    tmp_path: Path, here: int, listed_images: int, is_own: bool, is_told: bool
) -> None:
    """Of half of what is listed nobody knows whose it is; without an id each must have all images of the other."""
    engine = root_of(tmp_path)
    if is_told:
        (tmp_path / "engine-id").write_text("ENGINE")
    names = [str(number) * 64 for number in range(5)]
    for name in names[:here]:
        (tmp_path / IMAGES / name).write_text('{"rootfs": {"diff_ids": []}}')
    seen = listed(*names[:listed_images])
    expected = is_own if is_told else here == listed_images
    assert (disks_of(engine, seen) != ()) == expected
    assert (folder_of(engine, seen)[0] is not None) == expected
    if expected:
        storage_on_disk(engine, seen)
    else:
        with pytest.raises(ForeignFolderError):
            storage_on_disk(engine, seen)


def told_disks(host: str) -> Iterator[Disk | None]:
    """Yield the disk of a scan with sizes, and of one without."""
    for words in ([], ["--no-sizes"]):
        run = dockersweep("scan", "--format", "json", *words, host=host)
        assert run.status == 0, run.stderr
        yield msgspec.convert(run.json()["disk"], Disk | None)


def assert_as_by_df(told: Disk | None, root: Path) -> None:
    """Others write to the disk meanwhile, so what is free is only about the same."""
    seen = os.statvfs(root)
    assert told is not None
    assert told.total_bytes == seen.f_blocks * seen.f_frsize
    assert abs(told.free_bytes - seen.f_bavail * seen.f_frsize) < 500 * MEGABYTE
    assert abs(told.used - (seen.f_blocks - seen.f_bfree) * seen.f_frsize) < 500 * MEGABYTE
    if seen.f_files == 0:
        assert (told.total_inodes, told.free_inodes) == (None, None)
    else:
        assert told.total_inodes == seen.f_files
        assert abs((told.free_inodes or 0) - seen.f_favail) < 100_000


@pytest.mark.enough_on(*EACH_STORE)
def test_the_disk_of_each_engine_is_measured_here_and_not_from_afar(engine: Engine, litter: Litter) -> None:
    for disk in told_disks(engine.url):
        assert_as_by_df(disk, engine.data_root)
    litter.image("app:1", layers={"one": 100_000})
    litter.container()
    for disk in told_disks(engine.url):
        assert_as_by_df(disk, engine.data_root)
    with far_away(engine.recorder.path) as url:
        assert list(told_disks(url)) == [None, None]


def test_images_that_lie_in_a_containerd_that_is_not_found_are_on_no_known_disk(tmp_path: Path) -> None:
    engine = msgspec.structs.replace(root_of(tmp_path / "engine", f"containers/{ONE}"), image_store="containerd")
    (tmp_path / "engine/engine-id").write_text("ENGINE")
    system = tmp_path / "containerd"
    seen = listed(ONE, containers=(ONE,))

    def unseen() -> tuple[str, ...]:
        return read_disks(find_stores(engine, seen, system)).on_none

    assert unseen() == ("container", "image", "build-cache")
    # One of another engine, or what is left there from before containerd's folder was moved, has not its images.
    (system / "io.containerd.metadata.v1.bolt").mkdir(parents=True)
    (system / "io.containerd.metadata.v1.bolt/meta.db").touch()
    assert unseen() == ("container", "image", "build-cache")
    blob = system / "io.containerd.content.v1.content/blobs/sha256" / ONE
    blob.parent.mkdir(parents=True)
    blob.touch()
    assert unseen() == ()
    (tmp_path / "engine/containerd").mkdir()
    system.rename(tmp_path / "engine/containerd/daemon")
    assert unseen() == ()
