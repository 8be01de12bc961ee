"""Files of others: what is odd is refused, and never waited for."""

import ast
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import msgspec
import pytest

import dockersweep
from dockersweep import cli, files
from dockersweep.engine.api import concurrent
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.engine.disk.stores import Stores
from dockersweep.engine.reading.cache_limit import read_cache_limit
from dockersweep.engine.reading.container_logs import log_bytes
from dockersweep.errors import LedgerError
from dockersweep.files import OddFileError, read_configuration, read_inside, read_named
from dockersweep.ledger import FILE_NAME, Ledger
from dockersweep.ledger.reading import read_runs
from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Engine
from tests.engine.test_disk import bolt_file
from tests.rig.engines.engine import Engine as RealEngine
from tests.rig.engines.litter import Litter
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import fake_engine
from tests.rig.inventories import ENGINE, image
from tests.rig.own_folders import disks_of, folder_of, storage_on_disk
from tests.rig.running import dockersweep as run_dockersweep

NOTHING = ListedObjects((), (), (), ())
LIMIT = 1000
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def _socket(path: Path) -> None:
    # Its own path may be too long for the kernel.
    with chdir(path.parent), socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path.name)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "is a pipe"),
    "sparse": (_sparse, "is larger than"),
    "link": (lambda path: path.symlink_to("/etc/hostname"), "is a link"),
    "dangling link": (lambda path: path.symlink_to("/none"), "is a link"),
    "folder": (Path.mkdir, "is a directory"),
    "socket": (_socket, "is a socket"),
}
odd = pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, (make, _) in ODD.items()])


@pytest.mark.parametrize(("make", "words"), ODD.values(), ids=ODD)
def test_inside_an_engines_folder_only_plain_files_are_read(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    make(tmp_path / "odd")
    with pytest.raises(OddFileError) as raised:
        read_inside(tmp_path / "odd", LIMIT)
    assert words in (raised.value.strerror or "")
    assert raised.value.filename == str(tmp_path / "odd")
    (tmp_path / "plain").write_bytes(b"x" * LIMIT)
    assert read_inside(tmp_path / "plain", LIMIT) == b"x" * LIMIT


def test_a_device_is_no_plain_file() -> None:
    for read in (read_inside, read_configuration):
        with pytest.raises(OddFileError, match="is a device"):
            read("/dev/zero", LIMIT)
    with pytest.raises(OddFileError, match="is larger than 1000 bytes"):
        read_named("/dev/zero", LIMIT)


@pytest.mark.parametrize("name", ["pipe", "sparse", "folder", "socket"])
def test_a_configuration_must_be_a_plain_file_and_may_be_linked(tmp_path: Path, name: str) -> None:
    ODD[name][0](tmp_path / "odd")
    (tmp_path / "link").symlink_to("odd")
    for path in ("odd", "link"):
        with pytest.raises(OSError, match=r"is a pipe|is larger|is a directory|No such device"):
            read_configuration(tmp_path / path, LIMIT)
    (tmp_path / "plain").write_text("told")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("plain")
    assert read_configuration(tmp_path / "link", LIMIT) == b"told"


def test_our_own_links_between_folders_are_followed(tmp_path: Path) -> None:
    (tmp_path / "there" / "deep").mkdir(parents=True)
    (tmp_path / "there" / "deep" / "file").write_text("told")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "absolute").symlink_to(tmp_path / "there")
    (tmp_path / "here" / "relative").symlink_to("../there/deep/..")
    (tmp_path / "here" / "loop").symlink_to("loop")
    for name in ("absolute", "relative"):
        assert read_inside(tmp_path / "here" / name / "deep" / "file", LIMIT) == b"told"
    with pytest.raises(OSError, match="Not a directory"):
        read_inside(tmp_path / "here" / "loop" / "file", LIMIT)
    with pytest.raises(FileNotFoundError) as raised:
        read_inside(tmp_path / "here" / "none" / "file", LIMIT)
    assert raised.value.filename == str(tmp_path / "here" / "none" / "file")


