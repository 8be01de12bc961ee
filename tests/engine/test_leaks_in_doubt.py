"""Where it cannot be told for certain what nobody owns, nothing is called a leak."""

from pathlib import Path

import msgspec
import pytest

from dockersweep.engine.disk import mounts, stores
from dockersweep.engine.disk.leaks import RunRoot
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.errors import EngineError
from dockersweep.model.inventory import Engine, Mount
from dockersweep.model.storage import Part, Storage
from tests.rig.inventories import ENGINE, container
from tests.rig.own_folders import leaks_of

NOTHING = ListedObjects((), (), (), ())
ON_DISK = Storage(base="disk")
ID = "ab" * 32


def engine_of(root: Path) -> Engine:
    """An engine with a layer folder, the folder of a volume and that of a container which nothing names."""
    layers = root / "image/overlay2/layerdb"
    for folder in (
        f"overlay2/{ID}/diff",
        "volumes/data/_data",
        f"containers/{ID}",
        "image/overlay2/imagedb/content/sha256",
    ):
        (root / folder).mkdir(parents=True)
    (layers / "mounts").mkdir(parents=True)
    (root / "engine-id").write_text("ENGINE")
    return msgspec.structs.replace(ENGINE, root_dir=str(root))


def told(engine: Engine, listed: ListedObjects = NOTHING, storage: Storage = ON_DISK, seconds: float = 60) -> list[str]:
    """What is a leak, as paths below the folder."""
    leaks, warnings = leaks_of(engine, listed, storage, seconds)
    assert warnings == ()
    return [one.path.removeprefix(f"{engine.root_dir}/") for one in leaks]


def test_what_nothing_names(tmp_path: Path) -> None:
    engine = engine_of(tmp_path)
    # Docker makes the database of volumes with its first start.
    assert told(engine) == [f"overlay2/{ID}", f"containers/{ID}"]
    listed = ListedObjects((container(ID, "created"),), (), (), ())
    assert f"containers/{ID}" not in told(engine, listed)
    parts = (Part(id=f"layer:{ID}", high_bytes=1, folder=f"overlay2/{ID}"),)
    assert told(engine, storage=Storage(base="disk", parts=parts)) == [f"containers/{ID}"]
    parts = (Part(id=f"container:{ID}", high_bytes=1, needs=("layer:x",)),)
    assert told(engine, storage=Storage(base="disk", parts=parts)) == [f"overlay2/{ID}"]


@pytest.mark.parametrize("place", ["layerdb/mounts/c/mount-id", "layerdb/mounts/c-host/team/app:1/init-id"])
def test_a_mount_names_its_folder_however_deep_it_lies(tmp_path: Path, place: str) -> None:
    engine = engine_of(tmp_path)
    file = tmp_path / "image/overlay2" / place
    file.parent.mkdir(parents=True)
    file.write_text(ID)
    assert told(engine) == [f"containers/{ID}"]


@pytest.mark.parametrize("name", ["buildkit/snapshots.db", "volumes/metadata.db", "image/overlay2/layerdb/sha256"])
def test_metadata_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    engine = engine_of(tmp_path)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"not a database")
    leaks, (warning,) = leaks_of(engine, NOTHING, ON_DISK)
    assert leaks == ()
    assert (warning.about, warning.text[:16]) == ("what nobody owns", "not looked for: ")
    assert str(tmp_path / name) in warning.text


@pytest.mark.parametrize("driver", ["overlayfs", "native"])
def test_containers_of_a_containerd_store_that_is_left(tmp_path: Path, driver: str) -> None:
    """Whichever snapshotter it had."""
    engine = engine_of(tmp_path)
    (tmp_path / f"containers/{ID}/config.v2.json").write_text(f'{{"Driver": "{driver}"}}')
    assert f"containers/{ID}" in told(engine)
    for name, below in (("overlayfs", "snapshots/1"), ("native", "snapshots"), ("btrfs", "")):
        (tmp_path / "containerd/daemon" / f"io.containerd.snapshotter.v1.{name}" / below).mkdir(parents=True)
    assert f"containers/{ID}" not in told(engine)


