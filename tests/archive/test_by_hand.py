"""What the manual says of restoring without dockersweep: its commands are run as they stand there, on every engine."""

import io
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from dockersweep.archive.run_writer import RunWriter
from tests.archive.archives import a_run, archive_in, original, tar_with
from tests.archive.hostile_trees import Told, make_hostile
from tests.archive.test_images import _archive, _inspected, _remove
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.engines.roots import FORKY_DOCKER
from tests.rig.roff import example_blocks

pytestmark = [pytest.mark.linux, pytest.mark.skipif(os.geteuid() != 0, reason="only root puts back owners")]
PAGE = Path(__file__).parents[2] / "man" / "dockersweep.1"


def _block(word: str) -> str:
    """Return the commands of the manual that have a word, and are for doing without dockersweep."""
    [found] = [block for block in example_blocks(PAGE) if word in block and "dockersweep" not in block]
    return found


def _do(block: str, engine: Engine, folder: Path, run: RunWriter, **variables: str) -> str:
    """Run commands in a folder, with docker's own client; return what they say."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    if not (programs / "docker").exists():
        (programs / "docker").symlink_to(FORKY_DOCKER.build() / "usr/bin/docker")
    environment: Mapping[str, str] = {
        "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder), "RUN": run.path,
        "DOCKER_HOST": f"unix://{engine.socket}", **variables,
    }  # fmt: skip
    done = subprocess.run(
        ["sh", "-ec", block], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_volume(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    litter.volume("pg-old")
    mountpoint = Path(engine.wire.call("GET", "/volumes/pg-old")["Mountpoint"])
    make_hostile(mountpoint / "hostile")
    before = Told(mountpoint)
    with a_run(archive_in(tmp_path)) as run:
        run.volume_from_folder(original(), b"{}", mountpoint)
    engine.wire.call("DELETE", "/volumes/pg-old")
    _do(_block("volumes/$NAME"), engine, tmp_path, run, NAME="pg-old")
    assert Told(Path(engine.wire.call("GET", "/volumes/pg-old")["Mountpoint"])).differs_in(before) == {}


def test_which_run_has_a_volume_and_the_digits_of_an_image(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    app = litter.image("app:1", layers={"own": 3000})
    [tag] = _inspected(engine, app)["RepoTags"]
    archive = archive_in(tmp_path)
    with a_run(archive, 11) as run:
        run.volume_from_tar(original("other"), b"{}", tar_with(b"x"))
    with a_run(archive, 12) as run:
        run.volume_from_tar(original(), b"{}", tar_with(b"x"))
        _archive(run, engine, app, tag)
    said = _do(_block("ls -d"), engine, tmp_path, run, ARCHIVE=archive.path, NAME="pg-old", TAG=tag)
    digits = app.removeprefix("sha256:")
    assert said.splitlines() == [f"{run.path}/volumes/pg-old", f"{run.path}/images/objects/{digits}/object.json"]


def test_one_image_and_all_of_them(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    app = litter.image("app:1", layers={"base": 100_000, "own": 3000})
    other = litter.image("other:1", layers={"base": 100_000, "x": 500})
    before = {image: sorted(_inspected(engine, image)["RepoTags"]) for image in (app, other)}
    with a_run(archive_in(tmp_path)) as run:
        for image, tags in before.items():
            _archive(run, engine, image, *tags)
    _remove(engine, app, other)
    _do(_block("$DIGITS/blobs"), engine, tmp_path, run, DIGITS=app.removeprefix("sha256:"))
    assert [one["Id"].removeprefix("sha256:") for one in engine.wire.call("GET", "/images/json")] == [app[7:]]
    _do(_block("manifest.json blobs"), engine, tmp_path, run)
    assert {image: sorted(_inspected(engine, image)["RepoTags"]) for image in (app, other)} == before


def _layer(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _content(engine: Engine, container: str) -> set[str]:
    exported = engine.wire.raw("GET", f"/containers/{container}/export")
    with tarfile.open(fileobj=io.BytesIO(exported)) as tar:
        return {name.removeprefix("./").strip("/") for name in tar.getnames()}


def test_a_container_with_what_it_wrote_and_deleted(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    litter.image("app:1", layers={"deleted": 1000, "kept": 1000}, runnable=True)
    litter.container("plain", image="app:1", state="created")
    before = _content(engine, "plain")
    assert {"layer/deleted", "layer/kept"} <= before
    layer = _layer({"layer/written": b"x" * 10, "layer/.wh.deleted": b""})
    with a_run(archive_in(tmp_path)) as run:
        web = original("web-1", "container", "c" * 64)
        run.container(web, b"{}", layer=[layer], log=None, read_from="api")
    _do(_block("diff_ids"), engine, tmp_path, run, NAME="web-1", IMAGE="app:1")
    assert _content(engine, "web-1") == before - {"layer/deleted"} | {"layer/written"}
