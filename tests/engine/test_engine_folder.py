"""What only a report reads of an engine's folder and settings: what it takes, what is left there, and limits."""

import json
import os
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from dockersweep.engine.api.translate import container_from_details
from dockersweep.engine.api.wire import WireContainerDetails
from dockersweep.engine.disk import left_stores
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.walk import MeasuredPlaces, measure
from dockersweep.engine.reading.cache_limit import read_cache_limit
from dockersweep.engine.reading.container_logs import hidden_log_path
from dockersweep.model.disk import Disk
from dockersweep.model.engine_folder import LeftStore
from dockersweep.model.inventory import Engine
from tests.rig.containerd_store import Tree, Written
from tests.rig.engines.disks import Mounted, SmallDisk
from tests.rig.inventories import ENGINE, image
from tests.rig.own_folders import folder_of

NOTHING = ListedObjects((), (), (), ())
GIB = 1 << 30
MB = 1_000_000
DISK = Disk(total_bytes=100 * GIB, free_bytes=50 * GIB, total_inodes=None, free_inodes=None)


def engine_of(root: Path, **fields: Any) -> Engine:
    for entry in ("overlay2", "image/overlay2/imagedb/content/sha256", "containers"):
        (root / entry).mkdir(parents=True, exist_ok=True)
    (root / "engine-id").write_text("ENGINE")
    return msgspec.structs.replace(ENGINE, root_dir=str(root), **fields)


def test_the_folder_counts_blocks_and_hard_links_once(tmp_path: Path) -> None:
    root = tmp_path / "docker"
    engine = engine_of(root)
    empty = folder_of(engine, NOTHING)[0]
    (root / "file").write_bytes(os.urandom(1_000_000))
    os.link(root / "file", root / "overlay2" / "link")
    with (root / "hole").open("wb") as hole:
        hole.truncate(500_000_000)
    full, warnings = folder_of(engine, NOTHING)
    assert empty is not None
    assert empty.size_bytes is not None
    assert full is not None
    assert full.size_bytes is not None
    assert full.size_bytes - empty.size_bytes == (root / "file").stat().st_blocks * 512
    assert warnings == ()


def test_a_folder_behind_a_link_is_measured_where_it_is(tmp_path: Path) -> None:
    engine_of(tmp_path / "there")
    (tmp_path / "there" / "file").write_bytes(b"x" * 1_000_000)
    (tmp_path / "link").symlink_to(tmp_path / "there")
    told = folder_of(msgspec.structs.replace(ENGINE, root_dir=str(tmp_path / "link")), NOTHING)[0]
    assert told is not None
    assert (told.size_bytes or 0) > 1_000_000


def test_what_has_been_measured_is_not_walked_again(tmp_path: Path) -> None:
    root = tmp_path / "docker"
    engine = engine_of(root)
    part = MeasuredPlaces((str(root / "overlay2/layer"), str(root / "image/layer")), 7_000_000)
    empty = size_of(engine)
    for place in part.places:
        Path(place).mkdir()
        (Path(place) / "file").write_bytes(os.urandom(1_000_000))
    assert 2_000_000 <= size_of(engine) - empty < 3_000_000
    assert size_of(engine, part) == empty + 7_000_000
    gone = MeasuredPlaces((str(root / "overlay2/gone"),), 5_000_000)
    assert size_of(engine, part, gone) == empty + 7_000_000
    # What is found under the real names is not what was measured under others.
    (tmp_path / "link").symlink_to(root)
    linked = msgspec.structs.replace(engine, root_dir=str(tmp_path / "link"))
    assert size_of(linked, part) == size_of(engine)


@pytest.mark.programs
def test_what_lies_on_two_disks_is_walked_on_each(tmp_path: Path) -> None:
    root = tmp_path / "docker"
    disks = Mounted(tmp_path, root, (SmallDisk("overlay2"),), system_containerd=False)
    try:
        engine = engine_of(root)
        parts = (
            MeasuredPlaces((str(root / "overlay2/layer"), str(root / "image/layer")), 70_000_000),
            MeasuredPlaces((str(root / "overlay2/whole"), str(root / "overlay2/link")), 5_000_000),
        )
        for part in parts:
            Path(part.places[0]).mkdir(exist_ok=True)
        told = folder_of(engine, NOTHING, 60, parts)[0]
    finally:
        disks.close()
    assert told is not None
    first, second = (one.size_bytes or 0 for one in told.on_disks)
    assert first < 1_000_000
    assert 5_000_000 <= second < 6_000_000


def size_of(engine: Engine, *measured: MeasuredPlaces) -> int:
    told = folder_of(engine, NOTHING, 60, measured)[0]
    assert told is not None
    assert told.size_bytes is not None
    return told.size_bytes