def test_where_all_folders_are_known_no_metadata_are_read(tmp_path: Path) -> None:
    """A container has two: what it began with is named for its layer."""
    engine = engine_of(tmp_path)
    (tmp_path / f"overlay2/{ID}-init/diff").mkdir(parents=True)
    (tmp_path / "image/overlay2/layerdb/sha256").write_bytes(b"no folder")
    parts = (Part(id=f"container:{ID}", high_bytes=1, needs=("layer:x",), folder=f"overlay2/{ID}"),)
    assert told(engine, storage=Storage(base="disk", parts=parts)) == []
    _, (warning,) = leaks_of(engine, NOTHING, ON_DISK)
    assert "layerdb/sha256" in warning.text


def test_a_folder_that_may_not_be_the_engines(tmp_path: Path) -> None:
    engine = engine_of(tmp_path)
    assert told(engine, storage=Storage(base="lengths", not_from_disk="it was not to be walked")) == []
    (tmp_path / "engine-id").write_text("OTHER")
    assert told(engine) == []


def test_what_is_mounted_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of a volume that somebody put there from a backup and mounts by its path, say."""
    engine = engine_of(tmp_path)
    place = f"{tmp_path}/overlay2/{ID}"
    mounting = msgspec.structs.replace(
        container("cd" * 32, "exited"), mounts=(Mount(type="bind", volume=None, source=f"{place}/diff/data"),)
    )
    (tmp_path / "containers" / mounting.id).mkdir()
    assert told(engine, ListedObjects((mounting,), (), (), ())) == [f"containers/{ID}"]
    (tmp_path / "containers" / mounting.id).rmdir()
    point = f"{tmp_path}/containers/{ID}/mounts/shm"
    monkeypatch.setattr(stores, "read_mounts", lambda: {point: mounts.Mount(point, "shm", "tmpfs")})
    assert told(engine) == [f"overlay2/{ID}"]


def podman_in(root: Path) -> Engine:
    """A Podman engine with a layer and a container in its storage that none of the lists there names."""
    for folder in (f"overlay/{ID}/diff", f"overlay-containers/{ID}"):
        (root / folder).mkdir(parents=True)
    return msgspec.structs.replace(ENGINE, flavour="podman", image_store="overlay", root_dir=str(root))


def test_what_lists_of_the_run_root_name(tmp_path: Path) -> None:
    """With --transient-store all containers are there, those of builds that go on too."""
    engine, run_root = podman_in(tmp_path / "root"), tmp_path / "run"
    (run_root / "overlay-layers").mkdir(parents=True)
    leaks, _ = leaks_of(engine, NOTHING, ON_DISK, run_root=lambda: str(run_root))
    assert [one.path for one in leaks] == [
        f"{engine.root_dir}/overlay/{ID}",
        f"{engine.root_dir}/overlay-containers/{ID}",
    ]
    for name in ("layers", "containers"):
        (run_root / f"overlay-{name}").mkdir(exist_ok=True)
        (run_root / f"overlay-{name}" / f"volatile-{name}.json").write_text(f'[{{"id": "{ID}"}}]')
    assert leaks_of(engine, NOTHING, ON_DISK, run_root=lambda: str(run_root)) == ((), ())


def refused() -> str | None:
    raise EngineError("GET /libpod/info was refused with 403")


@pytest.mark.parametrize(
    ("run_root", "why"), [(lambda: None, "run root"), (lambda: "/nowhere", "/nowhere"), (refused, "403")]
)
def test_a_run_root_that_cannot_be_seen(tmp_path: Path, run_root: RunRoot, why: str) -> None:
    leaks, (warning,) = leaks_of(podman_in(tmp_path), NOTHING, ON_DISK, run_root=run_root)
    assert leaks == ()
    assert (warning.about, why in warning.text) == ("what nobody owns", True)


def test_no_time_for_it(tmp_path: Path) -> None:
    leaks, (warning,) = leaks_of(engine_of(tmp_path), NOTHING, ON_DISK, -1)
    assert leaks == ()
    assert warning.text == "not looked for within -1 seconds"
