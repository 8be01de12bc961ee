"""Verifying: each bit of each file is looked at."""

import random
from pathlib import Path

import pytest

from dockersweep.archive.folder import ArchiveFolder
from dockersweep.archive.verifying import verify
from dockersweep.model.archive import ArchiveProblem
from tests.archive.archives import a_run, archive_in, original
from tests.archive.test_images import IMAGE_ID, old_docker

pytestmark = pytest.mark.linux


def _filled(tmp_path: Path) -> tuple[ArchiveFolder, str]:
    (tmp_path / "volume" / "deep").mkdir(parents=True)
    (tmp_path / "volume" / "deep" / "file").write_bytes(random.Random(1).randbytes(50_000))
    archive = archive_in(tmp_path)
    with a_run(archive) as run:
        run.volume_from_folder(original(), b"{}", tmp_path / "volume")
        run.image(original("app:1", "image", IMAGE_ID), old_docker())
        run.container(original("web", "container", "c" * 64), b"{}", layer=[b"l"], log=[b"{}"], read_from="api")
        run.network(original("net", "network", "n" * 64), b"{}")
    return archive, run.name


def _problems(archive: ArchiveFolder, name: str) -> list[ArchiveProblem]:
    with archive.open_run(name) as run:
        return list(verify(run))


def test_a_flipped_bit_is_told_with_its_file_and_object(tmp_path: Path) -> None:
    archive, name = _filled(tmp_path)
    assert _problems(archive, name) == []
    with archive.open_run(name) as run:
        files = [(one, file) for one in run.objects for file in one.files]
    # Each file once: of its own alone, since no layer is twice in it.
    assert len(files) == len({file.path for _, file in files}) == 14
    for archived, file in files:
        place = Path(archive.path) / name / file.path
        whole = place.read_bytes()
        at = random.Random(file.path).randrange(len(whole) * 8)
        spoiled = bytearray(whole)
        spoiled[at // 8] ^= 1 << at % 8
        place.write_bytes(spoiled)
        (problem,) = _problems(archive, name)
        assert (problem.kind, problem.id, problem.name) == (archived.kind, archived.id, archived.name)
        assert (problem.run, problem.path) == (name, file.path)
        assert problem.text == f"the archive is damaged: {place}: its SHA-256 is not what the index says"
        place.write_bytes(whole)


def test_a_file_that_is_gone_cut_off_or_something_else_is_told(tmp_path: Path) -> None:
    archive, name = _filled(tmp_path)
    place = Path(archive.path) / name / "volumes" / "pg-old" / "data.tar.zst"
    place.write_bytes(place.read_bytes()[:-1])
    (problem,) = _problems(archive, name)
    assert problem.text.endswith("data.tar.zst: its size is not what the index says")
    place.unlink()
    (problem,) = _problems(archive, name)
    assert problem.text.endswith("data.tar.zst: No such file or directory")
    place.mkdir()
    (problem,) = _problems(archive, name)
    assert problem.text.startswith(f"the archive is damaged: {place}: ")
    place.rmdir()
    place.symlink_to("/etc/passwd")
    (problem,) = _problems(archive, name)
    assert problem.text.endswith("data.tar.zst: Too many levels of symbolic links")