def test_what_cannot_be_measured_is_named(tmp_path: Path) -> None:
    engine = engine_of(tmp_path)
    cases: list[tuple[Engine, ListedObjects, float, str]] = [
        (msgspec.structs.replace(engine, endpoint="tcp://box:2375"), NOTHING, 60, "the engine is on another machine"),
        (msgspec.structs.replace(engine, root_dir="/nowhere"), NOTHING, 60, "/nowhere is not on this machine"),
        (msgspec.structs.replace(engine, id="OTHER"), NOTHING, 60, "belongs to another engine (ENGINE)"),
        (engine, ListedObjects((), (image("1" * 64),), (), ()), 60, "belongs to another engine, or things come and go"),
        (engine, NOTHING, -1, "not measured within -1 seconds"),
    ]
    for one, listed, seconds, message in cases:
        told, (warning,) = folder_of(one, listed, seconds)
        assert (told.size_bytes if told else None) is None
        assert warning.about == "the engine's folder"
        assert message in warning.text


def test_datasets_of_zfs_are_not_in_the_folder(tmp_path: Path) -> None:
    told = [folder_of(engine_of(tmp_path, image_store=store), NOTHING)[0] for store in ("overlay2", "zfs")]
    assert [[one.is_whole for one in folder.on_disks] for folder in told if folder] == [[True], [False]]


def test_a_store_that_is_left_behind_has_layers_or_snapshots(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, image_store="containerd")
    assert told_stores(engine) == []
    (tmp_path / "image/overlay2/layerdb/sha256/abc").mkdir(parents=True)
    (tmp_path / "overlay2/layer").write_bytes(b"x" * 1_000_000)
    assert told_stores(engine) == [("overlay2", str(tmp_path / "overlay2"))]
    back = msgspec.structs.replace(engine, image_store="overlay2")
    assert told_stores(back) == []
    snapshots = tmp_path / "containerd/daemon/io.containerd.snapshotter.v1.overlayfs"
    (snapshots / "snapshots" / "1").mkdir(parents=True)
    assert told_stores(back) == [("containerd", str(tmp_path / "containerd/daemon"))]
    assert told_stores(engine) == [("overlay2", str(tmp_path / "overlay2"))]
    assert (left_store(engine).size_bytes or 0) > 1_000_000


def test_all_that_is_a_left_stores_own_is_told(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, image_store="containerd")
    (tmp_path / "image/overlay2/layerdb/sha256/abc").mkdir(parents=True)
    cache = {"cache.db", "containerdmeta.db", "content/", "history.db", "metadata_v2.db", "snapshots.db"}
    of_containerd = {"containerd-overlayfs/", "containerd-native/", "history_c8d.db"}
    for name in (*cache, *of_containerd, "executor/"):
        place = tmp_path / "buildkit" / name
        place.parent.mkdir(exist_ok=True)
        place.mkdir() if name.endswith("/") else place.touch()
    names = {f"buildkit/{name.rstrip('/')}" for name in cache}
    assert places(engine, tmp_path) == {"overlay2", "image/overlay2", *names}
    # The build cache is that of whichever driver is in use.
    assert places(msgspec.structs.replace(engine, image_store="vfs"), tmp_path) == {"overlay2", "image/overlay2"}
    (tmp_path / "overlay2").rmdir()
    assert places(engine, tmp_path) == {"image/overlay2", *names}
    shutil.rmtree(tmp_path / "image/overlay2/layerdb")
    (tmp_path / "containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots/1").mkdir(parents=True)
    names = {f"buildkit/{name.rstrip('/')}" for name in of_containerd}
    assert places(msgspec.structs.replace(engine, image_store="overlay2"), tmp_path) == {"containerd/daemon", *names}


@pytest.mark.parametrize(
    ("others", "are_there"),
    [
        ({"images": {"app:1": {}}}, False),
        ({"content": {"blob": {"sha256:1": {}}}}, False),
        ({"snapshots": {"native": {"1": {}}}}, False),
        ({"containers": {"plugin": {"image": ""}}, "snapshots": {"overlayfs": {}}}, True),
    ],
)
def test_a_containerd_that_somebody_else_uses_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: Tree, are_there: bool
) -> None:
    """The fix is to remove all of it. The engine's plugins have a namespace of their own, and nothing in it but what
    runs; BuildKit has one for the history of builds."""
    engine = engine_of(tmp_path, image_store="overlay2")
    (tmp_path / "containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots/1").mkdir(parents=True)
    database = tmp_path / "containerd/daemon/io.containerd.metadata.v1.bolt/meta.db"
    database.parent.mkdir()
    database.touch()
    history: Tree = {"content": {"blob": {"sha256:2": {}}}}
    namespaces = {"moby": {"images": {"app:1": {}}}, "moby_history": history, "others": others}
    monkeypatch.setattr(left_stores, "read_bolt", lambda path: Written({"v1": namespaces}))
    assert bool(told_stores(engine)) is are_there