@odd
def test_many_files_of_one_folder_are_read_like_single_ones(tmp_path: Path, make: Callable[[Path], object]) -> None:
    for name in ("one", "two"):
        (tmp_path / "folder" / name).mkdir(parents=True)
        (tmp_path / "folder" / name / "file").write_bytes(name.encode() * 100)
    (tmp_path / "folder" / "empty").touch()
    (tmp_path / "folder" / "linked").symlink_to("one")
    make(tmp_path / "folder" / "odd")
    with files.FolderInside(tmp_path / "folder") as folder:
        assert folder.read("one/file", LIMIT) == folder.read("linked/file", LIMIT) == b"one" * 100
        assert folder.read("empty", LIMIT) == b""
        for name in ("odd", "none", "none/file", "one/file/file", "loop/file"):
            with pytest.raises(OSError) as single:  # noqa: PT011
                read_inside(tmp_path / "folder" / name, LIMIT)
            with pytest.raises(OSError) as raised:  # noqa: PT011
                folder.read(name, LIMIT)
            assert (type(raised.value), str(raised.value)) == (type(single.value), str(single.value))
        with pytest.raises(OddFileError, match="is larger than 200 bytes"):
            folder.read("two/file", 200)
        (tmp_path / "folder").rename(tmp_path / "moved")
        assert folder.read("two/file", LIMIT) == b"two" * 100


@as_root
def test_a_link_of_another_user_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("told")
    (tmp_path / "link").symlink_to("there")
    assert read_inside(tmp_path / "link" / "file", LIMIT) == b"told"
    os.lchown(tmp_path / "link", 1234, 1234)
    with pytest.raises(OddFileError, match="behind a link of the user 1234"):
        read_inside(tmp_path / "link" / "file", LIMIT)
    os.chown(tmp_path / "there", 1234, 1234)
    assert read_inside(tmp_path / "there" / "file", LIMIT) == b"told"


def test_a_pipe_that_somebody_writes_to_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    def write() -> None:
        with (tmp_path / "pipe").open("wb", buffering=0) as file:
            for _ in range(2):
                time.sleep(0.1)
                file.write(b"told ")

    writer = threading.Thread(target=write)
    writer.start()
    assert read_named(tmp_path / "pipe", LIMIT) == b"told told "
    writer.join()


@pytest.mark.linux
def test_a_writer_that_has_not_begun_is_waited_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WRITER_SECONDS", 0.05)
    reading, writing = os.pipe()

    def write() -> None:
        time.sleep(0.2)
        os.write(writing, b"told")
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    assert read_named(f"/dev/fd/{reading}", LIMIT) == b"told"
    writer.join()
    os.close(reading)


def test_a_pipe_that_nobody_writes_to_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WRITER_SECONDS", 0.05)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OddFileError, match=r"is a pipe that nobody has written to for 0\.05 seconds"):
        read_named(tmp_path / "pipe", LIMIT)


STORES: dict[str, list[str]] = {
    "overlay2": [
        "engine-id",
        f"image/overlay2/imagedb/content/sha256/{'a' * 64}",
        f"image/overlay2/layerdb/sha256/{'b' * 64}/cache-id",
        f"image/overlay2/layerdb/sha256/{'b' * 64}/parent",
        f"image/overlay2/layerdb/mounts/{'c' * 64}/mount-id",
        "buildkit/metadata_v2.db",
        "buildkit/snapshots.db",
        "buildkit/containerdmeta.db",
    ],
    "containerd": [
        "engine-id",
        "containerd/daemon/io.containerd.metadata.v1.bolt/meta.db",
        "containerd/daemon/io.containerd.snapshotter.v1.overlayfs/metadata.db",
        "buildkit/containerd-overlayfs/metadata_v2.db",
    ],
    "overlay": [
        "overlay-layers/layers.json",
        "overlay-layers/volatile-layers.json",
        "overlay-images/images.json",
        "overlay-containers/containers.json",
        "overlay-containers/volatile-containers.json",
    ],
}


def engine_of(root: Path, store: str) -> Engine:
    """Make an engine's folder with one image, or none, in each kind of store."""
    for path in STORES[store]:
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith(".db"):
            bolt_file(place, bucket=b"v1")
        else:
            place.write_text({"engine-id": "ENGINE", "parent": f"sha256:{'d' * 64}"}.get(place.name, "[]"))
    for place in root.glob("image/overlay2/imagedb/content/sha256/*"):
        place.write_text('{"rootfs": {"diff_ids": []}}')
    for place in root.glob("image/overlay2/layerdb/*/*/*-id"):
        place.write_text("e" * 64)
    for folder in ("containers", "overlay", "overlay2"):
        (root / folder).mkdir(exist_ok=True)
    flavour = "podman" if store == "overlay" else "docker"
    return msgspec.structs.replace(ENGINE, root_dir=str(root), image_store=store, flavour=flavour)


