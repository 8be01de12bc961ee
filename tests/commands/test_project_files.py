"""Whether the folders and files of compose projects are looked for, and what is told of them."""

import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dockersweep.commands import project_files
from dockersweep.commands.project_files import with_missing_files
from dockersweep.model.inventory import Inventory
from dockersweep.model.last_use import KnownProject
from tests.policy.findings_of import disk
from tests.rig.inventories import NOW, inventory
from tests.rig.privileges import permissions_that_count


def _seen(folder: Path, *files: str, **fields: Any) -> Inventory:
    project = KnownProject(
        project="shop",
        working_dir=str(folder),
        config_files=tuple(str(folder / name) for name in files),
        container_at=NOW,
    )
    return replace(inventory(), projects=(project,), **{"disk": disk(10), **fields})


def _missing(seen: Inventory) -> tuple[str, ...] | None:
    (project,) = with_missing_files(seen).projects or ()
    return project.missing


def test_what_is_gone_of_a_project_is_told(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").touch()
    assert _missing(_seen(tmp_path, "compose.yaml")) == ()
    assert _missing(_seen(tmp_path, "compose.yaml", "other.yaml")) == (str(tmp_path / "other.yaml"),)
    gone = tmp_path / "gone"
    assert _missing(_seen(gone, "compose.yaml")) == (str(gone), str(gone / "compose.yaml"))
    # A file where the folder was.
    assert _missing(_seen(tmp_path / "compose.yaml" / "below")) == (str(tmp_path / "compose.yaml" / "below"),)


def test_nothing_is_looked_for_where_other_folders_are_seen(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert _missing(_seen(gone, disk=None)) is None
    assert _missing(_seen(gone, own_container_id="c")) is None


def test_a_folder_that_may_not_be_looked_into_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o000)
    with permissions_that_count():
        assert _missing(_seen(tmp_path / "closed", "compose.yaml")) is None


def test_paths_that_cannot_be_looked_for_are_not_known(tmp_path: Path) -> None:
    assert _missing(_seen(tmp_path / "a\0b")) is None
    assert _missing(_seen(tmp_path / ("x" * 300))) is None
    # Compose told a path of another machine's sort: nothing says where it is.
    seen = _seen(tmp_path)
    windows = replace((seen.projects or ())[0], working_dir="C:\\shop")
    assert _missing(replace(seen, projects=(windows,))) is None


def test_a_folder_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr(project_files, "LOOKING_SECONDS", 0.1)
    monkeypatch.setattr(project_files, "_missing", lambda project: [pipe.read_bytes()])
    assert _missing(_seen(tmp_path)) is None
