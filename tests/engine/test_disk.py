"""Reading an engine's disk: bolt databases, blocks of files, and whose folder it is."""

import contextlib
import errno
import os
import shutil
import struct
import threading
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.engine.disk.blocks import read_storage_from_disk
from dockersweep.engine.disk.bolt import BoltError, Bucket, read_bolt
from dockersweep.engine.disk.freed_space import freed_space_meter
from dockersweep.engine.disk.mounts import Mount, read_mounts
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.engine.disk.stores import find_stores
from dockersweep.engine.disk.walk import DiskBytes, MeasuredPlaces, TooLateError, measure
from dockersweep.model.inventory import Engine as SeenEngine
from dockersweep.model.inventory import Volume
from dockersweep.model.plan import Plan
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.engines.truth import settled
from tests.rig.examples import examples
from tests.rig.inventories import ENGINE, NOW, container, image, inventory, plan_of, volume
from tests.rig.own_folders import storage_on_disk
from tests.rig.running import dockersweep

PAGE = 4096
NOTHING_LISTED = ListedObjects((), (), (), ())


def bolt_file(path: Path, transaction: int = 2, magic: int = 0xED0CDAED, bucket: bytes = b"bucket") -> Path:
    """A database of one leaf page, which holds key=value and an inline bucket of that name with inner=1."""

    def meta(number: int, transaction: int) -> bytes:
        body = struct.pack("=IIIIQQQQQ", magic, 2, PAGE, 0, 3, 0, 2, 4, transaction)
        digest = 0xCBF29CE484222325
        for byte in body:
            digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
        return struct.pack("=QHHI", number, 4, 0, 0) + body + struct.pack("=Q", digest)

    def leaf(items: list[tuple[int, bytes, bytes]]) -> bytes:
        head, data = b"", b""
        for index, (flags, key, value) in enumerate(items):
            position = (len(items) - index) * 16 + len(data)
            head += struct.pack("=IIII", flags, position, len(key), len(value))
            data += key + value
        return struct.pack("=QHHI", 3, 2, len(items), 0) + head + data

    inner = struct.pack("=QQ", 0, 0) + leaf([(0, b"inner", b"1")])
    pages = [meta(0, transaction), meta(1, transaction - 1), b"", leaf([(1, bucket, inner), (0, b"key", b"value")])]
    path.write_bytes(b"".join(page.ljust(PAGE, b"\0") for page in pages))
    return path


def contents(bucket: Bucket) -> dict[bytes, object]:
    return {key: contents(value) if isinstance(value, Bucket) else value for key, value in bucket.items()}


def test_a_bolt_database_is_read(tmp_path: Path) -> None:
    root = read_bolt(bolt_file(tmp_path / "db"))
    assert contents(root) == {b"bucket": {b"inner": b"1"}, b"key": b"value"}
    assert root.values() == {b"key": b"value"}
    inner = root.bucket(b"bucket")
    assert inner is not None
    assert inner.values() == {b"inner": b"1"}
    assert root.bucket(b"bucket", b"nothing") is None


@pytest.mark.parametrize("magic", [0, 0xED0CDAEE])
def test_what_is_no_bolt_database_is_said(tmp_path: Path, magic: int) -> None:
    with pytest.raises(BoltError, match="is no bolt database"):
        read_bolt(bolt_file(tmp_path / "db", magic=magic))


@given(st.integers(0, 4 * PAGE - 1), st.binary(min_size=1, max_size=8))
@examples(200)
def test_a_damaged_bolt_database_ends_in_a_bolt_error_or_in_other_contents(
    tmp_path_factory: pytest.TempPathFactory, place: int, damage: bytes
) -> None:
    path = bolt_file(tmp_path_factory.mktemp("bolt") / "db")
    data = bytearray(path.read_bytes())
    data[place : place + len(damage)] = damage
    path.write_bytes(bytes(data[: 4 * PAGE]))
    with contextlib.suppress(BoltError):
        contents(read_bolt(path))


def assert_damaged(path: Path, data: bytearray, why: str = "") -> None:
    path.write_bytes(data)
    with pytest.raises(BoltError, match=f"is damaged{why}"):
        contents(read_bolt(path))


def test_a_bolt_database_with_a_bucket_beyond_its_end_is_damaged(tmp_path: Path) -> None:
    path = bolt_file(tmp_path / "db")
    data = bytearray(path.read_bytes())
    place = data.index(b"bucket") + len(b"bucket")
    data[place : place + 8] = b"\xff" * 8
    assert_damaged(path, data)


