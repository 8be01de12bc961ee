"""Which disk a part of the storage lies on."""

import pytest
from msgspec.structs import replace

from dockersweep.model.disk import Disk, longest_place
from dockersweep.model.storage import Part
from dockersweep.policy.bytes.disks import regions_of, regions_of_parts
from tests.rig.inventories import inventory


def disk(*places: str) -> Disk:
    return Disk(total_bytes=10, free_bytes=5, total_inodes=None, free_inodes=None, places=places)


MAIN, VOLUMES, CONTAINERD = disk("/d", "/d/volumes/back"), disk("/d/volumes"), disk("/var/lib/containerd")
DISKS = (MAIN, VOLUMES, CONTAINERD)


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/d", 0),
        ("/d/overlay2/a", 0),
        ("/d/volumes", 1),
        ("/d/volumes/data/_data", 1),
        ("/d/volumes/back/data", 0),
        ("/d/volumes2/data", 0),
        ("/var/lib/containerd/x", 2),
        ("/elsewhere", None),
    ],
)
def test_the_longest_place_decides(path: str, number: int | None) -> None:
    places = [disk.places for disk in DISKS]
    assert longest_place(path, places) == number
    assert longest_place(path, [("/",), *places]) == (0 if number is None else number + 1)


def test_parts_lie_below_the_engines_folder_unless_they_say_otherwise() -> None:
    folders = ["overlay2/a", "volumes/data", "volumes/back/data", "/var/lib/containerd/snapshots/1", None, "/store/1"]
    parts = [Part(id=f"layer:{number}", high_bytes=1, folder=folder) for number, folder in enumerate(folders)]
    regions = regions_of(replace(inventory(), disk=MAIN, other_disks=DISKS[1:]))
    assert regions_of_parts(parts, regions, "/d") == [0, 1, 0, 2, 0, None]
