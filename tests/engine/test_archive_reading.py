"""What is read off real engines for the archive, near and from afar, held against what the engine itself has."""

import io
import json
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from dockersweep.engine.api.lists import ARCHIVING_LABEL
from dockersweep.engine.archiving.volume_containers import LONGEST, empty_image, remove_leftovers
from dockersweep.errors import EngineError, NotArchivedError
from dockersweep.model.inventory import Volume
from tests.rig.archive_reading import PLACE, calls_to, reader_of
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter

Tree = dict[str, tuple[object, ...]]
WORK = (
    "echo out; echo err >&2; cd /layer; rm -r d; mkdir d; echo n > d/new; mv e e2; ln keep keepln; rm gone; "
    "busybox chown 70000:80000 keep2; busybox chmod 4711 keep3; mkfifo pipe; ln -s /nowhere link; "
    "busybox touch -d '1999-01-01 00:00:00' old; mkdir e; echo x > e/again; exit 3"
)
LAYERS: dict[str, int | bytes] = {
    "d/one": 10,
    "d/two": 10,
    "e/f/g": 10,
    "keep": 100,
    "keep2": 100,
    "keep3": 100,
    "gone": 5,
}
OF_THE_ENGINE = (".dockerenv", "dev", "proc", "sys", "etc", "run", "", ".")


def job(litter: Litter) -> str:
    """A container that has done a bit of everything to the files of its image."""
    image = litter.image("rich:1", layers=LAYERS, runnable=True)
    return litter.container("job", image=image, command=WORK, volumes={"inner": "/layer/in"})


def tree(data: bytes, onto: Tree | None = None) -> Tree:
    """Return path -> what it is, of a tar; applied, as a layer, onto what is below."""
    found = dict(onto or {})
    links: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        infos = [(info, file.read() if info.isreg() and (file := tar.extractfile(info)) else b"") for info in tar]
    for info, _ in infos:
        folder, _, name = info.name.removeprefix("./").rpartition("/")
        around = f"{folder}/" if folder else ""
        if name == ".wh..wh..opq":
            found = {path: entry for path, entry in found.items() if not path.startswith(around)}
        elif name.startswith(".wh."):
            gone = f"{around}{name.removeprefix('.wh.')}"
            assert gone in found, "it deletes what is not there"
            found = {path: entry for path, entry in found.items() if path != gone and not path.startswith(f"{gone}/")}
    for info, content in infos:
        path = info.name.removeprefix("./").strip("/")
        if os.path.basename(path).startswith(".wh."):
            continue
        if info.islnk():
            links[path] = info.linkname.removeprefix("./")
            continue
        mode = 0 if info.issym() else stat.S_IMODE(info.mode)
        mtime = 0 if info.isdir() else int(info.mtime)
        found[path] = (info.type, mode, info.uid, info.gid, mtime, info.linkname, content)
    for path, target in links.items():
        found[path] = found[target]
    return found


def without_the_engines(found: Tree) -> Tree:
    return {path: entry for path, entry in found.items() if path.split("/")[0] not in OF_THE_ENGINE}


def exported(engine: Engine, container: str) -> Tree:
    return without_the_engines(tree(engine.wire.raw("GET", f"/containers/{container}/export")))


@pytest.mark.parametrize("near", [True, False])
def test_the_layer_of_a_container_on_its_image_gives_its_files(engine: Engine, litter: Litter, near: bool) -> None:
    container = job(litter)
    fresh = litter.container("fresh", image="rich:1", state="created")
    with reader_of(engine, near) as reader, reader.container(container) as reading:
        assert reading.read_from == ("disk" if near else "api")
        assert reading.layer is not None
        layer = b"".join(reading.layer)
        log = [json.loads(line) for line in reading.log or ()]
        assert reading.not_kept == ([] if near else ["ACLs", "extended attributes", "fractions of a second"])
        assert json.loads(reading.document)["Id"] == container
        reading.check_unchanged()
    below = exported(engine, fresh)
    restored = without_the_engines(tree(layer, below))
    assert restored == exported(engine, container)
    assert set(below) - set(restored) == {"layer/d/one", "layer/d/two", "layer/e/f", "layer/e/f/g", "layer/gone"}
    assert {(line["stream"], line["log"]) for line in log} == {("stdout", "out\n"), ("stderr", "err\n")}


@pytest.mark.parametrize("near", [True, False])
def test_a_container_that_wrote_nothing_has_no_layer(engine: Engine, litter: Litter, near: bool) -> None:
    container = litter.container("idle", command="exit 0")
    with reader_of(engine, near) as reader, reader.container(container) as reading:
        assert reading.layer is None
        assert list(reading.log or ()) == []
        reading.check_unchanged()
        if engine.kind.flavour == "podman":
            # It may still be unmounting the files of a container that has ended, and puts none there then.
            return
        engine.wire.raw("PUT", f"/containers/{container}/archive", tar_with("late"), path="/")
        with pytest.raises(NotArchivedError, match="it changed while it was read"):
            reading.check_unchanged()


