"""Retention: what goes when, and that nothing else does."""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.archive.deleting import tidy
from dockersweep.archive.folder import ArchiveFolder
from dockersweep.archive.retention import StoredRun, early_deletion, to_prune
from dockersweep.archive.sizes import taken_by
from dockersweep.archive.verifying import verify
from dockersweep.errors import ArchiveError, NoRoomError
from dockersweep.model.archive import Archive
from tests.archive.archives import BEGUN_AT, a_run, archive_in, original, reader_of, settings, tar_with
from tests.archive.test_images import IMAGE_ID, old_docker
from tests.rig.inventories import ENGINE

pytestmark = pytest.mark.linux
DAY = timedelta(days=1)


def _fill(archive: ArchiveFolder, day: int, size_bytes: int = 100_000, **of: str) -> str:
    """Archive a volume that does not compress, on a day; return the name of the run."""
    with a_run(archive, day, BEGUN_AT + day * DAY, settings(**of)) as run:
        run.volume_from_tar(original(f"v{day}"), b"{}", tar_with(os.urandom(size_bytes)))
    return run.name


def _everything(archive: ArchiveFolder) -> list[str]:
    return sorted(str(path.relative_to(archive.path)) for path in Path(archive.path).rglob("*"))


def test_a_run_goes_when_its_time_is_over(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    old, new = _fill(archive, 0), _fill(archive, 1)
    assert archive.prune(BEGUN_AT + 14 * DAY - timedelta(seconds=1), None) == ()
    assert [gone.run.name for gone in archive.prune(BEGUN_AT + 14 * DAY, None)] == [old]
    assert archive.run_names() == (new,)
    # What an archive was told then holds, whatever a policy says by now.
    archive.prune(BEGUN_AT + 15 * DAY, None)
    assert _everything(archive) == ["lock"]


def test_the_oldest_go_where_the_archive_is_too_large(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    names = [_fill(archive, day) for day in range(4)]
    archive.prune(BEGUN_AT, 300_000)
    assert archive.run_names() == tuple(names[2:])
    # What was archived last stays, even where it alone is too large: until another one has to have its room.
    archive.prune(BEGUN_AT, 10)
    assert archive.run_names() == (names[3],)


def test_the_oldest_go_for_what_is_new_and_only_once_that_is_whole(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    names = [_fill(archive, day) for day in range(3)]
    with a_run(archive, 9, BEGUN_AT + 9 * DAY, settings(max_size="500kB")) as run:

        def watched() -> Iterator[bytes]:
            yield from tar_with(os.urandom(150_000))
            assert archive.run_names()[:3] == tuple(names)

        run.volume_from_tar(original("new"), b"{}", watched())
        assert archive.run_names() == (*names[1:], run.name)
        with pytest.raises(NoRoomError, match=r"more than 500 kB \(max_size\)"):
            run.volume_from_tar(original("huge"), b"{}", tar_with(os.urandom(400_000)))
        assert archive.run_names() == (*names[1:], run.name)
        run.volume_from_tar(original("newer"), b"{}", tar_with(os.urandom(150_000)))
        assert archive.run_names() == (names[2], run.name)
        assert [gone.name for gone in run.deleted] == names[:2]
        told = [early_deletion(gone, BEGUN_AT + 9 * DAY) for gone in run.deleted]
        assert [(one.run, one.objects, one.until) for one in told if one] == [
            (day, {"volume": 1}, BEGUN_AT + (14 + day) * DAY) for day in range(2)
        ]
        assert early_deletion(run.deleted[0], BEGUN_AT + 14 * DAY) is None
    assert taken_by(archive.path) <= 500_000


def test_nothing_goes_for_what_has_no_room_even_then(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    names = [_fill(archive, day) for day in range(3)]
    (Path(archive.path) / names[2] / "index.json").write_text("{")
    with (
        archive.open_run(names[1]),
        pytest.raises(NoRoomError, match="nothing older can be deleted"),
        a_run(archive, 9, BEGUN_AT + 9 * DAY, settings(max_size="350kB")) as run,
    ):
        run.volume_from_tar(original("new"), b"{}", tar_with(os.urandom(200_000)))
    assert archive.run_names() == tuple(names)


def test_a_run_that_is_spoiled_keeps_no_other(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    spoiled, other = _fill(archive, 0), _fill(archive, 1)
    # Its deletion was killed just before it was put back.
    (Path(archive.path) / spoiled / "notes").write_text("mine")
    os.rename(f"{archive.path}/{spoiled}", f"{archive.path}/.deleted-{spoiled}")
    with pytest.raises(ArchiveError, match=f"{spoiled}/notes is not dockersweep's, so it stays"):
        archive.prune(BEGUN_AT + 99 * DAY, None)
    assert archive.run_names() == (spoiled,)
    assert (Path(archive.path) / spoiled / "notes").read_text() == "mine"
    assert other not in archive.run_names()
    (Path(archive.path) / spoiled / "notes").unlink()
    assert [gone.problem for gone in archive.prune(BEGUN_AT + 99 * DAY, None)] == [None]
    assert _everything(archive) == ["lock"]


def test_what_somebody_reads_or_writes_does_not_go(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    name = _fill(archive, 0)
    with archive.open_run(name), a_run(archive, 1) as run:
        for gone in archive.delete(archive.runs()):
            assert "try again when that has ended" in (gone.problem or "")
        with (
            pytest.raises(NoRoomError, match="nothing older can be deleted"),
            a_run(archive, 2, of=settings(max_size="150kB")) as another,
        ):
            another.volume_from_tar(original(), b"{}", tar_with(os.urandom(100_000)))
        run.network(original("net", "network"), b"{}")
    assert len(archive.run_names()) == 2


def test_only_files_of_ours_go(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    name = _fill(archive, 0)
    strange = Path(archive.path) / name / "volumes" / "v0" / "precious"
    strange.write_text("mine")
    (Path(archive.path) / "notes").write_text("mine")
    (Path(archive.path) / "2026-not-a-run").mkdir()
    (gone,) = archive.prune(BEGUN_AT + 99 * DAY, None)
    assert f"{name}/volumes/v0/precious is not dockersweep's, so it stays" in (gone.problem or "")
    # Nothing of it has gone.
    with archive.open_run(name) as run:
        assert list(verify(run)) == []
    assert strange.read_text() == "mine"
    strange.unlink()
    (gone,) = archive.prune(BEGUN_AT + 99 * DAY, None)
    assert gone.problem is None
    assert _everything(archive) == ["2026-not-a-run", "lock", "notes"]


def test_nothing_goes_behind_a_link(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    name = _fill(archive, 0)
    volumes = Path(archive.path) / name / "volumes"
    shutil.move(volumes, tmp_path / "elsewhere")
    volumes.symlink_to(tmp_path / "elsewhere")
    (gone,) = archive.delete(archive.runs())
    assert gone.problem is not None
    assert len(list((tmp_path / "elsewhere" / "v0").iterdir())) == 3


def test_what_cannot_be_read_stays_and_is_told(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    newer, damaged = _fill(archive, 0), _fill(archive, 1)
    index = Path(archive.path) / newer / "index.json"
    index.write_text(index.read_text().replace("archive/1", "archive/2"))
    (Path(archive.path) / damaged / "index.json").unlink()
    problems = [run.problem or "" for run in archive.runs()]
    assert "newer than this dockersweep reads (version 1): update dockersweep" in problems[0]
    assert f"{damaged}/index.json: No such file or directory" in problems[1]
    assert archive.prune(BEGUN_AT + 99 * DAY, 1) == ()
    assert archive.run_names() == (newer, damaged)


def test_an_archive_with_everything_in_it_goes_without_a_trace(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.image(original("app:1", "image", IMAGE_ID), old_docker())
        run.container(original("web", "container", "c" * 64), b"{}", layer=[b"l"], log=[b"{}"], read_from="api")
        run.network(original("net", "network", "n" * 64), b"{}")
    assert archive.prune(BEGUN_AT + 99 * DAY, None)[0].problem is None
    assert _everything(archive) == ["lock"]


STEPS = ("unlink", "rmdir", "rename")


@pytest.mark.parametrize("at", range(0, 24, 3))
def test_a_deletion_that_is_killed_goes_on_in_the_next_run(tmp_path: Path, at: int) -> None:
    archive = archive_in(tmp_path)
    name = _fill(archive, 0)
    with a_run(archive, 1) as run:
        run.image(original("app:1", "image", IMAGE_ID), old_docker())
        run.network(original("net", "network", "n" * 64), b"{}")
    pid = os.fork()
    if pid == 0:
        _die_at(at)
        list(archive.delete(archive.runs()))
        os._exit(0)
    killed = os.waitpid(pid, 0)[1] == 9
    # What is half deleted is no run any more; nobody restores from it.
    for left in archive.runs():
        assert left.problem is None
        with archive.open_run(left.name) as read:
            assert all(b"".join(read.stored(file)) for one in read.objects for file in one.files)
    archive.prune(BEGUN_AT, None)
    list(archive.delete(archive.runs()))
    assert _everything(archive) == ["lock"]
    assert killed == (at < 22), name


def _die_at(count: int) -> None:
    """Kill this process in place of the call of that number that deletes or renames something."""
    left = [count]

    def watched(real: object) -> object:
        def call(*arguments: object, **keywords: object) -> object:
            if left[0] == 0:
                os.kill(os.getpid(), 9)
            left[0] -= 1
            return real(*arguments, **keywords)  # type: ignore[operator]

        return call

    for step in STEPS:
        setattr(os, step, watched(getattr(os, step)))


def test_what_a_killed_run_left_half_done_is_tidied_up(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    for objects in (0, 1):
        pid = os.fork()
        if pid == 0:
            run = archive.begin(ENGINE, objects, BEGUN_AT, settings())
            for number in range(objects):
                run.network(original(f"net{number}", "network"), b"{}")
            run.volume_from_tar(original(), b"{}", _dying())
        assert os.waitpid(pid, 0)[1] == 9
    assert len([path for path in _everything(archive) if ".partial-" in path]) >= 2
    archive.prune(BEGUN_AT, None)
    assert not [path for path in _everything(archive) if ".partial-" in path]
    (left,) = archive.runs()
    assert left.archive is not None
    assert [one.name for one in left.archive.objects] == ["net0"]


def _dying() -> Iterator[bytes]:
    yield tar_with(os.urandom(10_000))[0]
    os.kill(os.getpid(), 9)


def test_a_run_at_work_is_not_tidied_up(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:

        def tidied() -> Iterator[bytes]:
            first, *others = tar_with(b"half" * 5000)
            yield first
            tidy(archive.path)
            yield from others

        run.volume_from_tar(original(), b"{}", tidied())
    with reader_of(archive, run) as read:
        assert b"".join(read.tar_of(read.objects[0]) or ()) == b"".join(tar_with(b"half" * 5000))


def test_somebody_else_who_holds_the_lock_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    archive = archive_in(tmp_path)
    monkeypatch.setattr("dockersweep.archive.lock.LOCK_SECONDS", 0.1)
    with open(f"{archive.path}/lock", "wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ArchiveError, match=r"locked by another dockersweep for 0\.1 seconds: run this again"):
            archive.prune(BEGUN_AT, None)


def _stored(name: int, size_bytes: int, until: int, is_read: bool) -> StoredRun:
    index = Archive(
        schema="dockersweep.archive/1", engine=ENGINE, run=None, version="1", begun_at=BEGUN_AT,
        until=BEGUN_AT + until * DAY, objects=(),
    )  # fmt: skip
    return StoredRun(name=f"{name:03}", size_bytes=size_bytes, archive=index if is_read else None)


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(-3, 3), st.booleans()), max_size=8),
    st.none() | st.integers(0, 300),
)
def test_no_more_goes_than_has_to(given: list[tuple[int, int, bool]], max_bytes: int | None) -> None:
    runs = [_stored(number, *one) for number, one in enumerate(given)]
    gone = to_prune(runs, BEGUN_AT, max_bytes)
    expired = [run for run in runs if run.archive is not None and run.archive.until <= BEGUN_AT]
    assert {run.name for run in expired} <= {run.name for run in gone}
    assert all(run.archive is not None for run in gone)
    kept = [run for run in runs if run not in gone]
    early = [run for run in gone if run not in expired]
    taken = sum(run.size_bytes for run in kept)
    if early:
        # Without the newest of these the archive would be too large.
        assert max_bytes is not None
        assert taken + early[-1].size_bytes > max_bytes
        assert not [run for run in kept if run.archive is not None and run.name < early[-1].name]
    if max_bytes is not None and taken > max_bytes:
        assert not [run for run in kept[:-1] if run.archive is not None]
