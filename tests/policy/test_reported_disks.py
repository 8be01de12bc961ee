"""What of an engine lies on each of its disks, and what else its folders take there."""

from typing import Any

import msgspec
import pytest

from dockersweep.model.disk import Disk
from dockersweep.model.engine_folder import EngineFolder, FolderOnDisk
from dockersweep.model.inventory import Inventory
from dockersweep.model.plan import Interval
from dockersweep.model.report import Report, ReportedDisk
from dockersweep.model.storage import Part, Storage
from tests.policy.findings_of import GIGA, report
from tests.rig.inventories import ago, container, image, inventory, record, volume

KILO = 1000


def disk(mount_point: str, *places: str, **fields: Any) -> Disk:
    told = {"total_bytes": 100 * GIGA, "free_bytes": 50 * GIGA, "total_inodes": None, "free_inodes": None, **fields}
    return Disk(mount_point=mount_point, device=f"/dev/{mount_point[-1]}", places=places, **told)


MAIN, VOLUMES = disk("/", "/var/lib/docker"), disk("/var/lib/docker/volumes", "/var/lib/docker/volumes")
CONTAINERD = disk("/var/lib/containerd", "/var/lib/containerd")


def part(name: str, folder: str | None, size: int | None, *needs: str) -> Part:
    return Part(id=name, needs=needs, low_bytes=size or 0, high_bytes=size, folder=folder)


PARTS = (
    part("container:web", "containers/web", 5 * KILO, "snapshot:web"),
    part("snapshot:web", "/var/lib/containerd/snapshots/2", 7 * KILO, "layer:a"),
    part("image:sha256:a", "/var/lib/containerd/blobs/a", 2 * KILO, "layer:a"),
    part("layer:a", "/var/lib/containerd/snapshots/1", 90 * KILO),
    part("volume:data", "volumes/data", 30 * KILO),
    part("build-cache:step", "buildkit/step", 11 * KILO),
)


def seen(*folders: FolderOnDisk, parts: tuple[Part, ...] = PARTS, **fields: Any) -> Inventory:
    told = {
        "disk": MAIN,
        "other_disks": (VOLUMES, CONTAINERD),
        "storage": Storage(base="disk", parts=parts),
        "folder": EngineFolder(size_bytes=0, on_disks=folders) if folders else None,
        **fields,
    }
    objects = container("web", "running", image="sha256:a"), image("a"), volume("data", anonymous=False), record("step")
    return msgspec.structs.replace(inventory(*objects), **told)


def folder(size: int | None, one: Disk, is_whole: bool = True) -> FolderOnDisk:
    return FolderOnDisk(places=one.places, size_bytes=size, is_whole=is_whole)


FOLDERS = folder(20 * KILO, MAIN), folder(31 * KILO, VOLUMES), folder(120 * KILO, CONTAINERD)


def kinds(row: ReportedDisk) -> dict[str, tuple[int, int | None]]:
    assert row.kinds is not None
    return {one.kind: (one.size.low_bytes, one.size.high_bytes) for one in row.kinds}


def sums(told: Report) -> list[tuple[int | None, bool, int | None]]:
    rows = [(row.folder_bytes, row.folder_is_whole, row.remainder_bytes) for row in told.disks]
    return [*rows, (told.folder_bytes, told.folder_is_whole, told.remainder_bytes)]


def exactly(size: int) -> tuple[int, int]:
    return size, size


def test_each_disk_has_the_kinds_that_lie_on_it_and_its_own_remainder() -> None:
    told = report(seen(*FOLDERS))
    assert [row.disk for row in told.disks] == [MAIN, VOLUMES, CONTAINERD]
    assert [kinds(row) for row in told.disks] == [
        {"container": exactly(5 * KILO), "build-cache": exactly(11 * KILO)},
        {"volume": exactly(30 * KILO)},
        {"image": exactly(92 * KILO), "container": exactly(7 * KILO)},
    ]
    assert sums(told) == [
        (20 * KILO, True, 4 * KILO), (31 * KILO, True, KILO), (120 * KILO, True, 21 * KILO),
        (171 * KILO, True, 26 * KILO),
    ]  # fmt: skip
    assert told.disk == MAIN
    assert told.warnings == ()
    counted = sum(row.size.low_bytes for row in told.shares)
    assert counted + (told.remainder_bytes or 0) == told.folder_bytes