def test_a_bolt_database_that_leads_in_a_circle_is_damaged(tmp_path: Path) -> None:
    """With as many elements as a page can say, each of which leads back to it."""
    path = bolt_file(tmp_path / "db")
    data = bytearray(path.read_bytes())
    elements = struct.pack("=IIQ", 16, 0, 3) * ((PAGE - 16) // 16)
    data[3 * PAGE :] = struct.pack("=QHHI", 3, 1, len(elements) // 16, 0) + elements
    assert_damaged(path, data)


def test_a_bolt_database_may_be_as_deep_as_it_has_pages(tmp_path: Path) -> None:
    """A healthy one is a few pages deep; a damaged one must not take more than it has."""
    path = bolt_file(tmp_path / "db")
    data, deep = bytearray(path.read_bytes()), 5000
    leaf = data[3 * PAGE :]
    for number in range(3, 3 + deep):
        head = struct.pack("=QHHI", number, 1, 1, 0) + struct.pack("=IIQ", 16, 0, number + 1)
        data[number * PAGE :] = head.ljust(PAGE, b"\0")
    path.write_bytes(data + leaf)
    assert contents(read_bolt(path)) == {b"bucket": {b"inner": b"1"}, b"key": b"value"}


def test_a_bolt_database_whose_values_overlap_is_damaged(tmp_path: Path) -> None:
    """They could be as much as all memory, out of a file that is small."""
    path = bolt_file(tmp_path / "db")
    data = bytearray(path.read_bytes())
    elements = struct.pack("=IIII", 0, 16, 0, 2 * PAGE) * 200
    data[3 * PAGE :] = (struct.pack("=QHHI", 3, 2, 200, 0) + elements).ljust(4 * PAGE, b"x")
    assert_damaged(path, data, ": more is in it than it is large")


def test_a_walk_keeps_its_time_and_passes_over_what_is_mounted(tmp_path: Path) -> None:
    (tmp_path / "layer" / "mounted").mkdir(parents=True)
    (tmp_path / "layer" / "mounted" / "file").write_bytes(b"x" * 5000)
    with pytest.raises(TooLateError):
        measure([tmp_path / "layer"], deadline=0)
    whole = measure([tmp_path / "layer"])
    mount = Mount(str(tmp_path / "layer" / "mounted"), "tmpfs", "tmpfs")
    without = measure([tmp_path / "layer"], mounts={mount.point: mount})
    assert without == measure([tmp_path / "nothing", tmp_path / "layer"], mounts={mount.point: mount})
    assert without.high < whole.high


@pytest.mark.linux
def test_what_is_mounted_is_told() -> None:
    assert read_mounts()["/proc"].kind == "proc"


def counted(measured: DiskBytes) -> tuple[int, int, int]:
    return measured.low, measured.high, measured.inodes


def test_blocks_are_counted_with_holes_and_rounding_and_hard_links_once(tmp_path: Path) -> None:
    folder = tmp_path / "layer"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "small").write_bytes(b"x")
    with (folder / "sparse").open("wb") as sparse:
        sparse.truncate(10_000_000)
    (folder / "once").write_bytes(os.urandom(100_000))
    os.link(folder / "once", folder / "twice")
    os.symlink("/nowhere", folder / "link")
    told = measure([folder])
    expected = sum(
        os.lstat(one).st_blocks * 512 for one in (folder, folder / "deep", folder / "deep/small", folder / "once")
    )
    assert counted(told) == (expected, expected, 6)
    os.link(folder / "once", tmp_path / "elsewhere")
    blocks = os.lstat(folder / "once").st_blocks * 512
    assert counted(measure([folder])) == (expected - blocks, expected, 5)
    assert counted(measure([folder, tmp_path / "elsewhere"])) == (expected, expected, 6)
    assert measure([tmp_path / "gone", folder / "small" / "below-a-file"]) == DiskBytes(0, 0)


def engine_of(root: Path) -> SeenEngine:
    """Return an engine that has nothing yet in its folder."""
    for folder in ("layerdb/sha256", "layerdb/mounts", "imagedb/content/sha256"):
        (root / "image" / "overlay2" / folder).mkdir(parents=True)
    (root / "overlay2").mkdir()
    return msgspec.structs.replace(ENGINE, root_dir=str(root))


def test_another_engines_folder_is_not_believed(tmp_path: Path) -> None:
    local = engine_of(tmp_path)
    storage, unmeasured, *_ = storage_on_disk(local, NOTHING_LISTED)
    assert (storage, unmeasured) == (Storage(base="disk"), 0)
    (tmp_path / "engine-id").write_text("ANOTHER\n")
    with pytest.raises(UnreadableStorageError, match="belongs to another engine"):
        storage_on_disk(local, NOTHING_LISTED)
    (tmp_path / "engine-id").unlink()
    for listed in (ListedObjects((container("web"),), (), (), ()), ListedObjects((), (image("a"),), (), ())):
        with pytest.raises(UnreadableStorageError, match=r"belongs to another engine.* is only listed by the engine"):
            storage_on_disk(local, listed)
    config = tmp_path / "image/overlay2/imagedb/content/sha256" / ("a" * 64)
    config.write_text('{"rootfs": {"type": "layers", "diff_ids": []}}')
    with pytest.raises(UnreadableStorageError, match=r"belongs to another engine.* is only in the folder"):
        storage_on_disk(local, NOTHING_LISTED)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"endpoint": "tcp://box:2375"}, "on another machine"),
        ({"root_dir": None}, "on another machine"),
        ({"root_dir": "/nonexistent"}, "is not on this machine"),
        ({"root_dir": "/"}, "there is no overlay2 in it"),
    ],
)
def test_a_folder_that_cannot_be_read_is_said(changes: dict[str, str | None], why: str) -> None:
    with pytest.raises(UnreadableStorageError, match=why):
        storage_on_disk(msgspec.structs.replace(ENGINE, **changes), NOTHING_LISTED)


