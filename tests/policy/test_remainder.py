"""What the remainder of the engine's folder is: told where it is large, folder by folder, and never more than it is."""

from typing import Any

import msgspec
import pytest

from dockersweep.model.disk import Disk
from dockersweep.model.engine_folder import (
    ArtifactStore,
    EngineFolder,
    FolderOnDisk,
    LeakedFolder,
    LeftStore,
    TopFolder,
)
from dockersweep.model.inventory import Inventory
from dockersweep.model.report import RemainderPart, Report
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.disk_report import Past
from dockersweep.policy.disk_report.remainder import is_large
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.report.disk.disks import remainder_sentences
from dockersweep.report.disk.layout import disk_layout
from dockersweep.report.disk.page.document import page as html_report
from dockersweep.report.formats import formatted
from tests.rig.inventories import ago, image, inventory, report_of, volume

MEGA = 1_000_000
ROOT = "/var/lib/docker"
DISK = Disk(
    total_bytes=10**12, free_bytes=10**11, total_inodes=None, free_inodes=None, used_bytes=10**11, mount_point="/",
    places=(ROOT,),
)  # fmt: skip
STORAGE = Storage(
    base="disk",
    parts=(
        Part(id="layer:a", low_bytes=40 * MEGA, high_bytes=40 * MEGA, folder="overlay2/a"),
        Part(id="image:sha256:new", needs=("layer:a",), high_bytes=0, folder="image/overlay2/imagedb/new"),
        Part(id="volume:data", low_bytes=MEGA, high_bytes=MEGA, folder="volumes/data"),
    ),
)


def seen(tops: dict[str, int], **fields: Any) -> Inventory:
    """An inventory of an image and a volume, with the sizes in MB of folders below the engine's."""
    every = {"": 0, "volumes": 1, **tops}
    tops_ = [TopFolder(path=f"{ROOT}/{name}".rstrip("/"), size_bytes=size * MEGA) for name, size in every.items()]
    measured = FolderOnDisk(places=(ROOT,), size_bytes=sum(every.values()) * MEGA, tops=tuple(tops_))
    folder = EngineFolder(size_bytes=measured.size_bytes, on_disks=(measured,), **fields)
    made = inventory(image("new", "app:1"), volume("data"))
    return msgspec.structs.replace(made, storage=STORAGE, disk=DISK, folder=folder)


def report(inventory_: Inventory) -> Report:
    return report_of(inventory_, DEFAULT_POLICY, Past(()))


