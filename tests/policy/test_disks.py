"""Which disk a part of the storage lies on."""

import pytest

from dockersweep.model.disk import Disk, lies_on
from dockersweep.model.storage import Part
from dockersweep.policy.bytes.disks import disks_of_parts


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
        ("/elsewhere", 0),
    ],
)
def test_the_longest_place_decides(path: str, number: int) -> None:
    assert lies_on(path, DISKS) == number
    assert lies_on(path, (disk("/"), *DISKS)) == number + (0 if path == "/elsewhere" else 1)


def test_parts_lie_below_the_engines_folder_unless_they_say_otherwise() -> None:
    folders = ["overlay2/a", "volumes/data", "volumes/back/data", "/var/lib/containerd/snapshots/1", None]
    parts = [Part(id=f"layer:{number}", high_bytes=1, folder=folder) for number, folder in enumerate(folders)]
    assert disks_of_parts(parts, DISKS, "/d") == [0, 1, 0, 2, 0]
    assert disks_of_parts(parts, (MAIN,), "/d") == [0] * 5
    assert disks_of_parts(parts, (), None) == [0] * 5