def test_a_driver_whose_layout_is_not_known_is_named(tmp_path: Path) -> None:
    engine = msgspec.structs.replace(ENGINE, root_dir=str(tmp_path))
    (tmp_path / "overlay2").mkdir()
    with pytest.raises(UnreadableStorageError, match="holds no images of overlay2"):
        storage_on_disk(engine, NOTHING_LISTED)
    (tmp_path / "btrfs").mkdir()
    with pytest.raises(UnreadableStorageError, match="storage driver btrfs is not known"):
        storage_on_disk(msgspec.structs.replace(engine, image_store="btrfs"), NOTHING_LISTED)


def test_only_the_folder_of_a_volume_is_measured_whatever_its_mount_point_says(tmp_path: Path) -> None:
    local = engine_of(tmp_path)
    odd = [
        msgspec.structs.replace(volume("data"), mountpoint=place)
        for place in ("/data", "/", "/etc/_data", None, "relative")
    ]
    nfs = volume("nfs", driver="nfs")
    storage, *_ = storage_on_disk(local, ListedObjects((), (), (*odd, nfs), ()))
    assert storage.parts == ()


def test_what_a_volume_mounts_by_its_options_is_not_looked_at(tmp_path: Path) -> None:
    local = engine_of(tmp_path)
    data = tmp_path / "volumes" / "data" / "_data"
    data.mkdir(parents=True)
    (data / "somewhere-else").write_bytes(b"x" * 1_000_000)
    (data.parent / "opts.json").write_text("{}")
    bound = msgspec.structs.replace(volume("data", options={"o": "bind"}), mountpoint=str(data))
    storage, *_ = storage_on_disk(local, ListedObjects((), (), (bound,), ()))
    assert [(part.id, part.folder) for part in storage.parts] == [("volume:data", "volumes/data")]
    assert 0 < (storage.parts[0].high_bytes or 0) < 100_000


def test_one_volume_that_cannot_be_read_is_unknown_and_the_rest_stands(tmp_path: Path) -> None:
    local = engine_of(tmp_path)
    volumes = []
    for name in ("dead", "fine"):
        (tmp_path / "volumes" / name / "_data").mkdir(parents=True)
        volumes.append(msgspec.structs.replace(volume(name), mountpoint=str(tmp_path / "volumes" / name / "_data")))

    def scandir(path: str) -> object:
        if "dead" in path:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return os_scandir(path)

    os_scandir = os.scandir
    with patch("os.scandir", scandir):
        storage, unmeasured, *_ = storage_on_disk(local, ListedObjects((), (), tuple(volumes), ()))
    assert unmeasured == 1
    assert [part.high_bytes is None for part in storage.parts] == [True, False]