def test_each_disk_has_what_the_policy_would_free_there() -> None:
    job = container("job", created=ago(days=40), image="sha256:a")
    parts = (
        *PARTS,
        part("container:job", "containers/job", KILO, "snapshot:job"),
        part("snapshot:job", "/var/lib/containerd/snapshots/3", 3 * KILO, "layer:a"),
    )
    now = seen(*FOLDERS, parts=parts)
    told = report(msgspec.structs.replace(now, containers=(*now.containers, job)))
    assert [row.reclaimable for row in told.disks] == [
        Interval(low_bytes=size, high_bytes=size) for size in (12 * KILO, 0, 3 * KILO)
    ]
    assert told.reclaimable.low_bytes == 15 * KILO
    assert [row.reclaimable for row in report(seen(*FOLDERS, storage=None)).disks] == [None] * 3


def test_the_same_folders_on_one_disk_have_one_row() -> None:
    both = disk("/", "/var/lib/docker", "/var/lib/containerd")
    told = report(seen(folder(150 * KILO, both), disk=both, other_disks=()))
    assert sums(told) == [(150 * KILO, True, 5 * KILO)] * 2


def test_a_folder_takes_no_less_than_what_lies_in_it() -> None:
    told = report(seen(FOLDERS[0], folder(29 * KILO, VOLUMES), FOLDERS[2]))
    assert sums(told) == [
        (20 * KILO, True, 4 * KILO), (30 * KILO, False, None), (120 * KILO, True, 21 * KILO), (170 * KILO, False, None),
    ]  # fmt: skip
    assert [one.text for one in told.warnings if one.about == "remainder"] == [
        "not known: not all that lies in /var/lib/docker/volumes could be measured"
    ]


def test_what_was_not_walked_in_full_is_at_least_that_much() -> None:
    told = report(seen(FOLDERS[0], FOLDERS[1], folder(120 * KILO, CONTAINERD, is_whole=False)))
    assert sums(told)[2:] == [(120 * KILO, False, None), (171 * KILO, False, None)]


def test_what_was_not_measured_is_unknown_on_its_disk_only() -> None:
    told = report(seen(FOLDERS[0], folder(None, VOLUMES), FOLDERS[2]))
    assert sums(told) == [
        (20 * KILO, True, 4 * KILO), (None, True, None), (120 * KILO, True, 21 * KILO), (None, True, None),
    ]  # fmt: skip


def test_what_cannot_be_sized_makes_the_remainder_of_its_disk_unknown() -> None:
    unread = (*PARTS[:4], part("volume:data", "volumes/data", None), PARTS[5])
    told = report(seen(*FOLDERS, parts=unread))
    assert [row.remainder_bytes for row in told.disks] == [4 * KILO, None, 21 * KILO]
    assert kinds(told.disks[1]) == {"volume": (0, None)}
    assert [one.about for one in told.warnings] == ["remainder"]


def test_lengths_do_not_tell_where_anything_lies() -> None:
    told = report(seen(*FOLDERS, storage=None))
    assert [(row.kinds, row.folder_bytes, row.remainder_bytes) for row in told.disks] == [
        (None, 20 * KILO, None), (None, 31 * KILO, None), (None, 120 * KILO, None),
    ]  # fmt: skip
    assert (told.folder_bytes, told.remainder_bytes) == (171 * KILO, None)


def test_a_scan_has_no_folders_and_yet_rows() -> None:
    told = report(seen())
    assert kinds(told.disks[1]) == {"volume": exactly(30 * KILO)}
    assert sums(told) == [(None, True, None)] * 4
    assert told.warnings == ()


@pytest.mark.parametrize("other", ["/srv/images/layer", "/var/lib/docker2/x", "/var/lib/containerd2/x"])
def test_what_lies_elsewhere_is_on_no_disk_of_the_engine(other: str) -> None:
    moved = (*PARTS[:4], part("volume:data", other, 30 * KILO), PARTS[5])
    told = report(seen(*FOLDERS, parts=moved))
    assert [row.remainder_bytes for row in told.disks] == [4 * KILO, 31 * KILO, 21 * KILO]
    assert [kinds(row).get("volume") for row in told.disks] == [None] * 3


def test_what_an_earlier_version_wrote_has_one_disk() -> None:
    before = Disk(total_bytes=100 * GIGA, free_bytes=40 * GIGA, total_inodes=None, free_inodes=None)
    told = report(seen(disk=before, other_disks=(), folder=EngineFolder(size_bytes=60 * KILO)))
    [row] = told.disks
    assert kinds(row) == {
        "container": exactly(5 * KILO), "volume": exactly(30 * KILO), "build-cache": exactly(11 * KILO),
    }  # fmt: skip
    assert sums(told) == [(60 * KILO, True, 14 * KILO)] * 2


def test_where_no_disk_can_be_seen_the_folder_is_told_all_the_same() -> None:
    told = report(seen(*FOLDERS, disk=None, other_disks=()))
    assert told.disks == ()
    assert (told.folder_bytes, told.remainder_bytes) == (171 * KILO, 26 * KILO)
