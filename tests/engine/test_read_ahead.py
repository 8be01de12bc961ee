"""What is read of a disk while its engine lists what it has: the same as afterwards, and nothing that has changed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dockersweep.engine.disk import ahead
from dockersweep.engine.disk.ahead import ReadAhead
from dockersweep.engine.disk.blocks import read_storage_from_disk
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.stores import find_stores
from dockersweep.engine.disk.walk import DiskBytes
from dockersweep.model.inventory import Engine
from dockersweep.model.storage import Part
from tests.rig.engines.shared import Filled
from tests.rig.inventories import ENGINE, volume

ID = "a" * 64
LAYERS = "image/overlay2/layerdb"


def test_a_scan_with_its_disk_read_ahead_tells_the_same(filled: Filled) -> None:
    finds_ahead = filled.engine.kind.image_store != "containerd"
    told = _scanned_twice(filled)
    with_ahead, without = map(_comparable, told["scans"])
    if with_ahead != without or told["ahead"]["has_all"] != finds_ahead:
        # What was built or removed just before is tidied up between two scans, or changed too late to be believed.
        time.sleep(5)
        told = _scanned_twice(filled)
        with_ahead, without = map(_comparable, told["scans"])
    assert with_ahead == without
    assert without["storage"]["base"] == "disk"
    kinds = ("container", "volume") if finds_ahead else ("volume",)
    wanted = {f"{kind}:{one.get('id') or one['name']}" for kind in kinds for one in without[f"{kind}s"]}
    assert told["ahead"]["has_all"] == finds_ahead
    assert wanted <= set(told["ahead"]["measured"])


def _scanned_twice(filled: Filled) -> Any:
    program = [sys.executable, "-P", "-m", "tests.rig.scans_ahead", filled.engine.url]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _comparable(told: Any) -> Any:
    """What a scan tells without what differs from one moment to the next: times, what is free, the order of a list."""
    if isinstance(told, dict):
        passing = ("taken_at", "disk", "other_disks")
        return {key: _comparable(value) for key, value in told.items() if key not in passing}
    if isinstance(told, list):
        return sorted(map(_comparable, told), key=lambda one: json.dumps(one, sort_keys=True))
    return told


@pytest.fixture
def engine_here(tmp_path: Path) -> Engine:
    """An engine whose folder has one layer, and the volume `data`."""
    folders = (
        "image/overlay2/imagedb/content/sha256",
        f"{LAYERS}/mounts",
        f"{LAYERS}/sha256/{ID}",
        f"overlay2/{ID}/diff",
    )
    for folder in (*folders, "overlay2/l", "volumes/data/_data"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / f"{LAYERS}/sha256/{ID}/cache-id").write_text(ID)
    return replace(ENGINE, root_dir=str(tmp_path))


def _read(engine: Engine, monkeypatch: pytest.MonkeyPatch, settled: bool = True) -> ReadAhead:
    """What is read ahead, in this process."""
    if settled:
        monkeypatch.setattr(ahead, "_SETTLED_SECONDS", 0.0)
    deadline = time.monotonic() + 60
    return ahead.together(ahead.read_parts(engine, (), deadline), ahead.read_volumes(engine, deadline))


def _storage(engine: Engine, told: ReadAhead) -> dict[str, Part]:
    mountpoint = f"{engine.root_dir}/volumes/data/_data"
    listed = ListedObjects((), (), (replace(volume("data"), mountpoint=mountpoint),), ())
    reading = read_storage_from_disk(find_stores(engine, listed), {}, 60, told)
    return {part.id: part for part in reading.storage.parts}


def test_what_was_measured_ahead_is_not_walked_again(engine_here: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    told = _read(engine_here, monkeypatch)
    assert told.has_all()
    assert _storage(engine_here, told) == _storage(engine_here, ReadAhead())
    monkeypatch.setattr("os.scandir", None)
    assert _storage(engine_here, told).keys() == {f"layer:sha256:{ID}", "volume:data"}


@pytest.mark.parametrize("place", [f"{LAYERS}/sha256", f"{LAYERS}/mounts", "overlay2/l", "buildkit/snapshots.db"])
def test_what_may_have_changed_is_found_again(engine_here: Engine, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    told = _read(engine_here, monkeypatch)
    changed = Path(engine_here.root_dir or "", place)
    if changed.suffix:
        changed.parent.mkdir()
        changed.write_bytes(b"")
    else:
        (changed / ("b" * 64)).mkdir()
    assert not told.has_all()
    if place.endswith("sha256"):
        (changed / ("b" * 64) / "cache-id").write_text("b" * 64)
        assert f"layer:sha256:{'b' * 64}" in _storage(engine_here, told)


def test_what_has_just_changed_is_not_believed(engine_here: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    told = _read(engine_here, monkeypatch, settled=False)
    assert told.parts
    assert not told.has_all()


def test_a_size_counts_for_the_place_that_was_measured(engine_here: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    told = _read(engine_here, monkeypatch)
    wrong = replace(told, folder="/elsewhere", sizes={"volume:data": DiskBytes(7, 7)})
    assert _storage(engine_here, wrong)["volume:data"] == _storage(engine_here, ReadAhead())["volume:data"]
