"""Sweeps with an archive: what is removed is in it before, whole; what cannot be archived stays, and says why."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dockersweep.engine.api.lists import ARCHIVING_LABEL
from dockersweep.engine.archiving.volume_containers import empty_image
from tests.engine.test_tcp import forwarded
from tests.rig.archive_reading import calls_to
from tests.rig.engines.archive import random_bytes
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST, OLDEST_AND_NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.recorder import Request
from tests.rig.running import Run, dockersweep
from tests.rig.stored_archive import half_files_in, stored_in

ALL = ("--yes", "--yes-first-time", "--older-than", "0s", "--all-images", "--format", "json")
ON_DOCKER = ("docker-20.10", "docker-26.1", "docker-28.5", "docker-28.5-containerd")


@contextmanager
def address_of(engine: Engine, near: bool) -> Iterator[str]:
    """The address of an engine, beside it or from afar."""
    if near:
        yield engine.url
        return
    with forwarded(engine.recorder.path) as port:
        yield f"tcp://127.0.0.1:{port}"


def sweep(host: str, archive: Path, *flags: str) -> Run:
    return dockersweep("sweep", *ALL, "--archive", str(archive), *flags, host=host)


def rows(run: Run) -> dict[str, dict[str, Any]]:
    """Name -> outcome; of several for one image that of its removal."""
    return {row["name"]: row for row in run.json()["outcomes"] if row["action"] == "remove"}


def volume_with(litter: Litter, **files: bytes) -> tuple[str, Path]:
    """An anonymous volume with these files, and its folder."""
    name = litter.anonymous_volume()
    folder = Path(litter.engine.wire.call("GET", f"/volumes/{name}")["Mountpoint"])
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return name, folder


def everything(litter: Litter) -> dict[str, str]:
    """One object of each sort that an archive can have: what it is called here, and its id."""
    volume, _ = volume_with(litter, data=random_bytes("data", 100_000))
    image = litter.image("app:1", layers={"a": 1000, "b": 2000}, tags=("app:2",))
    dangling = litter.image(None, layers={"a": 1000, "q": 1000})
    container = litter.container("job", command="echo out; echo new > /new")
    return {"volume": volume, "image": image, "dangling": dangling, "container": container}


@pytest.mark.parametrize("near", [True, False])
def test_what_is_removed_is_in_the_archive(engine: Engine, litter: Litter, tmp_path: Path, near: bool) -> None:
    made = everything(litter)
    network = litter.network("front", labels={"of": "us"})
    has_volumes = near or engine.kind.flavour == "docker"
    with address_of(engine, near) as host:
        run = sweep(
            host,
            tmp_path / "archive",
            *(() if has_volumes else ("--kind", "container", "--kind", "image", "--kind", "network")),
        )
    assert run.status == 0, run.stderr
    outcomes = rows(run)
    stored = stored_in(tmp_path / "archive")
    for row in outcomes.values():
        assert row["status"] == "removed", row
        if row["kind"] != "network" and row["id"] != litter_base(outcomes):
            assert row["recovery"]["how"] == "archive", row
            assert stored[row["kind"], row["id"]]["read_from"] == ("disk" if near and row["kind"] != "image" else "api")
            assert row["archived_bytes"] is not None
    assert {object_id for _, object_id in stored} >= {
        one for name, one in made.items() if has_volumes or name != "volume"
    }
    assert set(stored["image", made["image"]]["tags"]) == {
        row["name"] for row in run.json()["outcomes"] if "app" in row["name"]
    }
    assert half_files_in(tmp_path / "archive") == []
    assert run.json()["archived"]["objects"] == len(stored)
    assert "app" not in "".join(tag for image in engine.wire.images() for tag in image["RepoTags"] or ())
    assert kept_network(network) == {"of": "us"}
    nothing_made_to_read_is_left(engine)


def litter_base(outcomes: dict[str, dict[str, Any]]) -> str:
    """The image of containers, which some engines count as one that can be pulled."""
    return next((row["id"] for name, row in outcomes.items() if "busybox" in name), "")


def kept_network(network: str) -> dict[str, str]:
    """The labels of a removed network, as the ledger keeps them."""
    folder = os.environ["DOCKERSWEEP_STATE_DIR"]
    with sqlite3.connect(f"{folder}/ledger.sqlite3") as database:
        [document] = database.execute("SELECT document FROM definitions WHERE id = ?", (network,)).fetchone()
    labels: dict[str, str] = json.loads(document)["Labels"]
    return labels


def made_to_read(engine: Engine) -> set[str]:
    """Return the names of what archiving has made on an engine and not removed."""
    with calls_to(engine) as (_, calls):
        return {one.reference for one in (*calls.own_containers(), *calls.own_images())}


def nothing_made_to_read_is_left(engine: Engine) -> None:
    assert made_to_read(engine) == set()


def test_without_an_archive_nothing_more_is_asked(engine: Engine, litter: Litter) -> None:
    everything(litter)
    with engine.recorder.recording() as recording:
        assert dockersweep("sweep", *ALL, host=engine.url).status == 0
    asked = {f"{request.method} {request.path}" for request in recording.requests}
    assert [
        one for one in asked if one.endswith(("/get", "/export", "/changes", "/logs", "/archive", "create", "load"))
    ] == []


# What cannot be archived.


def on_a_small_disk(folder: Path, size: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run dockersweep where a folder is a disk of that size, in a mount namespace of its own."""
    folder.mkdir(mode=0o700)
    script = f'mount -t tmpfs -o size={size},mode=700 none "$0" && "$@"; status=$?; ls -A "$0"/* >&2; exit $status'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", script, str(folder), sys.executable, "-m", "dockersweep", *command],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.enough_on(*NEWEST)