def listed_in(store: str) -> ListedObjects:
    """Return what the engine of `engine_of` lists."""
    return ListedObjects((), (image("a" * 64),) if store == "overlay2" else (), (), ())


@odd
@pytest.mark.parametrize(("store", "path"), [(store, path) for store, paths in STORES.items() for path in paths])
def test_what_is_odd_in_an_engines_folder_makes_sizes_unknown(
    tmp_path: Path, store: str, path: str, make: Callable[[Path], object]
) -> None:
    engine, listed = engine_of(tmp_path, store), listed_in(store)
    assert storage_on_disk(engine, listed).unmeasured == 0
    (tmp_path / path).unlink()
    make(tmp_path / path)
    with pytest.raises(UnreadableStorageError, match="cannot be read") as raised:
        storage_on_disk(engine, listed)
    assert Path(path).name in str(raised.value)


@odd
def test_an_odd_id_tells_no_space_and_no_folder(tmp_path: Path, make: Callable[[Path], object]) -> None:
    engine, listed = engine_of(tmp_path, "overlay2"), listed_in("overlay2")
    assert disks_of(engine, listed) != ()
    assert folder_of(engine, listed)[0] is not None
    (tmp_path / "engine-id").unlink()
    make(tmp_path / "engine-id")
    assert disks_of(engine, listed) == ()
    told, (warning,) = folder_of(engine, listed)
    assert (told, "cannot be read: " in warning.text) == (None, True)


def test_odd_settings_and_logs_are_unknown(tmp_path: Path) -> None:
    disk = Disk(total_bytes=1 << 40, free_bytes=1 << 39, total_inodes=None, free_inodes=None)
    os.mkfifo(tmp_path / "daemon.json")
    limit, (warning,) = read_cache_limit(ENGINE, disk, tmp_path / "daemon.json")
    assert (limit, "is a pipe, not a plain file" in warning.text) == (None, True)
    (tmp_path / "log").write_text("12345")
    (tmp_path / "log.1").write_text("123")
    assert log_bytes("json-file", str(tmp_path / "log"), True) == 8
    (tmp_path / "log.2").symlink_to("/etc/hostname")
    assert log_bytes("json-file", str(tmp_path / "log"), True) is None


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
def test_a_pipe_in_the_place_of_a_ledger_is_not_waited_for(tmp_path: Path, ending: str) -> None:
    with Ledger(tmp_path):
        pass
    (tmp_path / f"{FILE_NAME}{ending}").unlink(missing_ok=True)
    os.mkfifo(tmp_path / f"{FILE_NAME}{ending}")
    with pytest.raises(LedgerError, match="is not a plain file"):
        read_runs(tmp_path, None)
    with Ledger(tmp_path) as memory:
        assert f"{FILE_NAME}{ending} is not a plain file; this run goes on without a ledger" in (memory.problem or "")
    assert sorted(os.listdir(tmp_path)) == sorted({FILE_NAME, f"{FILE_NAME}{ending}"})


def found(engine: Engine, listed: ListedObjects) -> Stores:
    """Return where an engine keeps its things, without a look."""
    return Stores(engine, listed, Path("/d"), True, Path("/d"), None, frozenset(), (), {})


@pytest.mark.parametrize(
    ("asks", "about_folder"),
    [
        (("reading.own_folders.find_stores",), "not measured: /d was not read within 1 seconds"),
        (
            ("reading.storage.read_storage_from_disk", "reading.own_folders.read_disks", "disk.folder.read_folder"),
            "not measured within 1 seconds",
        ),
    ],
    ids=["at once", "later"],
)
def test_a_disk_that_never_answers_counts_into_the_time_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asks: tuple[str, ...], about_folder: str
) -> None:
    """As one whose server is gone: whatever is asked of it waits for ever."""
    monkeypatch.setattr("dockersweep.engine.reading.own_folders.find_stores", found)
    for ask in (*asks, "reading.containers.log_bytes"):
        monkeypatch.setattr(f"dockersweep.engine.{ask}", lambda *_: threading.Event().wait())
    monkeypatch.setattr(concurrent, "GRACE_SECONDS", 0.0)
    began = time.monotonic()
    with fake_engine() as engine:
        with_containers(engine, "web")
        assert cli.main(["-H", engine.url, "report", "--format", "json", "--size-timeout", "1s"]) == 0
        told = json.loads(capsys.readouterr().out)
    assert time.monotonic() - began < 20
    assert (told["size_base"], told["not_from_disk"]) == ("lengths", "/d was not read within 1 seconds")
    assert {"about": "the engine's folder", "text": about_folder} in told["warnings"]
    assert [one["text"] for one in told["warnings"] if one["about"] == "container logs"] == [
        "of unknown size, because they cannot be read from here: those of web"
    ]


