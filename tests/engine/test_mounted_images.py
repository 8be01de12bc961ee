"""Where Podman's files cannot tell which images are mounted, that is said, and what its list tells is not lost."""

import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.engine.api.wire import WirePodmanContainer
from dockersweep.engine.reading import other_tools
from dockersweep.engine.reading.other_tools import read_podman_lists
from dockersweep.errors import EngineError
from dockersweep.model.external import ExternalContainer
from dockersweep.model.inventory import Engine, ScanWarning
from tests.rig.inventories import ENGINE
from tests.rig.privileges import permissions_that_count

LISTED = (
    ExternalContainer(
        id="c", name="ubi-working-container", image_id="sha256:ubi", tool="podman build", created_at=None
    ),
)


@dataclass
class Reads:
    """A Podman that lists a container of a build, behind a proxy that may refuse the call for the run root."""

    engine: Engine
    runs_in: Path | None = None

    def podman_containers(self) -> tuple[tuple[WirePodmanContainer, ...], tuple[ExternalContainer, ...]]:
        return (), LISTED

    def run_root(self) -> str:
        if self.runs_in is None:
            raise EngineError("GET /libpod/info was refused with 403")
        return str(self.runs_in)


def external_of(reads: Reads) -> tuple[tuple[ExternalContainer, ...] | None, tuple[ScanWarning, ...]]:
    told = read_podman_lists(reads, reads.run_root)
    return told.external, told.warnings


def podman_in(folder: Path) -> Engine:
    return replace(ENGINE, flavour="podman", image_store="overlay", root_dir=str(folder))


def test_a_run_root_that_is_not_told(tmp_path: Path) -> None:
    external, [warning] = external_of(Reads(podman_in(tmp_path)))
    assert external == LISTED
    assert (warning.about, "403" in warning.text) == ("mounted images", True)


def test_a_folder_that_may_not_be_searched(tmp_path: Path) -> None:
    root = tmp_path / "closed" / "storage"
    root.mkdir(parents=True)
    root.parent.chmod(0)
    with permissions_that_count():
        external, [warning] = external_of(Reads(podman_in(root), tmp_path))
    root.parent.chmod(0o700)
    assert external == LISTED
    assert (warning.about, "Permission denied" in warning.text) == ("mounted images", True)


def test_a_disk_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(other_tools, "folder_of", lambda engine: over.wait(30))
    monkeypatch.setattr(other_tools, "GRACE_SECONDS", 0.05)
    external, [warning] = external_of(Reads(podman_in(tmp_path), tmp_path))
    over.set()
    assert external == LISTED
    assert (warning.about, "0.05 seconds" in warning.text) == ("mounted images", True)


def test_from_another_machine_nothing_is_to_be_said(tmp_path: Path) -> None:
    assert external_of(Reads(podman_in(tmp_path / "none"), tmp_path)) == (LISTED, ())


def test_where_nothing_is_mounted_nothing_is_to_be_said(tmp_path: Path) -> None:
    (tmp_path / "overlay-layers").mkdir()
    assert external_of(Reads(podman_in(tmp_path), tmp_path)) == (LISTED, ())


def test_a_run_root_that_is_not_here_while_the_storage_is(tmp_path: Path) -> None:
    external, [warning] = external_of(Reads(podman_in(tmp_path), tmp_path / "elsewhere"))
    assert external == LISTED
    assert warning.about == "mounted images"
