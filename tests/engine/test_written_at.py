"""When anything in a volume was last written: by whatever way, and by nothing that dockersweep or the engine does."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dockersweep.engine.disk.walk import measure
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import OLDEST_AND_NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.next_second import next_second
from tests.rig.running import dockersweep

YEAR = 365 * 86_400


def changed(folder: Path) -> float:
    at = measure([folder]).changed_at
    assert at is not None
    return at


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "v" / "_data" / "deep").mkdir(parents=True)
    (tmp_path / "v" / "_data" / "deep" / "file").write_text("x")
    return tmp_path / "v"


def test_whatever_is_changed_deep_within_tells(volume: Path) -> None:
    deep = volume / "_data" / "deep"
    for change in (
        lambda: (deep / "file").write_text("more"),
        lambda: (deep / "new").symlink_to("/nowhere"),
        lambda: (deep / "new").unlink(),
        lambda: (deep / "file").chmod(0o600),
    ):
        before = changed(volume)
        time.sleep(0.02)
        change()
        assert before < changed(volume) <= time.time()


def test_to_look_at_it_changes_nothing(volume: Path) -> None:
    before = changed(volume)
    (volume / "_data" / "deep" / "file").read_text()
    os.listdir(volume / "_data")
    assert changed(volume) == changed(volume) == before


def test_the_volumes_own_folder_and_an_empty_one_tell_nothing(tmp_path: Path) -> None:
    assert measure([tmp_path, tmp_path / "gone"]).changed_at is None
    (tmp_path / "v").mkdir()
    assert measure([tmp_path / "v"]).changed_at is None


def test_a_time_that_archives_have_set_is_no_time_of_writing(volume: Path) -> None:
    file = volume / "_data" / "deep" / "file"
    os.utime(file, (0, time.time() + YEAR))
    assert changed(volume) <= time.time()
    os.utime(file, (0, time.time() - YEAR))
    assert changed(volume) > time.time() - 100


def test_times_of_a_clock_that_was_wrong_are_not_believed(volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = changed(volume)
    monkeypatch.setattr("time.time", lambda: written - YEAR)
    assert measure([volume]).changed_at is None
    os.utime(volume / "_data" / "deep" / "file", (0, written - 2 * YEAR))
    assert changed(volume) == pytest.approx(written - 2 * YEAR)


def volumes(engine: Engine) -> dict[str, Any]:
    inventory = dockersweep("scan", "--format", "json", host=engine.url).json()
    return {one["name"]: one for one in inventory["volumes"]}


def written(engine: Engine, name: str) -> datetime:
    return datetime.fromisoformat(volumes(engine)[name]["written_at"])


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
def test_a_volume_is_written_when_a_container_writes_and_not_when_it_is_mounted(engine: Engine, litter: Litter) -> None:
    litter.volume("data", size=1000)
    litter.volume("other", size=1000)
    # A first container: Podman makes the volume's folder its own then.
    litter.container("first", volumes={"data": "/d", "other": "/o"}, command="ls /d /o")
    before, unrelated = written(engine, "data"), written(engine, "other")
    assert datetime.now(UTC) - before < timedelta(minutes=2)
    next_second()
    reader = litter.container("reader", volumes={"data": "/d"}, command="cat /d/litter.bin")
    engine.docker("rm", reader)
    engine.restart()
    assert written(engine, "data") == before
    litter.container("writer", volumes={"data": "/d"}, command="echo x > /d/litter.bin")
    assert before < written(engine, "data") <= datetime.now(UTC)
    assert written(engine, "other") == unrelated


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
def test_what_is_written_while_dockersweep_looks_is_not_in_its_future(engine: Engine, litter: Litter) -> None:
    litter.container("busy", volumes={"log": "/l"}, state="running")
    engine.docker("exec", "-d", "busy", "sh", "-c", "while true; do date > /l/now; done")
    inventory = dockersweep("scan", "--format", "json", host=engine.url).json()
    [volume] = inventory["volumes"]
    assert datetime.fromisoformat(volume["written_at"]) <= datetime.fromisoformat(inventory["taken_at"])


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
def test_a_volume_whose_files_are_not_walked_has_no_such_time(engine: Engine, litter: Litter) -> None:
    litter.volume("data", size=1000)
    litter.volume("share", options={"type": "tmpfs", "device": "tmpfs"})
    assert "written_at" not in volumes(engine)["share"] or volumes(engine)["share"]["written_at"] is None
    inventory = dockersweep("scan", "--no-sizes", "--format", "json", host=engine.url).json()
    assert [one.get("written_at") for one in inventory["volumes"]] == [None, None]
