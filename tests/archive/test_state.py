"""What a report says of an archive."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from dockersweep.archive.state import state_of_archive
from dockersweep.archive.verification import Verified, note_verified, verifications
from dockersweep.model.archive import ArchiveProblem
from dockersweep.model.report import ArchiveState
from tests.archive.archives import BEGUN_AT, a_run, archive_in, original, settings


def state(path: Path) -> ArchiveState:
    """Return the state of an archive that is or may be there."""
    told = state_of_archive(str(path), settings(max_size="1GB"))
    assert told is not None
    return told


def test_there_is_none(tmp_path: Path) -> None:
    assert state_of_archive(str(tmp_path / "archive"), None) is None


def test_one_that_is_not_there_yet_is_empty_and_has_limits(tmp_path: Path) -> None:
    told = state(tmp_path / "new" / "archive")
    assert (told.problem, told.objects, told.size_bytes, told.oldest_at) == (None, 0, 0, None)
    assert (told.max_bytes, told.min_free_bytes) == (10**9, 10**6)
    assert told.free_bytes == pytest.approx(os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize, rel=0.2)
    assert not (tmp_path / "new").exists()


def test_what_is_in_it(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        for name in ("front", "back"):
            run.network(original(name, "network"), b"{}")
    told = state(tmp_path / "archive")
    assert (told.problem, told.objects, told.oldest_at, told.newest_at) == (None, 2, BEGUN_AT, BEGUN_AT)
    assert told.size_bytes
    assert (told.runs, told.unverified_runs, told.verified_at) == (1, 1, None)
    assert told.until_first == told.until_last == BEGUN_AT + timedelta(days=14)
    note_verified(archive.path, {run.name: Verified(at=BEGUN_AT, damaged=())}, frozenset([run.name]))
    told = state(tmp_path / "archive")
    assert (told.unverified_runs, told.verified_at) == (0, BEGUN_AT)
    # Without a policy that has an archive it is told all the same: it takes space.
    kept = state_of_archive(str(tmp_path / "archive"), None)
    assert kept is not None
    assert (kept.objects, kept.max_bytes, kept.free_bytes) == (2, None, None)


def test_why_it_cannot_be_used(tmp_path: Path) -> None:
    archive_in(tmp_path)
    (tmp_path / "archive").chmod(0o777)
    told = state(tmp_path / "archive")
    if os.geteuid() == 0:
        assert told.problem is not None
        assert "can be written by others" in told.problem
        assert told.size_bytes is None
    (tmp_path / "archive").chmod(0o700)
    assert state(tmp_path / "archive").problem is None


@pytest.mark.skipif(os.geteuid() != 0, reason="a folder of others is refused as root alone")
def test_why_it_could_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    told = state(tmp_path / "shared" / "new" / "archive")
    assert "can be written by others than root" in (told.problem or "")
    assert (told.size_bytes, told.max_bytes) == (0, 10**9)


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("")
    assert "there is no archive" in (state(tmp_path / "archive").problem or "")


def test_what_was_found_damaged_is_told_until_the_run_is_gone(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.network(original("front", "network"), b"{}")
    problem = ArchiveProblem(
        run=run.name, kind="network", id="front", name="front", path="networks/front/network.json", text="it is damaged"
    )
    found = Verified(at=BEGUN_AT, damaged=(problem,))
    note_verified(archive.path, {run.name: found, "gone": found}, frozenset([run.name]))
    assert list(verifications(archive.path)) == [run.name]
    assert state(tmp_path / "archive").damaged == ("it is damaged",)
    note_verified(archive.path, {run.name: Verified(at=BEGUN_AT, damaged=())}, frozenset([run.name]))
    assert state(tmp_path / "archive").damaged == ()


def test_an_index_that_cannot_be_read_is_damage_too(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.network(original("front", "network"), b"{}")
    (Path(run.path) / "index.json").write_text("{")
    [told] = state(tmp_path / "archive").damaged
    assert "index.json" in told


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}'])
def test_notes_that_are_spoiled_are_as_if_nothing_was_verified(tmp_path: Path, content: str) -> None:
    archive = archive_in(tmp_path)
    (tmp_path / "archive" / "verified.json").write_text(content)
    assert verifications(archive.path) == {}