@pytest.mark.on_engines("docker-28.5", "docker-28.5-containerd")
@pytest.mark.parametrize("make", [os.mkfifo, _sparse], ids=["pipe", "sparse"])
def test_a_plan_does_not_wait_for_a_pipe_in_the_engines_folder(
    engine: RealEngine, litter: Litter, make: Callable[[Path], object]
) -> None:
    litter.image("app:1", layers={"one": 100_000})
    if engine.kind.image_store == "containerd":
        place = engine.data_root / "buildkit" / "containerd-overlayfs" / "metadata_v2.db"
    else:
        place = engine.data_root / "image/overlay2/imagedb/content/sha256" / ("f" * 64)
    aside = place.with_name("aside")
    if place.exists():
        place.rename(aside)
    make(place)
    try:
        began = time.monotonic()
        run = run_dockersweep("plan", "--all-images", "--format", "json", host=engine.url)
        assert time.monotonic() - began < 30
    finally:
        place.unlink()
        if aside.exists():
            aside.rename(place)
    assert run.status == 0, run.stderr
    assert run.json()["size_base"] == "lengths"
    told = ("is a pipe, not a plain file", "is larger than 16 MB, and read no further", "is no bolt database")
    assert any(words in run.json()["not_from_disk"] for words in told)
    again = run_dockersweep("plan", "--all-images", "--format", "json", host=engine.url)
    assert again.json()["size_base"] == "disk"


SWALLOWING = (
    *("exists", "lexists", "is_dir", "is_file", "is_symlink", "is_mount", "is_socket", "is_fifo", "is_junction"),
    *("is_block_device", "is_char_device", "isfile", "isdir", "islink", "ismount", "isjunction", "samefile"),
    *("glob", "rglob", "iglob"),
)


def used(*names: str) -> Iterator[tuple[str, str]]:
    """Yield which of these names the package has behind a dot, or imports from a module, each with the file."""
    package = Path(dockersweep.__file__).parent
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        # To parse all of it takes seconds.
        for node in ast.walk(ast.parse(text)) if any(name in text for name in names) else ():
            found = {node.attr} if isinstance(node, ast.Attribute) else set()
            if isinstance(node, ast.ImportFrom):
                found = {one.name for one in node.names}
            yield from ((str(path.relative_to(package)), name) for name in found.intersection(names))


def test_nothing_asks_in_a_way_that_takes_no_permission_for_not_there() -> None:
    """They answer False, or nothing, where a folder may not be searched: those of Path since Python 3.14."""
    assert list(used(*SWALLOWING)) == []


def test_a_walk_through_folders_says_what_it_cannot_read() -> None:
    """`os.walk` passes over it unless it is told what to do."""
    package = Path(dockersweep.__file__).parent
    walks = [
        {keyword.arg for keyword in node.keywords}
        for path, _ in set(used("walk"))
        for node in ast.walk(ast.parse((package / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "walk"
    ]
    assert walks
    assert all("onerror" in keywords for keywords in walks)


@pytest.mark.linux
@as_root
def test_a_plain_file_that_never_ends_is_not_waited_for() -> None:
    """/proc/kmsg gives what the kernel has said, and then waits for more."""
    read: list[bytes] = []
    reading = threading.Thread(target=lambda: read.append(read_configuration("/proc/kmsg", 1 << 26)), daemon=True)
    reading.start()
    reading.join(10)
    assert len(read) == 1


def test_files_are_opened_for_reading_where_the_rule_is() -> None:
    """What reads beside `dockersweep.files` reads what is ours: of /proc, and of the package; a folder is opened
    to ask its file system, or from within one that was opened by the rule; and a tar is made in memory."""
    reads = {path for path, _ in used("read_text", "read_bytes", "get_data")}
    reads |= {path for path, _ in used("open") if path.startswith("engine/")}
    assert reads == {
        "commands/policy_source.py",
        "engine/archiving/disk_layer.py",
        "engine/archiving/volume_containers.py",
        "engine/disk/freed_later.py",
        "engine/disk/processes.py",
        "engine/reading/engine_process.py",
        "engine/reading/own_container.py",
        "report/page/rendering.py",
        "report/completion_script.py",
        "warehouse/database.py",
        "warehouse/parquet.py",
    }
