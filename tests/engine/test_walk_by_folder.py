"""A walk that tells of some folders by themselves: together they are all that it counts."""

import os
import subprocess
from pathlib import Path

from dockersweep.engine.disk.walk import measure

FILES = {"file": 10, "a/one": 20, "a/deep/er/two": 30, "b/c/three": 40, "b/d/e/four": 50, "b/f": 60}
"""In blocks of 10 kB."""


def du(folder: Path) -> int:
    return int(
        subprocess.run(["du", "-s", "-B1", folder], capture_output=True, text=True, check=True).stdout.split()[0]
    )


def test_folders_are_told_by_themselves(tmp_path: Path) -> None:
    for place, size in FILES.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(os.urandom(size * 10_000))
    # It counts where it is met first.
    os.link(tmp_path / "a/one", tmp_path / "b/c/link")
    opened = (str(tmp_path), str(tmp_path / "b"))
    told = measure([tmp_path], opened=opened)
    assert sum(told.by_folder.values()) == told.high == du(tmp_path)
    found = {path.removeprefix(f"{tmp_path}"): size for path, size in told.by_folder.items()}
    assert {path: found[path] // 100_000 for path in ("", "/b", "/b/d")} == {"": 1, "/b": 6, "/b/d": 5}
    assert sorted((found["/a"] // 100_000, found["/b/c"] // 100_000)) in ([4, 5], [3, 6])
    assert len(found) == 5
    known = measure([tmp_path], measured={str(tmp_path / "b/d/e"): 7_000_000}, opened=opened)
    assert 7_000_000 <= known.by_folder[f"{tmp_path}/b/d"] < 7_020_000
    assert sum(known.by_folder.values()) == known.high


def test_places_are_told_each_by_itself(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "in").mkdir(parents=True)
        (tmp_path / name / "in" / "file").write_bytes(os.urandom(1_000_000))
    told = measure([tmp_path / "one", tmp_path / "two"])
    assert told.by_folder == {str(tmp_path / name): du(tmp_path / name) for name in ("one", "two")}