def tar_with(name: str) -> bytes:
    """The tar of one empty file."""
    return tarfile.TarInfo(name).tobuf() + bytes(1024)


@pytest.mark.parametrize("near", [True, False])
def test_a_log_that_cannot_be_read_is_told(engine: Engine, litter: Litter, near: bool) -> None:
    body: dict[str, Any] = {"Image": litter.base(), "Cmd": ["x"], "HostConfig": {"NetworkMode": "none"}}
    body["HostConfig"]["LogConfig"] = {"Type": "none"}
    container = engine.wire.call("POST", "/containers/create", body, name="quiet")["Id"]
    with reader_of(engine, near) as reader, reader.container(container) as reading:
        assert list(reading.log or ()) == []


@pytest.mark.parametrize("near", [True, False])
def test_a_volume(engine: Engine, litter: Litter, near: bool) -> None:
    volume = volume_with_files(engine, litter)
    if engine.kind.flavour == "podman" and not near:
        with (
            reader_of(engine, near) as reader,
            pytest.raises(NotArchivedError, match="who owns the files"),
            reader.volume(volume),
        ):
            pass
        return
    with reader_of(engine, near) as reader, reader.volume(volume) as reading:
        assert json.loads(reading.document)["Name"] == "data"
        if near:
            assert reading.folder == volume.mountpoint
            return
        assert reading.tar is not None
        found = tree(b"".join(reading.tar))
    content = b"x" * 5000
    assert found["file"][1:4] == (0o4755, 70000, 4294967294)
    assert found["file"][-1] == found["second"][-1] == content
    assert found["old"][4] == -315619200
    assert set(found) == {".", "file", "second", "old", "folder", "folder/link"}
    assert reading.not_kept == ("ACLs", "extended attributes", "fractions of a second", "sockets")


def volume_with_files(engine: Engine, litter: Litter) -> Volume:
    litter.volume("data")
    told = engine.wire.call("GET", "/volumes/data")
    folder = Path(told["Mountpoint"])
    (folder / "file").write_bytes(b"x" * 5000)
    os.chown(folder / "file", 70000, 4294967294)
    os.chmod(folder / "file", 0o4755)
    os.link(folder / "file", folder / "second")
    (folder / "old").touch()
    os.utime(folder / "old", (0, -315619200))
    (folder / "folder").mkdir()
    (folder / "folder" / "link").symlink_to("/etc/passwd")
    with calls_to(engine) as (client, _):
        volume = client.volume("data")
    assert volume is not None
    return volume


def test_an_image_comes_as_docker_save_writes_it(engine: Engine, litter: Litter) -> None:
    image = litter.image("app:1", layers={"a": 1000, "b": 2000})
    with reader_of(engine, near=False) as reader:
        data = b"".join(reader.image(image))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        file = tar.extractfile("manifest.json")
        assert file is not None
        [entry] = json.load(file)
        assert len(entry["Layers"]) == 2
        assert set(entry["Layers"]) <= set(tar.getnames())


def test_what_is_gone_is_told(engine: Engine) -> None:
    with reader_of(engine, near=False) as reader:
        with pytest.raises(NotArchivedError, match="it is gone"), reader.container("0" * 64):
            pass
        with pytest.raises(EngineError):
            next(reader.image(f"sha256:{'0' * 64}"))


@pytest.mark.on_engines("docker-20.10", "docker-26.1", "docker-28.5", "docker-28.5-containerd")
def test_what_killed_runs_have_left_is_removed_and_what_others_use_is_not(engine: Engine, litter: Litter) -> None:
    litter.volume("data")
    with calls_to(engine) as (client, calls):
        assert calls.clock is not None
        now = calls.clock
        for run, made_at in ((f"{PLACE}-1", now), ("other-1", now), ("other-2", now - 2 * LONGEST)):
            calls.load_images(empty_image(f"dockersweep-archiving:{run}", {ARCHIVING_LABEL: run}, made_at))
            body = {"Image": f"dockersweep-archiving:{run}", "Cmd": ["x"], "Labels": {ARCHIVING_LABEL: run}}
            calls.create_container(f"left-{run}", body)
        # To other runs they are not there.
        assert client.containers() == ()
        remove_leftovers(calls, PLACE, now)
        assert {entry.run for entry in calls.own_images()} == {"other-1", "other-2"}
        assert {entry.run for entry in calls.own_containers()} == {"other-1", "other-2"}
        remove_leftovers(calls, PLACE, now + LONGEST * 1.5)
        assert (calls.own_containers(), calls.own_images()) == ((), ())
