"""Runs in an archive: what is written when, who may read it, and what is refused."""

import errno
import json
import os
import stat
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dockersweep.archive import new_object, run_writer
from dockersweep.archive.folder import open_archive, problem_of
from dockersweep.archive.paths import folder_name
from dockersweep.archive.room import Room
from dockersweep.errors import ArchiveError, NoRoomError, NotArchivedError
from tests.archive.archives import BEGUN_AT, a_run, archive_in, original, reader_of, settings, tar_with
from tests.rig.inventories import ENGINE

pytestmark = pytest.mark.linux
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def _volume(folder: Path) -> Path:
    (folder / "volume" / "deep").mkdir(parents=True)
    (folder / "volume" / "deep" / "file").write_text("told")
    return folder / "volume"


def test_a_run_is_named_for_its_time_and_its_number(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.network(original("net", "network"), b'{"Name": "net"}')
    assert archive.run_names() == ("2026-12-01T093000Z-12",)
    with reader_of(archive, run) as read:
        assert read.archive.run == 12
        assert read.archive.until - read.archive.begun_at == timedelta(days=14)
        (archived,) = read.objects
        assert read.inspect_of(archived) == b'{"Name": "net"}'


def test_two_ledgers_may_have_a_run_of_the_same_number_at_the_same_time(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    for name in ("one", "two"):
        with a_run(archive) as run:
            run.network(original(name, "network"), b"{}")
    assert len(archive.run_names()) == 2


def test_a_run_that_archived_nothing_leaves_nothing(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive, number=None):
        assert len(archive.run_names()) == 1
    assert archive.run_names() == ()


def test_all_of_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.volume_from_folder(original(), b"{}", _volume(tmp_path))
        run.container(original("web", "container"), b"{}", layer=[b"x"], log=[b"{}\n"], read_from="api")
    for folder, _, files in os.walk(archive.path):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        assert all(stat.S_IMODE(os.stat(f"{folder}/{name}").st_mode) == 0o600 for name in files)


def test_a_run_that_was_killed_has_all_that_was_archived_until_then(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    pid = os.fork()
    if pid == 0:
        run = archive.begin(ENGINE, 12, BEGUN_AT, settings())
        run.volume_from_folder(original(), b"{}", _volume(tmp_path))
        os.mkdir(f"{run.path}/volumes/.partial-half")
        os.kill(os.getpid(), 9)
    assert os.waitpid(pid, 0)[1] == 9
    (name,) = archive.run_names()
    assert json.loads((Path(archive.path) / name / "index.json").read_text())["objects"] == []
    with archive.open_run(name) as read:
        assert [archived.name for archived in read.objects] == ["pg-old"]


def test_what_is_being_written_is_not_read(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run, pytest.raises(ArchiveError, match="try again when that has ended"):
        reader_of(archive, run)


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "", "-", "x" * 300, "ü", "a\nb", "object.json/.."])
def test_a_name_that_is_not_safe_has_a_hash_for_its_folder(tmp_path: Path, name: str) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.network(original(name, "network"), b"{}")
    assert os.listdir(f"{run.path}/networks") == [folder_name(name)]
    with reader_of(archive, run) as read:
        assert [archived.name for archived in read.objects] == [name]


def test_containers_that_had_the_same_name_one_after_the_other_are_both_there(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        for object_id in ("a" * 64, "b" * 64):
            inspect = object_id.encode()
            run.container(original("web", "container", object_id), inspect, layer=None, log=None, read_from="api")
    with reader_of(archive, run) as read:
        assert [read.inspect_of(archived) for archived in read.objects] == [b"a" * 64, b"b" * 64]
        assert [read.tar_of(archived) for archived in read.objects] == [None, None]


def test_an_object_that_is_archived_again_is_there_each_time(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        tars = [tar_with(content) for content in (b"1", b"2", b"3", b"4")]
        for tar in tars:
            run.volume_from_tar(original(), b"{}", tar)
    with reader_of(archive, run) as read:
        assert [b"".join(read.tar_of(archived) or ()) for archived in read.objects] == list(map(b"".join, tars))


def test_what_fails_while_it_is_read_leaves_nothing(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)

    def breaking() -> object:
        yield b"half of it"
        raise NotArchivedError("the engine went away")

    with a_run(archive) as run:
        with pytest.raises(NotArchivedError, match="the engine went away"):
            run.volume_from_tar(original(), b"{}", breaking())  # type: ignore[arg-type]
        assert os.listdir(f"{run.path}/volumes") == []
        whole = tar_with(b"one", b"two")
        run.volume_from_tar(original(), b"{}", whole)
    with reader_of(archive, run) as read:
        assert b"".join(read.tar_of(read.objects[0]) or ()) == b"".join(whole)
        assert read.objects[0].entries == 2


def test_what_is_no_whole_tar_is_not_archived(tmp_path: Path) -> None:
    with a_run(archive_in(tmp_path)) as run:
        for pieces, text in (
            (tar_with(b"x" * 100_000)[:-1], "ended too early"),
            ([], "ended too early"),
            ([b"<html>" * 500], "is no tar"),
        ):
            with pytest.raises(NotArchivedError, match=text):
                run.volume_from_tar(original(), b"{}", pieces)
            assert os.listdir(f"{run.path}/volumes") == []


def test_a_run_whose_index_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    archive = archive_in(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patched:
        patched.setattr(run_writer, "write_whole", full)
        with pytest.raises(ArchiveError, match=r"^the archive cannot be written: .*: No space left on device$"):
            archive.begin(ENGINE, 12, BEGUN_AT, settings())
    assert archive.run_names() == ()
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_has_settled_counts_for_the_next_at_once(tmp_path: Path) -> None:
    room = Room(archive_in(tmp_path).path, "2026-12-01T093000Z-12", settings(max_size="100kB"))
    room.settle(60_000)
    with pytest.raises(NoRoomError, match="more than 100 kB"):
        room.settle(60_000)
    room.release(60_000)
    room.settle(60_000)


def test_what_fails_at_its_very_end_counts_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with a_run(archive_in(tmp_path), of=settings(max_size="100kB")) as run:
        with monkeypatch.context() as patched:
            patched.setattr(new_object, "write_whole", failing)
            with pytest.raises(NotArchivedError, match="Input/output error"):
                run.volume_from_tar(original(), b"{}", tar_with(os.urandom(60_000)))
        run.volume_from_tar(original(), b"{}", tar_with(os.urandom(60_000)))


def test_without_room_nothing_is_archived(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with (
        a_run(archive, of=settings(min_free="1PB")) as run,
        pytest.raises(NoRoomError, match=r"its disk has .* free, and 1PB stays free \(min_free\)"),
    ):
        run.network(original("net", "network"), b"{}")
    with (
        a_run(archive, of=settings(max_size="1MB")) as run,
        pytest.raises(NoRoomError, match=r"more than 1.00 MB \(max_size\)"),
    ):
        run.volume_from_tar(original(), b"{}", tar_with(os.urandom(2_000_000)))
    assert archive.run_names() == ()


@as_root
def test_a_folder_that_others_can_write_is_refused_as_root(tmp_path: Path) -> None:
    open_archive(str(tmp_path / "archive"))
    for place in (tmp_path / "archive", tmp_path):
        former = place.stat()
        place.chmod(0o770)
        with pytest.raises(ArchiveError, match=f"{place} can be written by others than root.*chmod go-w {place}$"):
            open_archive(str(tmp_path / "archive"))
        place.chmod(former.st_mode)
        os.chown(place, 1000, 0)
        with pytest.raises(ArchiveError, match=f"{place} belongs to the user 1000.*chown root {place}$"):
            open_archive(str(tmp_path / "archive"))
        os.chown(place, 0, 0)
    open_archive(str(tmp_path / "archive"))
    # The sticky bit holds what is in a folder, and lets anybody add a run of his own.
    (tmp_path / "archive").chmod(0o1777)
    with pytest.raises(ArchiveError, match="can be written by others than root"):
        open_archive(str(tmp_path / "archive"))
    assert "can be written by others than root" in (problem_of(str(tmp_path / "archive")) or "")
    tmp_path.chmod(0o1777)
    assert problem_of(str(tmp_path / "new")) is None
    open_archive(str(tmp_path / "new"))


def test_an_archive_that_is_only_read_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="there is no archive at"):
        open_archive(str(tmp_path / "none"), make=False)
    assert list(tmp_path.iterdir()) == []


def _spoil(folder: Path, **changes: object) -> None:
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(index | changes))


def test_a_newer_archive_is_not_read(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.network(original("net", "network"), b"{}")
    _spoil(Path(run.path), schema="dockersweep.archive/2", objects=[{"new": 1}])
    with pytest.raises(ArchiveError, match=r"is dockersweep\.archive/2, newer than .*: update dockersweep"):
        reader_of(archive, run)


@pytest.mark.parametrize("path", ["../../etc/shadow", "/etc/shadow", "networks//x", "networks/../../x", "", "a\0b"])
def test_an_index_does_not_lead_out_of_its_folder(tmp_path: Path, path: str) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.network(original("net", "network"), b"{}")
    index = json.loads((Path(run.path) / "index.json").read_text())
    index["objects"][0]["files"][0]["path"] = path
    _spoil(Path(run.path), objects=index["objects"])
    with pytest.raises(ArchiveError, match="is not a path below its run"):
        reader_of(archive, run)


def test_an_index_with_what_is_never_archived_is_damaged(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.network(original("net", "network"), b"{}")
    for file in Path(run.path).rglob("*.json"):
        file.write_text(
            file.read_text()
            .replace('"kind":"network"', '"kind":"build-cache"')
            .replace('"kind": "network"', '"kind": "build-cache"')
        )
    with pytest.raises(ArchiveError, match="it has build cache, which is never archived"):
        reader_of(archive, run)


def test_a_link_in_the_archive_is_not_followed(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.network(original("net", "network"), b"{}")
    networks = Path(run.path) / "networks"
    networks.rename(tmp_path / "elsewhere")
    networks.symlink_to(tmp_path / "elsewhere")
    with reader_of(archive, run) as read, pytest.raises(ArchiveError, match=r"network\.json: Not a directory"):
        read.inspect_of(read.objects[0])


def test_the_time_of_a_run_is_told_in_utc(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    at = datetime.fromisoformat("2026-12-01T01:30:00+02:00")
    with a_run(archive, at=at) as run:
        run.network(original("net", "network"), b"{}")
    assert run.name == "2026-11-30T233000Z-12"