def test_a_store_that_is_left_behind_is_walked_once(tmp_path: Path) -> None:
    """What it takes is told among what lies in the folder all the same."""
    engine = engine_of(tmp_path, image_store="containerd")
    (tmp_path / "image/overlay2/layerdb/sha256/abc").mkdir(parents=True)
    (tmp_path / "overlay2/layer").mkdir()
    (tmp_path / "overlay2/layer/file").write_bytes(os.urandom(3_000_000))
    (tmp_path / "other").write_bytes(os.urandom(1_000_000))
    walked: list[str] = []

    def scandir(place: str) -> object:
        walked.append(place)
        return os_scandir(place)

    os_scandir = os.scandir
    with patch("dockersweep.engine.disk.walk.os.scandir", scandir):
        told, _ = folder_of(engine, NOTHING)
    assert walked.count(str(tmp_path / "overlay2/layer")) == 1
    assert told is not None
    [on_disk] = told.on_disks
    sizes = {top.path: top.size_bytes for top in on_disk.tops}
    assert sizes[str(tmp_path / "overlay2")] // MB == 3
    assert sum(sizes.values()) == on_disk.size_bytes == measure([tmp_path]).high


def test_a_damaged_database_of_containerd_tells_of_no_store(tmp_path: Path) -> None:
    database = tmp_path / "containerd/daemon/io.containerd.metadata.v1.bolt/meta.db"
    database.parent.mkdir(parents=True)
    for data in (b"damaged", b""):
        database.write_bytes(data)
        assert told_stores(engine_of(tmp_path, image_store="overlay2")) == []
    database.unlink()
    os.mkfifo(database)
    assert told_stores(engine_of(tmp_path, image_store="overlay2")) == []


def left_store(engine: Engine) -> LeftStore:
    told = folder_of(engine, NOTHING)[0]
    assert told is not None
    [store] = told.left_stores
    return store


def places(engine: Engine, root: Path) -> set[str]:
    return {str(Path(place).relative_to(root)) for place in left_store(engine).places}


def told_stores(engine: Engine) -> list[tuple[str, str]]:
    told = folder_of(engine, NOTHING)[0]
    assert told is not None
    return [(one.driver, one.folder) for one in told.left_stores]


def limit(settings: object, tmp_path: Path, version: str = "28.5.2", **fields: Any) -> tuple[int | None, str] | None:
    place = tmp_path / "daemon.json"
    if settings is not None:
        place.write_text(settings if isinstance(settings, str) else json.dumps(settings))
    engine = msgspec.structs.replace(ENGINE, version=version, **fields)
    told = read_cache_limit(engine, DISK, place)[0]
    return None if told is None else (told.size_bytes, told.source.replace(str(place), "FILE"))


def collect(**fields: Any) -> dict[str, Any]:
    return {"builder": {"gc": fields}}


