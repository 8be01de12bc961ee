"""A sweep with an archive on real engines, and what `restore` gives back of it."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_tcp import forwarded
from tests.rig import hostile_tree
from tests.rig.engines.archive import tar
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import OLDEST_AND_NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.engines.scenarios_registry import registry
from tests.rig.next_second import next_second
from tests.rig.recorder import BreakOffError
from tests.rig.running import Run, dockersweep, on_a_terminal

SWEEP = ("sweep", "--yes", "--older-than", "0s", "--named-volumes", "--all-images", "--archive")


def sweep(engine: Engine, *flags: str) -> int:
    """Sweep with an archive all that is unused; return the number of the run."""
    done = dockersweep(*SWEEP, *flags, "--format", "json", host=engine.url)
    assert done.status == 0, done
    run: int = done.json()["run"]
    return run


def restore(engine: Engine, *arguments: str, status: int = 0, host: str | None = None) -> dict[str, Any]:
    """Restore, and return the document."""
    done = dockersweep("restore", *arguments, "--yes", "--format", "json", host=host or engine.url)
    assert done.status == status, done
    document: dict[str, Any] = done.json()
    return document


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {f"{one['kind']} {one['as_name'].removeprefix('localhost/')}": one["status"] for one in document["restored"]}


def folder_of(engine: Engine, volume: str) -> Path:
    return Path(engine.wire.call("GET", f"/volumes/{volume}")["Mountpoint"])


def files_of(engine: Engine, container: str) -> dict[str, tarfile.TarInfo]:
    """Return all files of a container, by path."""
    with tarfile.open(fileobj=io.BytesIO(engine.wire.raw("GET", f"/containers/{container}/export"))) as tar:
        return {member.name.removeprefix("./"): member for member in tar}


@pytest.mark.linux
def test_a_volume_comes_back_with_everything_in_it(engine: Engine, litter: Litter) -> None:
    litter.volume("pg-old", labels={"team": "db"})
    folder = folder_of(engine, "pg-old")
    hostile_tree.fill(folder)
    before = hostile_tree.told_by_find(folder), hostile_tree.told_of_attributes(folder), hostile_tree.contents(folder)
    assert len(before[0]) > 40
    document = engine.wire.call("GET", "/volumes/pg-old")
    run = sweep(engine)
    assert not folder.exists()
    made = restore(engine, "pg-old")
    assert statuses(made) == {"volume pg-old": "restored"}
    assert made["restored"][0]["told"] == []
    folder = folder_of(engine, "pg-old")
    after = hostile_tree.told_by_find(folder), hostile_tree.told_of_attributes(folder), hostile_tree.contents(folder)
    assert after == before
    assert os.stat(folder / "sparse").st_blocks * 512 < 10_000_000
    again = engine.wire.call("GET", "/volumes/pg-old")
    label = again["Labels"].pop("dockersweep.restored-from")
    assert label.split()[0] == str(run)
    for key in ("Name", "Driver", "Labels", "Options", "Mountpoint"):
        assert (again.get(key) or None) == (document.get(key) or None)
    # Another one is under another name, and nothing touches what is there.
    assert statuses(restore(engine, "pg-old", "--as", "pg-2")) == {"volume pg-2": "restored"}
    (folder / "plain").write_text("new")
    assert statuses(restore(engine, "pg-old")) == {"volume pg-old": "skipped"}
    assert (folder / "plain").read_text() == "new"
    engine.wire.call("DELETE", "/volumes/pg-old")
    litter.volume("pg-old")
    for flag in ("--yes", "--dry-run"):
        done = dockersweep("restore", "pg-old", flag, host=engine.url)
        assert done.status == 3
        assert "volume pg-old skipped: a volume of this name is there: remove it first, or give" in done.stderr
    assert hostile_tree.told_by_find(folder_of(engine, "pg-2")) == before[0]
    engine.wipe()


@pytest.mark.on_engines("docker-20.10", "docker-28.5-containerd")
def test_a_run_comes_back_from_afar(engine: Engine, litter: Litter) -> None:
    litter.volume("data", size=1000)
    litter.container("web", volumes={"data": "/data"}, command="rm /bin/cat; echo x > /new")
    before = hostile_tree.told_by_find(folder_of(engine, "data"), times="%TY-%Tm-%Td %TH:%TM:%.2TS")
    with forwarded(engine.socket) as port:
        url = f"tcp://127.0.0.1:{port}"
        done = dockersweep(*SWEEP, "--format", "json", host=url)
        assert done.status == 0, done
        made = restore(engine, str(done.json()["run"]), host=url)
    assert set(statuses(made).values()) == {"restored"}
    assert hostile_tree.told_by_find(folder_of(engine, "data"), times="%TY-%Tm-%Td %TH:%TM:%.2TS") == before
    files = files_of(engine, "web")
    assert ("bin/cat" in files, "new" in files) == (False, True)
    # What it took is gone.
    assert len(engine.wire.call("GET", "/containers/json", all="1")) == 1
    assert not [one for one in engine.wire.images() if "dockersweep-archiving" in str(one)]
    engine.wipe()


def test_a_run_comes_back_with_all_that_belongs_together(engine: Engine, litter: Litter) -> None:
    image = litter.image("app:1", layers={"a": 1000, "b": 1000}, runnable=True, tags=["app:2"])
    litter.volume("data", size=1000, labels={"a": "b"})
    engine.docker("network", "create", "--internal", "--subnet", "10.77.0.0/24", "--label", "n=1", "front")
    web = litter.container(
        "web",
        image="app:1",
        command="rm /bin/cat; echo hi > /new; chmod 4700 /new; rm -r /layer; mkdir /layer; echo x > /layer/y; exit 0",
        volumes={"data": "/data"},
        anonymous_volumes=["/own"],
        networks=["front"],
        labels={"l": "1"},
        restart="on-failure:2",
    )
    litter.container("idle", image="app:2", state="created")
    files, before = files_of(engine, web), engine.wire.call("GET", "/containers/web/json")
    run = sweep(engine)
    assert engine.wire.call("GET", "/containers/json", all="1") == []
    made = restore(engine, str(run))
    assert set(statuses(made).values()) == {"restored"}
    kinds = [one["kind"] for one in made["restored"]]
    assert list(dict.fromkeys(kinds)) == ["network", "volume", "image", "container"]
    names = {tag.rpartition("/")[2] for tag in litter.image_tags(image)}
    assert names == {"app:1", "app:2"}
    after = engine.wire.call("GET", "/containers/web/json")
    assert after["State"]["Status"] == "created"
    assert after["Config"]["Image"].removeprefix("localhost/") == f"dockersweep-restored/web:{run}"
    marks = [after["Config"]["Labels"].pop("dockersweep.restored-from")]
    marks += [engine.wire.call("GET", "/networks/front")["Labels"]["dockersweep.restored-from"]]
    layered = engine.wire.call("GET", f"/images/{after['Config']['Image']}/json")
    assert [*marks, layered["Config"]["Labels"]["dockersweep.restored-from"]] == [str(run)] * 3
    for key in ("Cmd", "Env", "Labels", "WorkingDir", "User"):
        assert _plain(after["Config"].get(key)) == _plain(before["Config"].get(key))
    assert after["HostConfig"]["RestartPolicy"] == before["HostConfig"]["RestartPolicy"]
    assert _mounted(after) == _mounted(before)
    assert after["NetworkSettings"]["Networks"].keys() == before["NetworkSettings"]["Networks"].keys()
    again = files_of(engine, "web")
    assert "bin/cat" not in again
    assert "layer/a" not in again
    for path in ("new", "layer/y", "bin/sh", "layer"):
        for fact in ("type", "uid", "gid", "size", "mtime"):
            assert getattr(again[path], fact) == getattr(files[path], fact), (path, fact)
        assert again[path].mode & 0o7777 == files[path].mode & 0o7777
    idle = engine.wire.call("GET", "/containers/idle/json")
    assert "dockersweep-restored" not in idle["Config"]["Image"]
    litter.start("web")
    # Its first command fails: the file is deleted.
    assert litter.wait("web") == 0
    engine.wipe()


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value or None


def _mounted(document: dict[str, Any]) -> list[tuple[str, str, bool]]:
    return sorted((mount["Destination"], mount["Name"], mount["RW"]) for mount in document["Mounts"])


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
def test_a_tag_that_was_only_taken_off_is_put_back(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    image = litter.image("kept:1", layers={"k": 10}, tags=["kept:tmp-1", "kept:tmp-2"])
    policy = tmp_path / "policy.toml"
    rule = 'name = "tmp"\nkind = "image"\nmatch.tag = "tmp-*"\nremove.older_than = "0s"\n'
    policy.write_text(f"version = 1\n[[rule]]\n{rule}")
    done = dockersweep("sweep", "--yes", "--policy", str(policy), "--format", "json", host=engine.url)
    run = str(done.json()["run"])
    assert [tag.rpartition("/")[2] for tag in litter.image_tags(image)] == ["kept:1"]
    made = restore(engine, run)
    assert [(one["action"], one["status"]) for one in made["restored"]] == [("tag", "restored")] * 2
    assert {tag.rpartition("/")[2] for tag in litter.image_tags(image)} == {"kept:1", "kept:tmp-1", "kept:tmp-2"}
    assert statuses(restore(engine, "kept:tmp-1")) == {"image kept:tmp-1": "skipped"}
    engine.wipe()


@pytest.mark.on_engines("docker-20.10", "docker-28.5", "docker-28.5-containerd")
def test_an_image_that_a_registry_has_is_pulled_again(engine: Engine, litter: Litter) -> None:
    busybox = litter.base()
    saved = engine.wire.raw("GET", f"/images/{busybox}/get")
    with registry(engine) as source:
        # Compressed, as layers from registries are.
        source.offer("1", [_layer_of(saved), tar({"second": b"x" * 100})])
        source.pull("app", "1")
        name = f"{source.address}/app:1"
        engine.wire.raw("POST", f"/images/{name}/tag", repo="also", tag="2")
        image = engine.wire.call("GET", f"/images/{name}/json")["Id"]
        litter.container("web", image=name, command="rm /second; echo x > /new")
        run = sweep(engine)
        made = restore(engine, str(run))
        of_image = next(one for one in made["restored"] if one["id"] == image)
        assert (of_image["how"], of_image["status"]) == ("pull", "restored")
        again = engine.wire.call("GET", f"/images/{name}/json")
        assert again["Id"] == image
        # The containerd store keeps the reference by which it was pulled, too.
        tags = {tag.rpartition("/")[2] for tag in again["RepoTags"] if "@" not in tag}
        assert tags == {"app:1", "also:2"}
        files = files_of(engine, "web")
        assert ("second" in files, "new" in files) == (False, True)
        litter.start("web")
        assert litter.wait("web") in (0, 1)
    engine.wire.call("DELETE", "/containers/web")
    for one in engine.wire.images():
        for tag in one["RepoTags"]:
            engine.wire.call("DELETE", f"/images/{tag}", tolerate=(404,), noprune="1")
    made = restore(engine, "also:2", "--run", str(run), status=3)
    assert made["restored"][0]["status"] == "failed"
    assert "it cannot be pulled" in made["restored"][0]["detail"]
    engine.wipe()


def _layer_of(saved: bytes) -> bytes:
    """Return the lowest layer of an image."""
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        layer = archive.extractfile(json.load(manifest)[0]["Layers"][0])
        assert layer is not None
        return layer.read()


@pytest.mark.enough_on("docker-28.5", "podman-6.1")
def test_an_empty_volume_is_not_filled_from_an_image(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"data": 1000}, runnable=True)
    litter.volume("empty")
    # The folder of that layer has a file.
    litter.container("web", image="app:1", volumes={"empty": "/layer"}, state="created")
    folder = folder_of(engine, "empty")
    for name in os.listdir(folder):
        (folder / name).unlink()
    sweep(engine)
    assert set(statuses(restore(engine, "web")).values()) == {"restored"}
    assert os.listdir(folder_of(engine, "empty")) == []
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_nothing_is_left_of_a_container_that_cannot_be_made(engine: Engine, litter: Litter) -> None:
    litter.container("web", command="echo x > /new")
    run = sweep(engine)
    done: list[str] = []

    def take_its_name(request: Any) -> None:
        if request.path == "/containers/create" and not done:
            done.append(litter.container("web", state="created"))

    with engine.recorder.recording() as recording:
        recording.before = take_its_name
        made = restore(engine, str(run), status=3)
    assert statuses(made)["container web"] == "skipped"
    assert not [one for one in engine.wire.images() if "dockersweep-restored" in str(one)]
    assert [one["Id"] for one in engine.wire.call("GET", "/containers/json", all="1")] == done
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_on_a_terminal_it_shows_what_it_makes_and_asks(engine: Engine, litter: Litter) -> None:
    litter.volume("pg-old", size=10)
    sweep(engine)
    for answer, there in (("n\n", []), ("y\n", ["pg-old"])):
        status, shown = on_a_terminal(["-H", engine.url, "restore", "pg-old"], answer)
        assert status == 0
        assert "pg-old" in shown
        assert "Restore 1 volume? [y/N]" in shown
        assert ("nothing restored: not confirmed" in shown) == (answer == "n\n")
        assert [one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"] or ()] == there
    engine.wipe()


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
def test_one_container_brings_back_what_it_needs(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"a": 1000}, runnable=True)
    litter.volume("data", size=10)
    litter.network("back")
    litter.container("web", image="app:1", volumes={"data": "/data"}, networks=["back"], state="created")
    litter.volume("other", size=10)
    sweep(engine)
    shown = dockersweep("restore", "web", "--dry-run", host=engine.url)
    assert shown.status == 0
    assert shown.stdout.count("needed by container web") == 3
    assert not engine.wire.call("GET", "/containers/json", all="1")
    made = restore(engine, "web")
    assert list(statuses(made)) == ["network back", "volume data", "image app:1", "container web"]
    assert set(statuses(made).values()) == {"restored"}
    names = {volume["Name"] for volume in engine.wire.call("GET", "/volumes")["Volumes"]}
    assert names == {"data"}
    engine.wipe()


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
def test_a_container_whose_volume_nothing_keeps_is_not_made(engine: Engine, litter: Litter) -> None:
    litter.volume("data", size=10)
    litter.container("web", volumes={"data": "/data"}, state="created")
    sweep(engine, "--keep-name", "data")
    engine.wire.call("DELETE", "/volumes/data")
    made = restore(engine, "web", status=3)
    assert statuses(made)["container web"] == "skipped"
    assert "its volume data is gone, and nothing keeps it" in made["restored"][-1]["detail"]
    assert not engine.wire.call("GET", "/volumes")["Volumes"]
    engine.docker("volume", "create", "data")
    assert statuses(restore(engine, "web"))["container web"] == "restored"
    engine.wipe()


@pytest.mark.enough_on("docker-28.5-containerd", "podman-6.1")
def test_names_that_are_taken_by_now_stay_what_they_are(engine: Engine, litter: Litter) -> None:
    old = litter.image("app:1", layers={"a": 10}, tags=["app:2"])
    engine.docker("network", "create", "--internal", "--subnet", "10.77.0.0/24", "front")
    run = sweep(engine)
    new = litter.image("app:1", layers={"b": 10})
    engine.docker("network", "create", "--internal", "--subnet", "10.77.0.0/16", "other")
    made = restore(engine, str(run), status=3)
    by_name = {one["name"].removeprefix("localhost/"): one for one in made["restored"]}
    assert by_name["front"]["status"] == "skipped"
    assert "its subnet 10.77.0.0/24 overlaps that of network other" in by_name["front"]["detail"]
    image = next(one for one in made["restored"] if one["kind"] == "image")
    assert image["status"] == "restored"
    assert "names another image by now" in image["told"][0]
    assert [tag.rpartition("/")[2] for tag in litter.image_tags(old)] == ["app:2"]
    assert [tag.rpartition("/")[2] for tag in litter.image_tags(new)] == ["app:1"]
    renamed = restore(engine, "front", "--as", "front-2")
    assert renamed["restored"][0]["told"] == [
        "its subnet 10.77.0.0/24 overlaps that of network other: it gets another subnet"
    ]
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_what_is_damaged_in_the_archive_is_not_restored(engine: Engine, litter: Litter) -> None:
    litter.volume("data", size=100_000)
    litter.volume("good", size=10)
    run = sweep(engine)
    state = Path(os.environ["DOCKERSWEEP_STATE_DIR"])
    [file] = state.glob("archive/*/volumes/data/data.tar.zst")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    made = restore(engine, str(run), status=3)
    assert statuses(made) == {"volume data": "failed", "volume good": "restored"}
    assert "damaged" in next(one["detail"] for one in made["restored"] if one["name"] == "data")
    names = {volume["Name"] for volume in engine.wire.call("GET", "/volumes")["Volumes"]}
    assert names == {"good"}
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_a_half_made_volume_is_told_by_the_next_restore(engine: Engine, litter: Litter) -> None:
    litter.volume("data", size=100_000)
    sweep(engine)

    def kill(request: Any) -> None:
        if request.path == "/volumes/data" and request.method == "GET":
            os.kill(request.pid, 9)

    with engine.recorder.recording() as recording:
        recording.before = kill
        done = dockersweep("restore", "data", "--yes", host=engine.url)
    assert done.status == -9
    made = restore(engine, "data", status=3)
    assert statuses(made) == {"volume data": "skipped"}
    assert "which was restoring it, did not end, so it may not be whole" in made["restored"][0]["detail"]
    engine.wire.call("DELETE", "/volumes/data")
    # Somebody's own, which nobody may be told to remove; and then what a later run has made in full.
    litter.volume("data")
    assert "did not end" not in restore(engine, "data", status=3)["restored"][0]["detail"]
    engine.wire.call("DELETE", "/volumes/data")
    assert statuses(restore(engine, "data")) == {"volume data": "restored"}
    assert "did not end" not in restore(engine, "data")["restored"][0]["detail"]
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_a_tag_that_the_engine_does_not_take_leaves_no_image_without_one(engine: Engine, litter: Litter) -> None:
    litter.image("app:1")
    sweep(engine)
    assert statuses(restore(engine, "app:1", "--as", "UPPER:x", status=3)) == {"image UPPER:x": "failed"}
    assert engine.wire.images() == []
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_a_signal_lets_the_object_at_hand_be_made(engine: Engine, litter: Litter) -> None:
    for name in ("va", "vb", "vc"):
        litter.volume(name, size=10)
    run = sweep(engine)

    def interrupt(request: Any) -> None:
        if request.path == "/volumes/create" and len(recording.of("POST")) == 2:
            os.kill(request.pid, signal.SIGINT)

    with engine.recorder.recording() as recording:
        recording.before = interrupt
        made = restore(engine, str(run), status=130)
    assert statuses(made) == {"volume va": "restored", "volume vb": "restored", "volume vc": "not-attempted"}
    assert made["ended_early"] == "interrupted"
    assert set(statuses(restore(engine, str(run))).values()) == {"restored", "skipped"}
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_an_answer_that_never_comes_leaves_nothing_half_made(engine: Engine, litter: Litter) -> None:
    for name in ("va", "vb"):
        litter.volume(name, size=10)
    run = sweep(engine)
    with engine.recorder.recording() as recording:
        # The engine has made the first one.
        recording.swallows = lambda request: request.path == "/volumes/create" and len(recording.of("POST")) == 1
        made = restore(engine, str(run), status=3)
    assert statuses(made) == {"volume va": "failed", "volume vb": "restored"}
    assert made["restored"][0]["detail"].startswith("what became of it is not known")
    assert [one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"]] == ["vb"]
    assert statuses(restore(engine, str(run))) == {"volume va": "restored", "volume vb": "skipped"}
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_an_engine_that_goes_away_ends_it(engine: Engine, litter: Litter) -> None:
    for name in ("va", "vb"):
        litter.volume(name, size=10)
    run = sweep(engine)

    gone: list[str] = []

    def end(request: Any) -> None:
        if gone or request.path == "/volumes/create":
            gone.append(request.path)
            raise BreakOffError

    with engine.recorder.recording() as recording:
        recording.before = end
        made = restore(engine, str(run), status=5)
    assert statuses(made) == {"volume va": "failed", "volume vb": "not-attempted"}
    assert statuses(restore(engine, str(run))) == {"volume va": "restored", "volume vb": "restored"}
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_a_volume_that_appears_in_between_is_not_touched(engine: Engine, litter: Litter) -> None:
    litter.volume("data", size=100_000)
    sweep(engine)
    done: list[str] = []

    def appear(request: Any) -> None:
        if request.path == "/volumes/create" and not done:
            done.append(litter.volume("data"))
            (folder_of(engine, "data") / "mine").write_text("mine")

    with engine.recorder.recording() as recording:
        recording.before = appear
        made = restore(engine, "data", status=3)
    assert statuses(made) == {"volume data": "skipped"}
    assert os.listdir(folder_of(engine, "data")) == ["mine"]
    engine.wipe()


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
def test_what_was_restored_can_be_kept_by_its_label(engine: Engine, litter: Litter) -> None:
    litter.volume("data", size=10)
    litter.network("front")
    litter.container("web", command="echo x > /new")
    run = sweep(engine)
    shown = dockersweep("restore", str(run), "--yes", host=engine.url).stdout
    told = " ".join(shown.split())
    assert "Not as they were: creation times; ids of networks; ids and exit codes of containers, whose logs" in told
    assert "The same rule can remove again what was restored: use it, or keep it with --keep-label" in told
    assert set(statuses(restore(engine, str(run))).values()) == {"skipped"}
    flags = ("--older-than", "0s", "--named-volumes", "--all-images", "--format", "json")
    plan = dockersweep("plan", *flags, host=engine.url).json()
    assert {one["kind"] for one in plan["removals"]} >= {"volume", "network", "container"}
    plan = dockersweep("plan", *flags, "--keep-label", "dockersweep.restored-from", host=engine.url).json()
    # The image that the container had is as it was, and needs another flag.
    assert [one["kind"] for one in plan["removals"] if one["kind"] not in ("build-cache", "image")] == []
    assert not [one for one in plan["removals"] if "dockersweep-restored" in one["name"]]
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_history_and_explain_say_how_to_take_it_back(engine: Engine, litter: Litter) -> None:
    litter.volume("pg-old", size=10)
    run = sweep(engine)
    command = f"`dockersweep restore pg-old --run {run}`"
    assert f"{command} takes it back" in dockersweep("history", "--object", "pg-old").stdout
    assert f"`dockersweep restore {run}` takes back what can be made again" in dockersweep("history", str(run)).stdout
    gone = dockersweep("explain", "pg-old", host=engine.url)
    assert (gone.status, f"Run {run} removed it: {command} takes it back" in gone.stderr) == (2, True)
    made = restore(engine, "pg-old")
    assert made["run"] == run + 1
    told = dockersweep("history", str(made["run"])).stdout
    assert "restored  volume  pg-old" in told
    assert f"removed by run {run}" in told
    assert "restored 1 volume" in dockersweep("history").stdout
    document = json.loads(dockersweep("history", "--object", "pg-old", "--format", "json").stdout)
    assert [one["status"] for one in document["restorations"]] == ["restored"]
    assert [one["way_back"] for one in document["removals"]] == ["archive"]
    engine.wipe()
    assert dockersweep("archive", "drop", str(run), "--yes").status == 0
    past = dockersweep("history", "--object", "pg-old").stdout
    assert ("takes it back" in past, "that run is in the archive no more" in past) == (False, True)
    assert "takes back" not in dockersweep("history", str(run)).stdout
    assert "takes it back" not in dockersweep("explain", "pg-old", host=engine.url).stderr


@pytest.mark.enough_on("docker-28.5")
def test_without_a_ledger_the_archive_tells_what_there_is(engine: Engine, litter: Litter) -> None:
    litter.volume("data", size=10)
    done = dockersweep(*SWEEP, "--no-ledger", host=engine.url)
    assert done.status == 0
    [name] = [one.name for one in Path(os.environ["DOCKERSWEEP_STATE_DIR"], "archive").iterdir() if one.is_dir()]
    assert statuses(restore(engine, name, "--no-ledger")) == {"volume data": "restored"}
    engine.wire.call("DELETE", "/volumes/data")
    assert statuses(restore(engine, "data")) == {"volume data": "restored"}
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
def test_an_archive_that_was_moved_is_used_where_it_is(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    litter.volume("data", size=10)
    litter.volume("other", size=10)
    run = sweep(engine)
    was, moved = Path(os.environ["DOCKERSWEEP_STATE_DIR"], "archive"), tmp_path / "moved"
    was.rename(moved)
    gone = restore(engine, "data", status=3)["restored"][0]["detail"]
    assert f"there is no archive at {was}" in gone
    (tmp_path / "empty").mkdir()
    detail = restore(engine, "data", "--archive", str(tmp_path / "empty"), status=3)["restored"][0]["detail"]
    assert f"no archive has it: {tmp_path}/empty and {was} were looked into" in detail
    made = restore(engine, "data", "--archive", str(moved))
    assert (statuses(made), made["warnings"]) == ({"volume data": "restored"}, [])
    [folder] = (one for one in moved.iterdir() if one.is_dir())
    renamed = folder.rename(moved / f"{folder.name[: -len(str(run))]}0a1b")
    # By its number without a ledger, too.
    assert statuses(restore(engine, "other", "--archive", str(moved))) == {"volume other": "restored"}
    engine.wipe()
    made = restore(engine, str(run), "--archive", str(moved), "--no-ledger")
    assert statuses(made) == {"volume data": "restored", "volume other": "restored"}
    assert [one["run"] for one in made["restored"]] == [run, run]
    shutil.copytree(renamed, moved / folder.name)
    engine.wipe()
    done = dockersweep("restore", str(run), "--archive", str(moved), "--no-ledger", "--yes", host=engine.url)
    assert (done.status, f"there are several runs {run} in the archive: write " in done.stderr) == (2, True)
    done = dockersweep("restore", "nothing", "--archive", str(moved), "--yes", host=engine.url)
    assert f"archives looked into: {moved}" in done.stderr
    assert "of another engine" not in done.stderr
    for index in moved.glob("*/index.json"):
        document = json.loads(index.read_text())
        index.write_text(json.dumps(document | {"engine": document["engine"] | {"id": "A", "name": "old-host"}}))
    done = dockersweep("restore", "data", "--archive", str(moved), "--no-ledger", "--yes", host=engine.url)
    assert "; runs of another engine (old-host) are there, too: name that with --host, or put" in done.stderr


@pytest.mark.enough_on("docker-28.5")
def test_a_run_of_another_ledger_is_not_taken_for_one_of_this(
    engine: Engine, litter: Litter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    litter.volume("mine", size=10)
    run = sweep(engine)
    litter.volume("theirs", size=10)
    own = os.environ["DOCKERSWEEP_STATE_DIR"]
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", str(tmp_path / "theirs"))
    # The folder of a run is called by the second in which it began.
    next_second()
    assert sweep(engine) == run
    archive = tmp_path / "theirs" / "archive"
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", own)
    done = dockersweep("restore", str(run), "--archive", str(archive), "--yes", host=engine.url)
    [name] = [one.name for one in archive.iterdir() if one.is_dir()]
    assert done.status == 2
    assert f"{archive} has another run {run} than the ledger: for that one write {name}" in done.stderr
    assert statuses(restore(engine, name, "--archive", str(archive))) == {"volume theirs": "restored"}
    assert statuses(restore(engine, str(run))) == {"volume mine": "restored"}
    engine.wipe()


@pytest.mark.enough_on("docker-28.5")
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("restore", "nothing", "--yes"), 2, 'nothing called "nothing" was removed'),
        (("restore", "data"), 4, "nothing restored: there is no terminal to ask on; give --yes to restore"),
        (("restore", "1", "--as", "x", "--yes"), 4, "nothing restored: --as and --run are for one object"),
        (("restore", "data", "--yes", "--confirm-engine", "other"), 4, "nothing restored: the engine at"),
        (("restore", "data", "--as", "a b", "--yes"), 2, '"a b" is not a name'),
        (("restore", "data", "--archive", "/nothing/here", "--yes"), 2, "there is no archive at /nothing/here"),
        (("restore", "data", "--run", "9", "--yes"), 2, 'run 9 removed nothing called "data"'),
    ],
)
def test_what_cannot_be_is_one_sentence(
    engine: Engine, litter: Litter, arguments: tuple[str, ...], status: int, words: str
) -> None:
    litter.volume("data", size=10)
    sweep(engine)
    done: Run = dockersweep(*arguments, host=engine.url)
    assert done.status == status
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert engine.wire.call("GET", "/volumes")["Volumes"] in ([], None)
    engine.wipe()