def test_only_what_has_no_links_to_elsewhere_need_not_be_walked_again(tmp_path: Path) -> None:
    local = engine_of(tmp_path)
    volumes = []
    for name in ("linked", "whole"):
        folder = tmp_path / "volumes" / name / "_data"
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 100_000)
        volumes.append(msgspec.structs.replace(volume(name), mountpoint=str(folder)))
    os.link(tmp_path / "volumes/linked/_data/file", tmp_path / "link")
    volumes.append(msgspec.structs.replace(volumes[1], name="optional", options={"type": "nfs"}))
    reading = storage_on_disk(local, ListedObjects((), (), tuple(volumes), ()))
    whole = tmp_path / "volumes/whole"
    assert reading.measured == (MeasuredPlaces((str(whole),), measure([whole]).low),)


def test_a_left_over_of_a_failed_removal_keeps_nothing(tmp_path: Path) -> None:
    local = engine_of(tmp_path)
    layers = tmp_path / "image" / "overlay2" / "layerdb" / "sha256"
    for name in ("a" * 64, f"{'b' * 64}-123-removing"):
        (layers / name).mkdir(parents=True)
        (layers / name / "cache-id").write_text("c" * 64)
    storage, *_ = storage_on_disk(local, NOTHING_LISTED)
    assert [part.id for part in storage.parts] == [f"layer:sha256:{'a' * 64}"]
    (layers / ("a" * 64) / "cache-id").write_text("../../../etc")
    with pytest.raises(UnreadableStorageError, match="names no folder"):
        storage_on_disk(local, NOTHING_LISTED)


@pytest.mark.on_engines("docker-28.5-containerd")
def test_containerd_may_be_a_service_of_its_own(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    loaded = litter.image("app:1", layers={"one": 100_000})
    told = litter.engine.wire.call("GET", "/info")
    seen = msgspec.structs.replace(
        ENGINE, endpoint=engine.url, root_dir=str(engine.data_root), id=told["ID"], image_store="containerd"
    )
    # Its containerd collects what was removed before whenever it has the time, while we look and copy.
    engine.stop()
    listed = ListedObjects((), (msgspec.structs.replace(image("x"), id=loaded),), (), ())
    here, *_ = storage_on_disk(seen, listed)
    own, service = engine.data_root / "containerd" / "daemon", tmp_path / "service"
    # What is left there from before the service was set up tells of other images.
    shutil.copytree(own, service, symlinks=True)
    foreign = ListedObjects((), (msgspec.structs.replace(image("x"), id="sha256:" + "0" * 64),), (), ())
    with pytest.raises(UnreadableStorageError, match="the containerd that has the images was not found"):
        read_storage_from_disk(find_stores(seen, foreign, service), {}, 60)
    own.rename(own.with_name("elsewhere"))
    try:
        there, *_ = read_storage_from_disk(find_stores(seen, listed, service), {}, 60)
    finally:
        own.with_name("elsewhere").rename(own)
    assert {part.id for part in there.parts} == {part.id for part in here.parts}
    blobs = [part for part in there.parts if part.id.startswith("blob:")]
    assert all((part.folder or "").startswith(str(service)) for part in blobs)


def test_what_takes_too_long_is_unknown_and_what_is_known_is_not_measured_again(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"one": 100_000})
    made = litter.volume("data", size=50_000)
    told = litter.engine.wire.call("GET", f"/volumes/{made}")
    info = litter.engine.wire.call("GET", "/info")
    store = "containerd" if engine.kind.image_store == "containerd" else info["Driver"]
    seen = msgspec.structs.replace(
        ENGINE, endpoint=engine.url, root_dir=str(engine.data_root), id=info["ID"], image_store=store,
        flavour=engine.kind.flavour,
    )  # fmt: skip
    images = tuple(msgspec.structs.replace(image("x"), id=one["Id"]) for one in litter.engine.wire.images())
    listed = ListedObjects((), images, (msgspec.structs.replace(volume(made), mountpoint=told["Mountpoint"]),), ())
    first, unmeasured, *_ = storage_on_disk(seen, listed)
    assert unmeasured == 0
    sizes = {part.id: part.high_bytes for part in first.parts}
    assert 50_000 <= (sizes["volume:data"] or 0) <= 80_000
    late, unmeasured, *_ = storage_on_disk(seen, listed, {}, -1)
    assert unmeasured > 0
    assert {part.high_bytes for part in late.parts if part.id == "volume:data"} == {None}
    known = {part.id: part for part in first.parts if part.id.startswith("layer:")}
    lies = {one: msgspec.structs.replace(part, low_bytes=1, high_bytes=1) for one, part in known.items()}
    again, *_ = storage_on_disk(seen, listed, lies, 60)
    assert {part.high_bytes for part in again.parts if part.id.startswith("layer:")} <= {1}
    moved = {one: msgspec.structs.replace(part, folder="elsewhere") for one, part in lies.items()}
    anew, *_ = storage_on_disk(seen, listed, moved, 60)
    assert sorted(anew.parts, key=str) == sorted(first.parts, key=str)


