"""What plans and outcomes say of ways back, held against what a real engine and the archive have afterwards."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.running import Run, dockersweep, on_a_terminal

ALL = ("--older-than", "0s", "--all-images", "--named-volumes")
SIZE = 3_000_000

pytestmark = pytest.mark.enough_on(*NEWEST)


@pytest.fixture
def archive(engine: Engine) -> Iterator[Path]:
    """A folder for an archive on the disk of the engine."""
    folder = engine.data_root.parent / f"archive-of-{os.getpid()}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def littered(litter: Litter) -> None:
    image = litter.image("app:1", layers={"app": SIZE}, runnable=True)
    litter.container("job-7", image=image, writes=SIZE, state="exited")
    litter.volume("pg-old", size=SIZE)
    litter.network("backend")


def run(engine: Engine, *words: str, state: Path) -> Run:
    return dockersweep(*words, host=engine.url, DOCKERSWEEP_STATE_DIR=str(state))


def volumes(engine: Engine) -> set[str]:
    return {volume["Name"] for volume in engine.api.volumes()["Volumes"] or ()}


def test_each_removal_has_the_way_back_that_was_told_and_the_archive_takes_what_it_says(
    engine: Engine, litter: Litter, archive: Path, tmp_path: Path
) -> None:
    littered(litter)
    flags = (*ALL, "--archive", str(archive), "--format", "json")
    plan = run(engine, "plan", *flags, state=tmp_path).json()
    done = run(engine, "sweep", "--yes", *flags, state=tmp_path).json()
    told = {(one["kind"], one["id"]): one["recovery"] for one in plan["removals"]}
    removed = [one for one in done["outcomes"] if one["status"] == "removed"]
    assert {one["kind"] for one in removed} >= {"container", "image", "volume"}
    for one in removed:
        assert one["recovery"]["how"] == told[one["kind"], one["id"]]["how"], one["name"]
    there = sum(path.stat().st_size for path in archive.rglob("*") if path.is_file() and path.name not in ("lock",))
    took = done["archived"]["archived_bytes"]
    assert took == sum(one["archived_bytes"] or 0 for one in removed)
    assert 3 * SIZE <= took <= there
    assert plan["archive"]["on_engine_disk"] is done["archived"]["on_engine_disk"] is True
    assert took <= plan["archive"]["takes"]["high_bytes"]
    assert plan["archive"]["objects"] == done["archived"]["objects"] == 3


def test_the_question_names_what_is_lost_and_limits_and_flags_hold(
    engine: Engine, litter: Litter, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    litter.volume("pg-old", size=SIZE)
    refused = run(engine, "sweep", "--yes", *ALL, "--max-unrecoverable", "0", state=tmp_path)
    assert refused.status == 4
    assert "1 object to remove that cannot be recovered (volume pg-old (3.0" in refused.stderr
    spared = run(engine, "sweep", "--yes", *ALL, "--only-recoverable", state=tmp_path)
    assert (spared.status, volumes(engine)) == (0, {"pg-old"})
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", str(tmp_path))
    _, shown = on_a_terminal(["-H", engine.url, "sweep", *ALL], "n\n")
    assert "1 cannot be recovered: volume pg-old (3.0" in " ".join(shown.split())
    flags = ("--max-unrecoverable", "0", "--only-recoverable", "--archive", str(archive))
    assert run(engine, "sweep", "--yes", *ALL, *flags, state=tmp_path).status == 0
    assert volumes(engine) == set()


def test_an_archive_that_cannot_be_used_removes_nothing(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    litter.volume("pg-old", size=SIZE)
    (tmp_path / "file").touch()
    bad = run(engine, "sweep", "--yes", *ALL, "--archive", f"{tmp_path}/file", state=tmp_path)
    assert bad.status == 2
    assert f"nothing can be archived, so nothing is removed: {tmp_path}/file is not a directory" in bad.stderr
    assert volumes(engine) == {"pg-old"}


def test_a_saved_plan_archives_what_it_says(engine: Engine, litter: Litter, archive: Path, tmp_path: Path) -> None:
    litter.volume("pg-old", size=SIZE)
    saved = str(tmp_path / "plan.json")
    assert run(engine, "plan", *ALL, "--archive", str(archive), "-o", saved, state=tmp_path).status == 0
    outcome: dict[str, Any] = run(engine, "apply", "--yes", saved, "--format", "json", state=tmp_path).json()
    [one] = outcome["outcomes"]
    assert (one["name"], one["status"], one["recovery"]["how"]) == ("pg-old", "removed", "archive")
    assert [path.name for path in archive.glob("*/volumes/pg-old/data.tar.zst")] == ["data.tar.zst"]


def test_a_saved_plan_goes_without_an_archive_only_if_somebody_says_so(
    engine: Engine, litter: Litter, archive: Path, tmp_path: Path
) -> None:
    litter.volume("pg-old", size=SIZE)
    saved = str(tmp_path / "plan.json")
    run(engine, "plan", *ALL, "--archive", str(archive), "-o", saved, state=tmp_path)
    assert run(engine, "apply", "--yes", saved, "--no-archive", state=tmp_path).status == 0
    assert volumes(engine) == set()
    assert not archive.exists()