@pytest.mark.parametrize(
    ("settings", "version", "expected"),
    [
        (None, "28.5.2", (81_000_000_000, "the default of Docker 28.5.2")),
        ({}, "29.0.1", (81_000_000_000, "the default of Docker 29.0.1")),
        (None, "28.1.1", None),
        (None, "26.1.5", (None, "the default of Docker 26.1.5")),
        (None, "20.10.24+dfsg1", (None, "the default of Docker 20.10.24+dfsg1")),
        (None, "dev", None),
        (collect(enabled=True), "26.1.5", (11_000_000_000, "FILE")),
        (collect(enabled=True, defaultKeepStorage="20GB"), "26.1.5", (20 * GIB, "FILE")),
        (collect(enabled=False), "28.5.2", (None, "FILE")),
        (collect(defaultMaxUsedSpace="30GB"), "28.5.2", (30 * GIB, "FILE")),
        (collect(enabled=True), "28.5.2", (81_000_000_000, "FILE")),
        # Where one of the three is set the others have no default.
        (collect(defaultReservedSpace="30GB"), "28.5.2", (30 * GIB, "FILE")),
        (collect(defaultKeepStorage="30GB"), "29.7.2", (30 * GIB, "FILE")),
        (collect(defaultReservedSpace="30GB", defaultMaxUsedSpace="20GB"), "29.7.2", (30 * GIB, "FILE")),
        (collect(defaultReservedSpace="30GB", defaultMinFreeSpace="5GB"), "29.7.2", None),
        (collect(defaultMinFreeSpace="5GB"), "28.5.2", None),
        (collect(defaultMinFreeSpace="5GB", defaultMaxUsedSpace="20GB"), "29.7.2", (20 * GIB, "FILE")),
        (collect(defaultKeepStorage="30GB"), "26.1.5", (None, "FILE")),
        (
            collect(
                enabled=True,
                policy=[
                    {"keepStorage": "99GB", "filter": ["unused-for=1h"]},
                    {"keepStorage": "5GB"},
                    {"keepStorage": "10GB", "all": True},
                ],
            ),
            "26.1.5",
            (10 * GIB, "FILE"),
        ),
        (collect(enabled=True, policy=[{"keepStorage": "1GB", "filter": ["a"]}]), "28.5.2", (None, "FILE")),
        ({"data-root": "/elsewhere", **collect(enabled=False)}, "28.5.2",
         (81_000_000_000, "the default of Docker 28.5.2")),
        ({"data-root": "/var/lib/docker", "log-driver": "local"}, "28.5.2",
         (81_000_000_000, "the default of Docker 28.5.2")),
    ],
)  # fmt: skip
def test_the_limit_of_the_cache_is_that_of_the_settings_else_the_default(
    tmp_path: Path, settings: object, version: str, expected: tuple[int | None, str] | None
) -> None:
    assert limit(settings, tmp_path, version) == expected


def test_settings_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    place = tmp_path / "daemon.json"
    for text in ("{", "[]", '{"builder": 3}'):
        place.write_text(text)
        told, (warning,) = read_cache_limit(ENGINE, DISK, place)
        assert told is None
        assert warning.text.startswith(f"unknown: {place} cannot be read")


def test_from_afar_and_of_podman_no_limit_is_known(tmp_path: Path) -> None:
    assert limit(None, tmp_path, endpoint="tcp://box:1") is None
    assert limit(None, tmp_path, flavour="podman") is None
    assert read_cache_limit(ENGINE, None, tmp_path / "none") == (None, ())


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"Type": "json-file", "Config": {}}, False),
        ({"Type": "json-file", "Config": {"max-size": "10m"}}, True),
        ({"Type": "json-file", "Config": {"max-size": "-1"}}, False),
        ({"Type": "json-file", "Config": None}, None),
        ({"Type": "local", "Config": {}}, True),
        ({"Type": "local", "Config": {"max-size": "-1"}}, False),
        ({"Type": "journald", "Config": {}}, None),
    ],
)
def test_whether_a_log_is_limited(told: dict[str, Any], expected: bool | None) -> None:
    body = {"Id": "1", "Name": "/a", "State": {}, "RestartCount": 3, "HostConfig": {"LogConfig": told}}
    seen = container_from_details(msgspec.convert(body, WireContainerDetails), is_podman=False)
    assert (seen.log_is_limited, seen.restart_count) == (expected, 3)


def test_only_the_local_driver_hides_its_log() -> None:
    assert hidden_log_path("local", "ab", "/d") == "/d/containers/ab/local-logs/container.log"
    assert hidden_log_path("json-file", "ab", "/d") is None
    assert hidden_log_path("local", "ab", None) is None


def test_a_folder_is_told_by_folder_but_not_by_layer_or_volume(tmp_path: Path) -> None:
    root = tmp_path / "docker"
    engine = engine_of(root)
    content = "containerd/daemon/io.containerd.content.v1.content"
    for name in (
        "overlay2/a/diff",
        "volumes/data/_data",
        "swarm/raft",
        f"{content}/ingest/x",
        f"{content}/blobs/sha256",
    ):
        (root / name).mkdir(parents=True)
    (root / "swarm/raft/wal").write_bytes(os.urandom(3_000_000))
    (root / "core.1").write_bytes(os.urandom(2_000_000))
    (tmp_path / "link").symlink_to(root)
    for place in (root, tmp_path / "link"):
        told = folder_of(msgspec.structs.replace(engine, root_dir=str(place)), NOTHING)[0]
        assert told is not None
        [on_disk] = told.on_disks
        sizes = {top.path.removeprefix(f"{place}"): top.size_bytes for top in on_disk.tops}
        assert sum(sizes.values()) == on_disk.size_bytes
        assert (sizes["/swarm"] // MB, sizes[""] // MB) == (3, 2)
        assert {f"/{content}/ingest", f"/{content}/blobs", "/overlay2", "/volumes", "/containers"} <= sizes.keys()
        assert not [path for path in sizes if path.startswith(("/overlay2/", "/volumes/", f"/{content}/blobs/"))]