def plan_for(*volumes: Volume) -> Plan:
    return plan_of(inventory(*volumes), policy_from_flags(PolicyFlags(named_volumes=True)), NOW)


def test_the_gauge_tells_what_is_gone_and_waits_for_what_goes_late(tmp_path: Path) -> None:
    for name in ("stays", "goes"):
        (tmp_path / name).mkdir()
    parts = tuple(Part(id=name, high_bytes=5, folder=name) for name in ("stays", "goes", "was-never"))
    here = msgspec.structs.replace(ENGINE, root_dir=str(tmp_path))
    meter = freed_space_meter(here, Storage(base="disk", parts=parts), plan_for())
    assert meter is not None
    timer = threading.Timer(0.3, (tmp_path / "goes").rmdir)
    timer.start()
    told = meter.measure({"goes", "was-never"})
    timer.join()
    assert told.gone == {"goes"}
    assert told.still_there == frozenset()
    assert told.volume_bytes is None
    assert meter.measure({"stays"}).still_there == {"stays"}
    assert freed_space_meter(ENGINE, Storage(base="lengths"), plan_for()) is None
    assert freed_space_meter(ENGINE, None, plan_for()) is None


def test_the_gauge_measures_volumes_once_more_and_together(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "file").write_bytes(os.urandom(100_000))
    os.link(tmp_path / "one" / "file", tmp_path / "two" / "link")
    # At the time of the scan there was less in them.
    parts = tuple(Part(id=f"volume:{name}", high_bytes=5, folder=name) for name in ("one", "two"))
    here = msgspec.structs.replace(ENGINE, root_dir=str(tmp_path))
    meter = freed_space_meter(here, Storage(base="disk", parts=parts), plan_for(volume("one"), volume("two")))
    expected = measure([tmp_path / "one", tmp_path / "two"])
    assert meter is not None
    shutil.rmtree(tmp_path / "one")
    assert meter.measure({"volume:one"}).volume_bytes is None
    shutil.rmtree(tmp_path / "two")
    told = meter.measure({"volume:one", "volume:two"})
    assert told.volumes == {"volume:one", "volume:two"}
    assert told.volume_bytes == expected.low
    assert expected.low == expected.high > 100_000


def sweep_foretells(engine: Engine, least_bytes: int) -> Any:
    """Remove one of two images that share a layer, where what comes back is foretold; return the outcome."""
    litter = Litter(engine)
    litter.image("base:1", layers={"base": 2_000_000})
    litter.image("app:1", layers={"base": 2_000_000, "app": 300_000})
    flags = ("--format", "json", "--all-images", "--older-than", "0s", "--keep-image", "base")
    before = settled(engine)
    outcome = dockersweep("sweep", "--yes", *flags, host=engine.url).json()
    freed = (before - settled(engine)).disk
    assert freed > least_bytes
    foretold = outcome["predicted"]
    assert abs(foretold["low_bytes"] - freed) <= 65_536
    assert foretold["low_bytes"] == foretold["high_bytes"] == outcome["reclaimed"]["measured_bytes"]
    return outcome


@pytest.mark.on_engines("docker-28.5")
def test_the_vfs_driver_copies_and_is_measured_as_it_is(engine: Engine) -> None:
    with Engine(engine.kind, options=("--storage-driver=vfs",)) as copying:
        sweep_foretells(copying, least_bytes=2_300_000)


@pytest.mark.on_engines("docker-28.5-containerd")
def test_with_remapped_users_the_engine_has_a_namespace_of_its_own(engine: Engine) -> None:
    with Engine(engine.kind, options=("--userns-remap=default",)) as remapped:
        assert sweep_foretells(remapped, least_bytes=600_000)["size_base"] == "disk"
