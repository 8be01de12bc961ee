"""Where a containerd has its data whose settings name another folder than the usual one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dockersweep.engine.disk.moved_containerd import moved_containerds
from tests.engine.test_disks import check_disk, du, folder_of, littered, near, seen
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind


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
