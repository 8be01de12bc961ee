"""Which disks objects lie on: those of all that they depend on, and no others."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Inventory, Object
from dockersweep.model.naming import ref_of
from dockersweep.model.storage import Part
from dockersweep.policy.bytes.on_disks import OnDisks
from dockersweep.policy.judging.survey import Survey
from tests.policy.test_reclaim import stored
from tests.rig.inventories import NOW, container, image, inventory, record, volume

MAIN, VOLUMES, CONTAINERD = "/var/lib/docker", "/var/lib/docker/volumes", "/var/lib/containerd"


def disk(place: str) -> Disk:
    return Disk(total_bytes=1000, free_bytes=9, total_inodes=None, free_inodes=None, mount_point=place, places=(place,))


def lying(seen: Inventory, *others: str) -> Inventory:
    return replace(seen, disk=disk(MAIN), other_disks=tuple(map(disk, others)))


def part(name: str, *needs: str, folder: str | None, size: int | None = 10) -> Part:
    return Part(id=name, needs=needs, low_bytes=size or 0, high_bytes=size, folder=folder)


SNAPSHOT = f"{CONTAINERD}/io.containerd.snapshotter.v1.overlayfs/snapshots/1"
APP, DATA, JOB, STEP = image("app", "app:1"), volume("data"), container("job", image="sha256:app"), record("step")
ON_THREE = lying(
    stored(
        APP,
        DATA,
        JOB,
        STEP,
        parts=[
            part("image:sha256:app", "snapshot:app", folder=None, size=0),
            part("snapshot:app", folder=SNAPSHOT, size=30),
            part("container:job", "snapshot:job", folder="containers/job", size=5),
            part("snapshot:job", "snapshot:app", folder=SNAPSHOT),
            part("build-cache:step", "snapshot:app", folder=None, size=0),
            part("volume:data", folder="volumes/data", size=7),
        ],
    ),
    VOLUMES,
    CONTAINERD,
)


def where(seen: Inventory, item: Object) -> list[int]:
    on_disks = OnDisks(seen, Survey(seen, NOW).layer_graph)
    return [disk for disk in range(len(seen.disks)) if on_disks.has(ref_of(item), disk)]


@pytest.mark.parametrize(("item", "disks"), [(APP, [2]), (DATA, [1]), (JOB, [0, 2]), (STEP, [2])])
def test_an_object_lies_where_anything_does_that_it_stands_on(item: Object, disks: Sequence[int]) -> None:
    assert where(ON_THREE, item) == disks


def test_kinds_lie_where_their_objects_do() -> None:
    on_disks = OnDisks(ON_THREE, Survey(ON_THREE, NOW).layer_graph)
    assert on_disks.of_kinds(["image", "build-cache"]) == (2,)
    assert on_disks.of_kinds(["volume", "image"]) == (1, 2)
    assert on_disks.of_kinds(["container"]) == (0, 2)
    assert on_disks.of_kinds(["network"]) == (0,)


def test_what_describes_an_image_is_not_where_it_lies() -> None:
    # Docker's image/ is below the data root, of which overlay2 may be a disk of its own.
    seen = lying(
        stored(
            APP,
            parts=[
                part("image:sha256:app", "layer:a", folder="image/overlay2/imagedb/content/sha256/app"),
                part("layer:a", folder="overlay2/a"),
            ],
        ),
        f"{MAIN}/overlay2",
    )
    assert where(seen, APP) == [1]


def test_where_the_disk_was_not_read_a_volume_lies_at_its_mount_point() -> None:
    seen = lying(inventory(APP, DATA, volume("far", driver="nfs")), VOLUMES)
    assert (where(seen, DATA), where(seen, APP), where(seen, volume("far", driver="nfs"))) == ([1], [0], [0])


def test_what_the_engine_holds_is_told_by_disk() -> None:
    for seen in (ON_THREE, lying(inventory(replace(APP, size_bytes=30), replace(DATA, size_bytes=7)), VOLUMES)):
        survey = Survey(seen, NOW)
        held = [survey.totals.held_on(disk, survey.on_disks) for disk in range(len(seen.disks))]
        assert held == ([5, 7, 40] if seen is ON_THREE else [30, 7])
        assert sum(one or 0 for one in held) == survey.totals.held_bytes


def test_what_is_not_known_on_one_disk_is_known_on_the_others() -> None:
    lost = replace(ON_THREE, storage=None, volumes=(replace(DATA, size_bytes=None),), images=(APP,), containers=())
    survey = Survey(replace(lost, build_cache=()), NOW)
    assert [survey.totals.held_on(disk, survey.on_disks) for disk in (0, 1)] == [100, None]


def test_damaged_storage_that_stands_on_itself_ends() -> None:
    seen = lying(
        stored(DATA, parts=[part("volume:data", "layer:x", folder=None), part("layer:x", "volume:data", folder=None)]),
        VOLUMES,
    )
    assert where(seen, DATA) == [0]
