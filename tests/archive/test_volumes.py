"""Volumes: what was in a folder is in it again, and what cannot be read as it is stays out of the archive."""

import os
import subprocess
from pathlib import Path

import pytest

from dockersweep.errors import ArchiveError, NotArchivedError
from tests.archive.archives import a_run, archive_in, original, reader_of

pytestmark = [pytest.mark.linux, pytest.mark.skipif(os.geteuid() != 0, reason="only root puts back owners")]


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