def parts(inventory_: Inventory) -> dict[tuple[str, str], int]:
    """The parts in MB, by where and what they are."""
    [row] = report(inventory_).disks
    assert sum(part.size_bytes for part in row.remainder_parts) <= (row.remainder_bytes or 0)
    return {(part.path.removeprefix(ROOT), part.what): part.size_bytes // MEGA for part in row.remainder_parts}


def test_what_is_no_objects_is_told_by_folder() -> None:
    tops = {"": 15, "swarm": 123, "overlay2": 42, "volumes": 2, "buildkit": 3, "buildkit/content": 20, "odd": 9}
    assert parts(seen(tops)) == {
        ("/swarm", "raft log and snapshots of the swarm"): 123,
        ("/buildkit/content", "contents of the build cache"): 20,
        ("", "files directly in it, such as core dumps"): 15,
        ("/odd", ""): 9,
        ("/buildkit", "databases of the build cache"): 3,
        ("/overlay2", "layers that no listed object has"): 2,
    }


def test_what_nobody_owns_and_what_is_left_behind_are_told_apart() -> None:
    leak = LeakedFolder(
        kind="layer", path=f"{ROOT}/overlay2/x", size_bytes=30 * MEGA, changed_at=ago(days=9), why="unnamed"
    )
    young = msgspec.structs.replace(leak, path=f"{ROOT}/overlay2/y", changed_at=ago(minutes=9))
    left = LeftStore(folder="x", driver="containerd", size_bytes=None, places=(f"{ROOT}/containerd/daemon",))
    tops = {"overlay2": 40 + 30 + 5, "containerd/daemon/io.containerd.content.v1.content/blobs": 60}
    assert parts(seen(tops, leaks=(leak, young), left_stores=(left,))) == {
        ("/containerd/daemon/io.containerd.content.v1.content/blobs", "an image store left behind"): 60,
        ("/overlay2", "belongs to nobody"): 30,
        ("/overlay2", "layers that no listed object has"): 5,
    }


def test_what_an_object_has_in_another_folder_is_missing_there() -> None:
    # Of the layer, 12 MB are a log.
    told = parts(seen({"overlay2": 28, "tmp": 30, "image": 2, "containers": 11}))
    assert {path: size for (path, _), size in told.items()} == {"/tmp": 30, "/containers": 1}


def test_what_lies_on_a_second_disk_counts_there() -> None:
    made = seen({"overlay2": 40, "tmp": 30})
    assert made.folder is not None
    [first] = made.folder.on_disks
    place = f"{ROOT}/volumes"
    second = FolderOnDisk(
        places=(place,), size_bytes=26 * MEGA, tops=(TopFolder(path=place, size_bytes=26 * MEGA),)
    )  # fmt: skip
    first = msgspec.structs.replace(first, tops=tuple(one for one in first.tops if one.path != place))
    folder = msgspec.structs.replace(made.folder, on_disks=(first, second))
    disk = msgspec.structs.replace(DISK, mount_point=place, places=(place,))
    rows = report(msgspec.structs.replace(made, folder=folder, other_disks=(disk,))).disks
    found = [[(one.path.removeprefix(ROOT), one.size_bytes // MEGA) for one in row.remainder_parts] for row in rows]
    assert found == [[("/tmp", 30)], [("/volumes", 25)]]


def test_artifacts_are_no_remainder() -> None:
    artifacts = ArtifactStore(folder=f"{ROOT}/artifacts", size_bytes=30 * MEGA, artifacts=())
    told = parts(seen({"overlay2": 40, "artifacts": 30, "tmp": 20}, artifacts=artifacts))
    assert told == {("/tmp", "temporary files"): 20}


def test_containerds_folders_by_what_they_are() -> None:
    content = "containerd/daemon/io.containerd.content.v1.content"
    snapshots = "containerd/daemon/io.containerd.snapshotter.v1.overlayfs"
    assert parts(seen({"overlay2": 40, f"{content}/ingest": 20, f"{content}/blobs": 30, snapshots: 25})) == {
        (f"/{content}/blobs", "contents that no listed object has"): 30,
        (f"/{snapshots}", "snapshots that no listed object has"): 25,
        (f"/{content}/ingest", "downloads that have not ended"): 20,
    }


@pytest.mark.parametrize(
    ("remainder", "folder", "expected"),
    [
        (9 * MEGA, 9 * MEGA, False),
        (10 * MEGA, 100 * MEGA, True),
        (10 * MEGA, 101 * MEGA, False),
        (999 * MEGA, 20_000 * MEGA, False),
        (1000 * MEGA, 20_000 * MEGA, True),
        (None, 100 * MEGA, False),
        (100 * MEGA, None, False),
    ],
)
def test_a_small_remainder_is_not_opened(remainder: int | None, folder: int | None, expected: bool) -> None:
    assert is_large(remainder, folder) == expected


def test_without_a_measure_by_folder_nothing_is_told() -> None:
    whole = seen({"swarm": 123, "overlay2": 40})
    assert whole.folder is not None
    [on_disk] = whole.folder.on_disks
    bare = msgspec.structs.replace(whole.folder, on_disks=(msgspec.structs.replace(on_disk, tops=()),))
    assert parts(msgspec.structs.replace(whole, folder=bare)) == {}
    assert parts(seen({"swarm": 2, "overlay2": 40})) == {}


def test_every_form_says_it() -> None:
    told = report(seen({"swarm": 123, "overlay2": 40, "tmp": 20}))
    sentence = (
        "Remainder: 123 MB in /var/lib/docker/swarm (raft log and snapshots of the swarm) and 20.0 MB in "
        "/var/lib/docker/tmp (temporary files)."
    )
    assert remainder_sentences(told) == [sentence]
    assert sentence in " ".join(formatted(disk_layout(told, 80, with_bars=False), "table", 80).split())
    assert "raft log and snapshots" in formatted(disk_layout(told, None, with_bars=False), "markdown", None)
    assert sentence in html_report(told)
    few = report(seen({"swarm": 2, "overlay2": 40}))
    assert remainder_sentences(few) == []


def test_only_the_largest_are_shown() -> None:
    told = report(seen({"overlay2": 40, **{f"odd{number}": number for number in range(20, 29)}}))
    assert len(told.disks[0].remainder_parts) == 9
    assert told.disks[0].remainder_parts[0] == RemainderPart(path=f"{ROOT}/odd28", size_bytes=28 * MEGA, what="")
    [sentence] = remainder_sentences(told)
    assert sentence.count(" MB in ") == 6
