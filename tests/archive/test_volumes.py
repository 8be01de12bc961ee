"""Volumes: what was in a folder is in it again, and what cannot be read as it is stays out of the archive."""

import mmap
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from dockersweep.archive.packing import TAR, open_tree
from dockersweep.archive.programs import Program, output_of, running
from dockersweep.archive.stored_file import StoredFile
from dockersweep.archive.unpacking import unpack
from dockersweep.errors import ArchiveError, NotArchivedError
from dockersweep.model.archive import ArchivedObject
from tests.archive.archives import a_run, archive_in, original, reader_of
from tests.archive.hostile_trees import DATA_AT, DATA_BYTES, SPARSE_BYTES, Told, make_hostile, make_too_deep, socket_in

pytestmark = [pytest.mark.linux, pytest.mark.skipif(os.geteuid() != 0, reason="only root puts back owners")]
ROOT = Path(__file__).parents[2]


def test_a_volume_comes_back_as_it_was(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    (volume / "deep").mkdir(parents=True)
    (volume / "deep" / "file").write_text("told")
    (volume / "link").symlink_to("/etc/passwd")
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        archived = run.volume_from_folder(original(), b'{"Name": "pg-old"}', volume)
    assert (archived.entries, archived.not_kept, archived.read_from) == (4, (), "disk")
    (tmp_path / "back").mkdir()
    with reader_of(archive, run) as read:
        assert read.unpack(read.objects[0], tmp_path / "back") == []
    assert subprocess.run(["diff", "-r", "--no-dereference", volume, tmp_path / "back"], check=False).returncode == 0


def _put_back(tmp_path: Path, volume: Path) -> tuple[ArchivedObject, Path]:
    """Archive a folder, unpack it, and return both."""
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        archived = run.volume_from_folder(original(), b"{}", volume)
    back = tmp_path / "back"
    back.mkdir()
    with reader_of(archive, run) as read:
        assert read.unpack(read.objects[0], back) == []
    return archived, back


def test_whatever_a_volume_can_have_comes_back(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    make_hostile(volume)
    before = Told(volume)
    archived, back = _put_back(tmp_path, volume)
    assert archived.not_kept == ()
    # Reading it has not changed it.
    assert Told(volume).differs_in(before) == {}
    assert Told(back).differs_in(before) == {}
    sparse, again = volume / "kinds" / "sparse", back / "kinds" / "sparse"
    # What is no data is holes, as it takes nothing: to read all of it would take longer than all other tests.
    assert again.stat().st_size == SPARSE_BYTES
    assert again.stat().st_blocks * 512 < 2_000_000
    for at in DATA_AT:
        subprocess.run(["cmp", "-n", str(DATA_BYTES), "-i", str(at), sparse, again], check=True)
    assert sum(file.size_bytes for file in archived.files) < 2_000_000


def test_nothing_is_put_into_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.volume_from_folder(original(), b"{}", tmp_path / "volume")
    (tmp_path / "back" / "something").mkdir(parents=True)
    with reader_of(archive, run) as read, pytest.raises(ArchiveError, match=r"nothing is put into .*: it is not empty"):
        read.unpack(read.objects[0], tmp_path / "back")


def test_a_folder_that_is_gone_or_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    os.chown(tmp_path / "link", 1000, 1000, follow_symlinks=False)
    with a_run(archive_in(tmp_path)) as run:
        for name in ("none", "link"):
            with pytest.raises(NotArchivedError, match="it cannot be read"):
                run.volume_from_folder(original(), b"{}", tmp_path / name)
    assert archive_in(tmp_path).run_names() == ()


def test_what_tar_leaves_out_is_told(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    (volume / "deep").mkdir(parents=True)
    os.mkfifo(volume / "fifo")
    os.link(volume / "fifo", volume / "deep" / "fifo")
    with socket_in(volume, "one"), socket_in(volume / "deep", "two"):
        archived, back = _put_back(tmp_path, volume)
    assert archived.not_kept == ("2 sockets", "hard links of pipes and devices")
    assert sorted(path.name for path in back.rglob("*")) == ["deep", "fifo", "fifo"]


def test_a_path_that_nothing_could_put_back_is_not_archived(tmp_path: Path) -> None:
    for length, is_too_long in ((4090, False), (4091, True), (9000, True)):
        folder = tmp_path / str(length)
        folder.mkdir()
        make_too_deep(folder / "volume", length)
        if not is_too_long:
            _put_back(folder, folder / "volume")
        else:
            with (
                a_run(archive_in(folder)) as run,
                pytest.raises(NotArchivedError, match=r"a path of \d+ bytes, which no system call"),
            ):
                run.volume_from_folder(original(), b"{}", folder / "volume")
        # What pytest deletes with cannot take such a path.
        subprocess.run(["rm", "-rf", folder], check=True)


CHANGES: dict[str, str] = {
    "a file is written": "echo more >>file",
    "a file is there": "touch new",
    "a file is gone": "rm file",
    "a file is renamed": "mv file other",
    "a file is replaced by one alike": "cp -p file new && mv new file",
    "a mode": "chmod 600 file",
    "an owner": "chown 5 file",
    "a time, put back": "touch file && touch -d @1000000000 file",
    "an attribute": "setfattr -n user.x -v y file",
    "a folder": "mkdir new && rmdir new",
    "a link": "ln file new",
    "a file deep in it": "echo x >deep/down/file",
}


def test_a_file_that_is_mapped_for_writing_may_change_unseen(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    for name in ("read", "written"):
        (volume / name).write_bytes(b"x" * 8192)
    with (
        a_run(archive_in(tmp_path)) as run,
        open(volume / "read", "rb") as read,
        mmap.mmap(read.fileno(), 0, access=mmap.ACCESS_READ),
    ):
        run.volume_from_folder(original("one"), b"{}", volume)
    with a_run(archive_in(tmp_path)) as run:
        with open(volume / "written", "r+b") as file, mmap.mmap(file.fileno(), 0):
            with pytest.raises(
                NotArchivedError, match=rf"process {os.getpid()} has a file .* for writing: \./written$"
            ):
                run.volume_from_folder(original(), b"{}", volume)
            (tmp_path / "other").mkdir()
            run.volume_from_folder(original("other"), b"{}", tmp_path / "other")
        assert os.listdir(f"{run.path}/volumes") == ["other"]


def test_what_changes_while_it_is_brought_to_the_disk_is_not_archived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    sync = StoredFile.sync

    def changing(file: StoredFile) -> None:
        sync(file)
        if file.path.endswith("/data.tar.zst"):
            (volume / "late").touch()

    monkeypatch.setattr(StoredFile, "sync", changing)
    with a_run(archive_in(tmp_path)) as run:
        with pytest.raises(NotArchivedError, match="it changed while it was read"):
            run.volume_from_folder(original(), b"{}", volume)
        assert os.listdir(f"{run.path}/volumes") == []


@pytest.mark.parametrize("command", CHANGES.values(), ids=CHANGES)
def test_what_changes_while_it_is_read_is_not_archived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    volume = tmp_path / "volume"
    (volume / "deep" / "down").mkdir(parents=True)
    (volume / "file").write_text("x")
    subprocess.run(["touch", "-d", "@1000000000", volume / "file"], check=True)

    def changing(program: Program) -> Iterator[memoryview]:
        yield from output_of(program)
        subprocess.run(["sh", "-ec", command], cwd=volume, check=True)

    monkeypatch.setattr("dockersweep.archive.packing.output_of", changing)
    with a_run(archive_in(tmp_path)) as run:
        with pytest.raises(NotArchivedError, match="it changed while it was read"):
            run.volume_from_folder(original(), b"{}", volume)
        assert os.listdir(f"{run.path}/volumes") == []


def test_what_tar_says_of_a_change_is_a_change(tmp_path: Path) -> None:
    """Also where the change is undone before anybody looks again: a file that grows while it is read."""
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "file").write_bytes(b"x" * 300_000_000)
    with a_run(archive_in(tmp_path)) as run:
        growing = subprocess.Popen(["sh", "-c", "while echo more >>file; do :; done"], cwd=volume)
        try:
            with pytest.raises(NotArchivedError, match=r"it changed while it was read(: \./file: file changed|$)"):
                run.volume_from_folder(original(), b"{}", volume)
        finally:
            growing.kill()
            growing.wait()


WITHOUT_PASSING_OVER = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""Runs a program for which permissions count, and for those that it starts."""
ARCHIVING = """
import sys
from pathlib import Path
from dockersweep.errors import NotArchivedError
from tests.archive.archives import a_run, archive_in, original
with a_run(archive_in(Path(sys.argv[1]))) as run:
    try:
        run.volume_from_folder(original(), b"{}", sys.argv[2])
    except NotArchivedError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("shut", "text"),
    [
        ("shut/file\nnamed", "it cannot be read in full: ./shut/file\\nnamed: Cannot open: Permission denied\n"),
        ("shut", "it cannot be read in full: './shut': Permission denied\n"),
    ],
)
def test_what_cannot_be_read_is_not_archived_and_named(tmp_path: Path, shut: str, text: str) -> None:
    volume = tmp_path / "volume"
    (volume / "shut").mkdir(parents=True)
    (volume / "shut" / "file\nnamed").write_text("x")
    (volume / shut).chmod(0)
    command = [*WITHOUT_PASSING_OVER, sys.executable, "-c", ARCHIVING, str(tmp_path), str(volume)]
    assert subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout == text


def test_who_is_not_shown_all_attributes_says_so(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "file").write_text("x")
    os.setxattr(volume / "file", "trusted.mark", b"1")
    told = "import sys; from tests.archive.test_volumes import _put_back; from pathlib import Path; "
    told += "print(_put_back(Path(sys.argv[1]), Path(sys.argv[2]))[0].not_kept)"
    command = ["setpriv", "--bounding-set", "-sys_admin", sys.executable, "-c", told, str(tmp_path), str(volume)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout == "('trusted.* attributes',)\n"
    assert os.listxattr(tmp_path / "back" / "file") == []


def test_a_file_system_below_it_is_not_passed_over(tmp_path: Path) -> None:
    mounted = tmp_path / "a volume" / "mounted"
    mounted.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
    try:
        with (
            a_run(archive_in(tmp_path)) as run,
            pytest.raises(NotArchivedError, match="another file system is mounted in it, at "),
        ):
            run.volume_from_folder(original(), b"{}", tmp_path / "a volume")
    finally:
        subprocess.run(["umount", mounted], check=True)


def test_a_disk_that_is_full_when_files_are_put_back_is_told(tmp_path: Path) -> None:
    volume, small = tmp_path / "volume", tmp_path / "small"
    volume.mkdir()
    small.mkdir()
    (volume / "file").write_bytes(os.urandom(1_500_000))
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.volume_from_folder(original(), b"{}", volume)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    try:
        with reader_of(archive, run) as read, pytest.raises(ArchiveError, match="put back: its disk is full: tar: "):
            read.unpack(read.objects[0], small)
    finally:
        subprocess.run(["umount", small], check=True)


SWAPPING = "while :; do for d in f*; do mv $d ../aside && ln -s ../outside $d && rm $d && mv ../aside $d; done; done"
"""Each folder becomes a link and a folder again, all the time."""


def test_nothing_outside_is_read_where_folders_become_links(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("the secret of the host")
    volume = tmp_path / "volume"
    for number in range(100):
        (volume / f"f{number}").mkdir(parents=True)
        (volume / f"f{number}" / "secret").write_text("of the volume")
    swapping = subprocess.Popen(["sh", "-c", SWAPPING], cwd=volume, stderr=subprocess.DEVNULL)
    try:
        followed = tried = 0
        # On a busy machine the links are swapped by fits and starts.
        while tried < 20 or (not followed and tried < 400):
            tried += 1
            with open_tree(volume) as tree, running(TAR, tree) as program:
                read = b"".join(map(bytes, output_of(program)))
            assert b"of the volume" in read
            assert b"the secret of the host" not in read
            # What follows links does meet it.
            careless = subprocess.run("cat */secret 2>&1", shell=True, cwd=volume, check=False, capture_output=True)
            followed += b"the secret of the host" in careless.stdout
        assert followed
    finally:
        swapping.kill()
        swapping.wait()


def test_a_difference_after_it_was_put_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = tmp_path / "volume"
    make_hostile(volume)
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.volume_from_folder(original(), b"{}", volume)
    monkeypatch.setattr("dockersweep.archive.comparing.PATHS_AT_ONCE", 10)
    spoiling = {
        "chmod 4711 owned/d222": ["./owned/d222"],
        "setfattr -n user.plain -v other attributes/file": ["./attributes/file"],
        "setfattr -x security.capability attributes/capable": ["./attributes/capable"],
        "cp -p linked/z/third linked/z/new && mv linked/z/new linked/z/third": ["./linked/z/third"],
        "rm kinds/block && mknod -m 660 kinds/block b 259 999 && touch -r kinds kinds/block": ["./kinds/block"],
        "truncate -s 1 timed/file0 && touch -d @0 timed/file0": [],
        "ln -sfn elsewhere timed/link0": ["./timed", "./timed/link0"],
    }  # fmt: skip
    for number, (command, paths) in enumerate(spoiling.items()):
        back = tmp_path / f"back{number}"
        back.mkdir()
        with reader_of(archive, run) as read:

            def spoiled(tar: Iterable[bytes], folder: int, command: str = command, back: Path = back) -> None:
                unpack(tar, folder)
                subprocess.run(["sh", "-ec", command], cwd=back, check=True)

            monkeypatch.setattr("dockersweep.archive.run_reader.unpack", spoiled)
            found = read.unpack(read.objects[0], back)
        assert set(found) >= set(paths), command


def test_a_damaged_archive_is_not_taken_for_whole(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "file").write_bytes(os.urandom(100_000))
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.volume_from_folder(original(), b"{}", volume)
    data = Path(run.path) / "volumes" / "pg-old" / "data.tar.zst"
    whole = data.read_bytes()
    for at in (5, len(whole) // 2, len(whole) - 1):
        data.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        (tmp_path / f"back{at}").mkdir()
        with reader_of(archive, run) as read, pytest.raises(ArchiveError, match=f"the archive is damaged: {data}: "):
            read.unpack(read.objects[0], tmp_path / f"back{at}")