@pytest.mark.parametrize(
    ("when_full", "more"), [("keep", ()), ("remove", ()), ("remove", ("--only-recoverable",))], ids=str
)
def test_where_the_archive_has_no_room_things_stay_or_go_as_the_policy_says(
    engine: Engine, litter: Litter, tmp_path: Path, when_full: str, more: tuple[str, ...]
) -> None:
    large, _ = volume_with(litter, data=random_bytes("large", 3_000_000))
    # Too large for what a plan can know.
    zeros, _ = volume_with(litter, data=bytes(3_000_000))
    small, _ = volume_with(litter, data=b"small")
    policy = tmp_path / "policy.toml"
    policy.write_text(
        f'version = 1\n[archive]\nfolder = "{tmp_path}/small"\nmin_free = "1%"\nwhen_full = "{when_full}"\n'
        '[[rule]]\nname = "volumes"\nkind = "volume"\nmatch.anonymous = true\nremove.unused_for = "0s"\n'
    )
    flags = ("--yes", "--yes-first-time", "--format", "json", "--policy", str(policy), *more)
    run = on_a_small_disk(tmp_path / "small", "1500k", "-H", engine.url, "sweep", *flags)
    assert run.returncode == 0, run.stderr
    outcomes = {row["id"]: row for row in json.loads(run.stdout)["outcomes"]}
    assert outcomes[small]["recovery"]["how"] == outcomes[zeros]["recovery"]["how"] == "archive"
    there = {one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"] or ()}
    assert small not in there
    if when_full == "keep" or more:
        assert outcomes[large]["status"] == "skipped"
        assert "not archived: the archive has no room" in outcomes[large]["detail"]
        assert f"Skipped: volume {large[:12]}: not archived: the archive has no room" in run.stderr
        assert large in there
    else:
        assert (outcomes[large]["status"], outcomes[large]["recovery"]["how"]) == ("removed", "none")
        assert "no room" in outcomes[large]["recovery"]["text"]
        assert outcomes[large]["detail"].startswith("removed without an archive: the archive has no room")
        number = json.loads(run.stdout)["run"]
        said = " ".join(dockersweep("history", str(number)).stdout.split())
        assert f"Cannot be recovered: volume {large[:12]} (" in said
        assert said.count("Cannot be recovered") == 1
        assert large not in there
    assert ".partial" not in run.stderr


@pytest.mark.on_engines("docker-28.5")
def test_an_archive_that_cannot_be_made_ends_the_run_before_anything_is_removed(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    volume, _ = volume_with(litter, data=b"x")
    (tmp_path / "file").touch()
    run = sweep(engine.url, tmp_path / "file" / "archive")
    assert run.status in (0, 2), run
    assert str(tmp_path / "file") in run.stderr + run.stdout
    assert volume in {one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"]}


@pytest.mark.on_engines("docker-28.5")
def test_nothing_goes_while_the_disk_of_the_archive_is_not_mounted(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    volume_with(litter, data=b"first")
    assert sweep(engine.url, archive, "--kind", "volume").status == 0
    archive.rename(tmp_path / "elsewhere")
    volume, _ = volume_with(litter, data=b"second")
    for _ in range(2):
        run = sweep(engine.url, archive, "--kind", "volume")
        assert run.status == 4, run
        assert f"nothing removed: {archive} has nothing of the archive that keeps a run: mount its disk" in run.stderr
        assert volume in {one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"]}
        archive.mkdir(exist_ok=True, mode=0o700)
    archive.rmdir()
    (tmp_path / "elsewhere").rename(archive)
    assert sweep(engine.url, archive, "--kind", "volume").status == 0
    assert volume in stored_names(archive)


def stored_names(archive: Path) -> set[str]:
    return {name for _, name in stored_in(archive)}


@pytest.mark.on_engines("docker-28.5", "podman-6.1")
def test_a_volume_with_another_disk_mounted_in_it_stays(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    volume, folder = volume_with(litter, data=b"x")
    (folder / "mounted").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(folder / "mounted")], check=True)
    try:
        run = sweep(engine.url, tmp_path / "archive", "--kind", "volume")
    finally:
        subprocess.run(["umount", str(folder / "mounted")], check=True)
    [row] = run.json()["outcomes"]
    assert row["status"] == "skipped"
    assert row["detail"].startswith("not archived: another file system is mounted in it")
    assert stored_in(tmp_path / "archive") == {}
    assert (folder / "data").read_bytes() == b"x", volume


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
@pytest.mark.parametrize("near", [True, False])
def test_of_a_volume_with_files_elsewhere_its_description_is_kept(
    engine: Engine, litter: Litter, tmp_path: Path, near: bool
) -> None:
    """A share may hold more than any disk here, and removing the volume leaves it alone."""
    folder = tmp_path / "share"
    folder.mkdir()
    (folder / "data").write_text("x")
    litter.volume("share", options={"type": "none", "o": "bind", "device": str(folder)})
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'version = 1\n[[rule]]\nname = "all"\nkind = "volume"\nmatch.has_options = true\nremove.unused_for = "0s"\n'
    )
    flags = ("--yes", "--yes-first-time", "--format", "json", "--policy", str(policy))
    with address_of(engine, near) as host:
        run = dockersweep("sweep", *flags, "--archive", str(tmp_path / "archive"), host=host)
    row = rows(run)["share"]
    assert (row["status"], row["recovery"]["how"]) == ("removed", "archive")
    stored = stored_in(tmp_path / "archive")["volume", "share"]
    assert [file["path"] for file in stored["files"]] == ["volumes/share/volume.json"]
    assert stored["not_kept"] == ["its files, which stay where they are"]
    assert (folder / "data").read_text() == "x"


# What happens meanwhile.


def once(is_it: Any, act: Any) -> Any:
    """Return a `before` of a recording that acts at the first request of a sort."""
    done: list[Request] = []

    def before(request: Request) -> None:
        if not done and is_it(request):
            done.append(request)
            act()

    return before


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
@pytest.mark.parametrize("near", [True, False])
def test_a_container_that_is_used_while_it_is_archived_stays(
    engine: Engine, litter: Litter, tmp_path: Path, near: bool
) -> None:
    container = litter.container("job", command="echo again >> /new")
    with address_of(engine, near) as host, engine.recorder.recording() as recording:

        def use() -> None:
            litter.start(container)
            litter.wait(container)
            # From afar only the engine's events tell, which come a moment later.
            time.sleep(0.5)

        recording.before = once(lambda request: request.path == f"/containers/{container}/logs", use)
        run = sweep(host, tmp_path / "archive", "--kind", "container")
    row = rows(run)["job"]
    assert (row["status"], row["recovery"]) == ("skipped", None)
    assert row["detail"] == "not archived: it changed while it was read"
    assert stored_in(tmp_path / "archive") == {}
    assert litter.state(container)["Status"] == "exited"


@pytest.mark.on_engines(*ON_DOCKER)
@pytest.mark.parametrize("near", [True, False])
def test_a_container_that_something_is_copied_into_while_it_is_archived_stays(
    engine: Engine, litter: Litter, tmp_path: Path, near: bool
) -> None:
    container = litter.container("job", command="echo old > /litter.bin; echo more > /more")
    with address_of(engine, near) as host, engine.recorder.recording() as recording:

        def copy() -> None:
            time.sleep(0.1)
            litter.write(container, 1000)
            time.sleep(0.5)

        recording.before = once(lambda request: request.path == f"/containers/{container}/logs", copy)
        run = sweep(host, tmp_path / "archive", "--kind", "container")
    row = rows(run)["job"]
    assert (row["status"], row["detail"]) == ("skipped", "not archived: it changed while it was read")
    assert stored_in(tmp_path / "archive") == {}


@pytest.mark.on_engines(*ON_DOCKER)
def test_a_volume_that_is_mounted_while_it_is_archived_stays(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    volume, _ = volume_with(litter, data=b"x")
    with address_of(engine, near=False) as host, engine.recorder.recording() as recording:

        def mount() -> None:
            litter.container("user", state="created", volumes={volume: "/data"})

        recording.before = once(lambda request: request.path.endswith("/archive"), mount)
        run = sweep(host, tmp_path / "archive", "--kind", "volume")
    assert rows(run)[volume]["status"] == "skipped"
    assert volume in {one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"]}
    nothing_made_to_read_is_left(engine)


@pytest.mark.on_engines(*ON_DOCKER)
def test_a_volume_that_a_container_has_used_meanwhile_stays_though_that_is_gone(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    volume, folder = volume_with(litter, data=random_bytes("data", 1000))
    litter.base()
    with address_of(engine, near=False) as host, engine.recorder.recording() as recording:

        def use() -> None:
            time.sleep(0.1)
            litter.job("user", volumes={volume: "/data"})
            (folder / "new").write_text("new")
            time.sleep(0.5)

        recording.before = once(lambda request: request.path.endswith("/archive"), use)
        run = sweep(host, tmp_path / "archive", "--kind", "volume")
    row = rows(run)[volume]
    assert (row["status"], row["detail"]) == (
        "skipped",
        "not archived: a container has used it while it was read",
    )
    assert stored_in(tmp_path / "archive") == {}
    assert (folder / "new").read_text() == "new"


@pytest.mark.enough_on(*NEWEST)
def test_an_image_that_gets_a_tag_while_it_is_archived_stays(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    image = litter.image(None, layers={"q": 1000})
    with engine.recorder.recording() as recording:
        recording.before = once(lambda request: request.path.endswith("/get"), lambda: litter.retag(image, "kept:1"))
        run = sweep(engine.url, tmp_path / "archive", "--kind", "image")
    row = next(row for row in run.json()["outcomes"] if row["id"] == image)
    assert row["status"] == "skipped"
    assert [tag for tag in litter.image_tags(image) if "kept:1" in tag]


@pytest.mark.on_engines("docker-28.5")
def test_a_signal_ends_the_reading_of_an_object_which_stays(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    volume, _ = volume_with(litter, data=random_bytes("large", 50_000_000))
    with address_of(engine, near=False) as host, engine.recorder.recording() as recording:
        command = [
            sys.executable,
            "-m",
            "dockersweep",
            "-H",
            host,
            "sweep",
            *ALL,
            "--archive",
            str(tmp_path / "archive"),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def stop() -> None:
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)

        recording.before = once(lambda request: request.path.endswith("/archive"), stop)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, stderr
    row = {row["id"]: row for row in json.loads(stdout)["outcomes"]}[volume]
    assert (row["status"], row["detail"]) == ("not-attempted", "interrupted")
    assert stored_in(tmp_path / "archive") == {}
    assert half_files_in(tmp_path / "archive") == []
    nothing_made_to_read_is_left(engine)


@pytest.mark.on_engines("docker-20.10", "docker-28.5-containerd")
def test_an_answer_that_breaks_off_is_no_archive(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    volume, _ = volume_with(litter, data=random_bytes("data", 1_000_000))
    image = litter.image(None, layers={"q": 1_000_000})
    with address_of(engine, near=False) as host, engine.recorder.recording() as recording:
        recording.swallows = lambda request: request.path.endswith(("/archive", "/get"))
        run = sweep(host, tmp_path / "archive", "--kind", "volume", "--kind", "image", "--engine-timeout", "2s")
    outcomes = {row["id"]: row for row in run.json()["outcomes"]}
    for object_id in (volume, image):
        assert outcomes[object_id]["status"] == "skipped", outcomes[object_id]
        assert outcomes[object_id]["detail"].startswith("not archived: ")
    assert stored_in(tmp_path / "archive") == {}
    nothing_made_to_read_is_left(engine)


# What is made to read volumes.


@pytest.mark.on_engines(*ON_DOCKER)
def test_what_a_killed_run_has_left_is_no_litter_and_the_next_run_removes_it(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    volume, _ = volume_with(litter, data=b"x")
    with address_of(engine, near=False) as host:
        with engine.recorder.recording() as recording:

            def kill() -> None:
                process.kill()

            recording.before = once(lambda request: request.path.endswith("/archive"), kill)
            command = [
                sys.executable,
                "-m",
                "dockersweep",
                "-H",
                host,
                "sweep",
                *ALL,
                "--archive",
                str(tmp_path / "archive"),
            ]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.communicate(timeout=60)
        with calls_to(engine) as (_, calls):
            assert len(calls.own_containers()) == len(calls.own_images()) == 1
        plan = dockersweep("plan", "--older-than", "0s", "--all-images", "--format", "json", host=host).json()
        assert {row["kind"] for row in plan["decisions"] if "dockersweep" in row["name"]} == set()
        [warning] = [warning["text"] for warning in plan["warnings"] if warning["about"] == "archiving"]
        assert "dockersweep-archiving" in warning
        # No archive is needed for that.
        run = dockersweep("sweep", *ALL, host=host)
    assert run.status == 0, run.stderr
    assert rows(run)[volume]["status"] == "removed"
    nothing_made_to_read_is_left(engine)


@pytest.mark.on_engines("docker-28.5")
def test_reading_a_volume_is_no_use_of_it(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    volume, _ = volume_with(litter, data=random_bytes("data", 1000))
    with address_of(engine, near=False) as host:
        dockersweep("plan", host=host)
        with engine.recorder.recording() as recording:
            recording.swallows = lambda request: request.method == "DELETE" and request.path == f"/volumes/{volume}"
            sweep(host, tmp_path / "archive", "--kind", "volume", "--engine-timeout", "2s")
        if volume not in {one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"] or ()}:
            litter.volume(volume)
        told = dockersweep("explain", f"volume:{volume}", "--format", "json", host=host)
    assert "mounted" not in told.stdout


@pytest.mark.on_engines("docker-28.5")
def test_what_another_place_reads_with_is_left_alone(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    volume_with(litter, data=b"x")
    with calls_to(engine) as (_, calls):
        assert calls.clock is not None
        calls.load_images(empty_image("dockersweep-archiving:x", {ARCHIVING_LABEL: "elsewhere-1"}, calls.clock))
        assert sweep(engine.url, tmp_path / "archive").status == 0
        [image] = calls.own_images()
        assert image.reference == "dockersweep-archiving:x"
        assert calls.remove_image(image.reference, is_nameless=False).status == "removed"
