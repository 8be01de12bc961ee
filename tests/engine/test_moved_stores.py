"""Where containerds and Podmans have their stores whose settings name other folders than the usual ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dockersweep.engine.disk.moved_stores import image_stores, moved_containerds
from dockersweep.engine.disk.podman import mounted_images
from tests.engine.test_disks import check_disk, du, folder_of, littered, near, seen
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import KINDS, EngineKind, kind
from tests.rig.running import dockersweep


def process(
    proc: Path, number: int, *words: str, name: str = "containerd", settings: dict[str, str] | None = None
) -> Path:
    """Make what /proc tells of a process that sees these files."""
    folder = proc / str(number)
    folder.mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    (folder / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    for place, text in (settings or {}).items():
        (folder / f"root{place}").parent.mkdir(parents=True, exist_ok=True)
        (folder / f"root{place}").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("words", "settings", "expected"),
    [
        (["containerd"], {"/etc/containerd/config.toml": 'version = 2\nroot = "/srv/containerd"\n'}, "/srv/containerd"),
        (["containerd", "--config", "/c.toml"], {"/c.toml": 'root = "/srv/c"'}, "/srv/c"),
        (["containerd", "--config=/c.toml"], {"/c.toml": 'root = "/srv/c"'}, "/srv/c"),
        (["containerd", "-c", "/c.toml", "--root", "/srv/r"], {"/c.toml": 'root = "/srv/c"'}, "/srv/r"),
        (["containerd"], {}, None),
        (["containerd"], {"/etc/containerd/config.toml": "root = "}, None),
        (["containerd"], {"/etc/containerd/config.toml": "root = 3"}, None),
        (["containerd", "--root"], {}, None),
        (["containerd", "--root", "relative"], {}, None),
    ],
)
def test_the_command_line_and_the_settings_of_a_process(
    tmp_path: Path, words: list[str], settings: dict[str, str], expected: str | None
) -> None:
    process(tmp_path, 7, *words, settings=settings)
    process(tmp_path, 8, "containerd-shim", "--root", "/srv/shim", name="containerd-shim")
    (tmp_path / "self").mkdir()
    assert list(moved_containerds(tmp_path)) == ([] if expected is None else [Path(expected)])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_process_of_anybody_elses_is_not_believed(tmp_path: Path) -> None:
    os.chown(process(tmp_path, 7, "containerd", "--root", "/srv/other"), 1000, 1000)
    process(tmp_path, 8, "containerd", "--root", "/srv/own")
    assert list(moved_containerds(tmp_path)) == [Path("/srv/own")]
    assert list(moved_containerds(tmp_path / "none")) == []


GRAPH_ROOT = "/var/lib/containers/storage"


@pytest.mark.parametrize(
    ("words", "settings", "expected"),
    [
        (["podman", "--root", GRAPH_ROOT, "--imagestore", "/srv/i", "system", "service"], {}, "/srv/i"),
        (["podman", "--root", "/another", "--imagestore", "/srv/i", "system", "service"], {}, None),
        (["podman", "--imagestore", "/srv/i"], {"/etc/containers/storage.conf": '[storage]\ngraphroot = "/r"'}, None),
        (["podman"], {"/etc/containers/storage.conf": '[storage]\nimagestore = "/srv/s"\n'}, "/srv/s"),
        (["podman"], {"/usr/share/containers/storage.conf": '[storage]\nimagestore = "/srv/u"\n'}, "/srv/u"),
        (["podman", "--imagestore=/srv/i"], {"/etc/containers/storage.conf": "[storage"}, "/srv/i"),
        (["podman"], {"/etc/containers/storage.conf": "storage = 3"}, None),
        (["podman"], {"/etc/containers/storage.conf": "[storage]\nimagestore = ''"}, None),
    ],
)
def test_the_command_line_and_the_settings_of_a_podman(
    tmp_path: Path, words: list[str], settings: dict[str, str], expected: str | None
) -> None:
    process(tmp_path, 7, *words, name="podman", settings=settings)
    assert list(image_stores(Path(GRAPH_ROOT), tmp_path)) == ([] if expected is None else [Path(expected)])


@pytest.mark.engines
@pytest.mark.parametrize("one", [one for one in KINDS if one.flavour == "podman"], ids=str)
def test_podmans_images_lie_where_its_command_line_says(one: EngineKind) -> None:
    with Engine(one) as engine:
        store = engine.run_directory / "imagestore"
        engine.options = ("--imagestore", str(store))
        engine.restart()
        littered(engine).container("mounter", state="running")
        inventory = seen(engine)
        assert inventory.disk is not None
        check_disk(inventory.disk)
        assert inventory.disk.places == (str(engine.data_root), str(store))
        assert inventory.storage is not None
        assert inventory.storage.base == "disk"
        folders = {part.folder for part in inventory.storage.parts if part.id.startswith("layer:")}
        assert all(folder is not None and folder.startswith(f"{store}/overlay/") for folder in folders)
        assert near(folder_of(inventory).size_bytes, du([str(engine.data_root), str(store)]))
        before = du([str(store)])
        every = ("--all-images", "--older-than", "0s", "--kind", "image", "--keep-image", "busybox")
        freed = dockersweep("sweep", "--yes", "--format", "json", *every, host=engine.url).json()["reclaimed"]
        assert freed["measured_bytes"] == freed["low_bytes"]
        assert near(freed["low_bytes"], before - du([str(store)]))


def test_a_mounted_image_is_found_wherever_images_lie(tmp_path: Path) -> None:
    root, store, run_root = (tmp_path / name for name in ("root", "store", "run"))
    for folder in (root / "overlay-images", store / "overlay-images", run_root / "overlay-layers"):
        folder.mkdir(parents=True)
    (store / "overlay-images/images.json").write_text('[{"id": "a", "layer": "top"}]')
    (run_root / "overlay-layers/mountpoints.json").write_text('[{"id": "top", "path": "/mnt", "count": 1}]')
    assert mounted_images((root, store), "overlay", run_root) == [("sha256:a", "top", "/mnt")]


@pytest.mark.engines
def test_the_images_lie_where_the_settings_say() -> None:
    with Engine(kind("docker-28.5-containerd"), system_containerd=True) as engine:
        engine.stop()
        moved = engine.run_directory / "moved"
        (engine.run_directory / "containerd.toml").write_text(f'root = "{moved}"\n')
        engine.start()
        littered(engine)
        inventory = seen(engine)
        assert inventory.disk is not None
        check_disk(inventory.disk)
        assert inventory.disk.places == (str(engine.data_root), str(moved))
        assert inventory.on_no_known_disk == ()
        assert inventory.storage is not None
        assert inventory.storage.base == "disk"
        assert near(folder_of(inventory).size_bytes, du([str(engine.data_root), str(moved)]))
