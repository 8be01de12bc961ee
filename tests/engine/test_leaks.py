"""What nobody owns in an engine's folders, made on real engines as it comes about there, and what mends it."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dockersweep.commands.gather import open_engine
from dockersweep.commands.options import ReportOptions, options_of
from dockersweep.engine.reading.scanner import scan
from dockersweep.model.engine_folder import LeakedFolder
from dockersweep.parser import parse
from dockersweep.units import format_instant
from tests.rig.engines.docker_registry import docker_registry
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import EACH_STORE, NEWEST, kind
from tests.rig.engines.litter import Litter
from tests.rig.engines.podman_cli import killed_build, podman
from tests.rig.running import dockersweep

pytestmark = pytest.mark.enough_on(*EACH_STORE)

MEGABYTE = 1_000_000
GRAPHDRIVER = ("docker-20.10", "docker-26.1", "docker-28.5")
_PATIENCE = 60.0
_BUSY_SECONDS, _LONGEST_SECONDS = 12, 90
_AGED = 20
_QUIET = timedelta(seconds=8)
"""Without a change for so long nothing is in the making while an engine is busy."""


def finding(engine: Engine, number: str) -> Any:
    """The finding of a report in two hours, when what has just been made is not young any more; None without it."""
    later = format_instant(datetime.now(UTC) + timedelta(hours=2))
    run = dockersweep("report", "--format", "json", host=engine.url, DOCKERSWEEP_NOW=later)
    assert run.status == 0, run.stderr
    told = run.json()
    assert "what nobody owns" not in [one["about"] for one in told["warnings"]]
    return {one["id"]: one for one in told["findings"]}.get(number)


def paths_in(found: Any) -> list[Path]:
    """What the finding names, the largest first."""
    return [Path(text.partition(": ")[0]) for text in found["evidence"]]


def quiet_leaks(engine: Engine) -> list[LeakedFolder] | None:
    """What a report reads that nobody owns and that does not change; None where too much comes and goes to tell."""
    options = options_of(parse(["-H", engine.url, "report"]))
    assert isinstance(options, ReportOptions)
    with open_engine(options.engine, 0) as client:
        inventory = scan(client, for_report=True)[0]
    if inventory.folder is None or "what nobody owns" in [one.about for one in inventory.warnings]:
        return None
    at = inventory.taken_at
    return [one for one in inventory.folder.leaks if one.changed_at is None or at - one.changed_at >= _QUIET]


@contextmanager
def copied(place: Path, *names: str) -> Iterator[list[Path]]:
    """Copies of a folder or file beside it, with all its attributes; what is still there in the end goes."""
    copies = [place.with_name(name) for name in names]
    try:
        for copy in copies:
            subprocess.run(["cp", "-a", place, copy], check=True)
        yield copies
    finally:
        subprocess.run(["rm", "-rf", *copies], check=True)


def moved_away(engine: Engine, found: Any) -> None:
    """What a fix says: with the engine stopped, what the finding names goes elsewhere."""
    engine.stop()
    elsewhere = engine.run_directory / "moved"
    elsewhere.mkdir()
    for path in paths_in(found):
        assert str(path) in found["fix"]["text"] or path != paths_in(found)[0]
        shutil.move(path, elsewhere / path.name)
    engine.start()
    shutil.rmtree(elsewhere)


def works(engine: Engine) -> None:
    """It loads an image, and runs a container that ends well."""
    litter = Litter(engine)
    litter.image("after:1", layers={"after": 1000})
    assert litter.wait(litter.container("after")) == 0


def killed_during(engine: Engine, call: Callable[[], object], begun: Callable[[], bool]) -> None:
    """Kill the engine as soon as a call has begun to do something, and start it again."""

    thread = threading.Thread(target=lambda: suppressed(call))
    thread.start()
    deadline = time.monotonic() + _PATIENCE
    while not begun() and time.monotonic() < deadline:
        time.sleep(0.001)
    engine.kill()
    thread.join()
    engine.start()


def suppressed(call: Callable[[], object]) -> None:
    """Do what the engine's end breaks off."""
    with suppress(Exception):
        call()


@contextmanager
def held_fast(file: Path) -> Iterator[None]:
    """Let nobody remove a file, as a bad disk does."""
    subprocess.run(["chattr", "+i", file], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", file], check=True)


@pytest.mark.on_engines(*GRAPHDRIVER)
def test_a_killed_load_leaves_a_layer_folder(engine: Engine, litter: Litter) -> None:
    litter.container("job")
    folders = engine.data_root / "overlay2"
    before = set(os.listdir(folders))
    layers = {f"layer{number}": 60 * MEGABYTE for number in range(3)}

    def begun() -> bool:
        new = [folders / name / "diff" for name in set(os.listdir(folders)) - before]
        return any(os.stat(file).st_blocks > 40_000 for diff in new for file in diff.glob("layer/*"))

    killed_during(engine, lambda: litter.image("big:1", layers=layers), begun)
    found = finding(engine, "DS021")
    [left] = paths_in(found)
    assert left.parent == folders
    assert left.name not in before
    assert found["title"] == "1 layer folder belongs to no image, container or build"
    assert found["size_bytes"] == pytest.approx(int(du(left)), rel=0.01)
    assert "last changed 2 hours ago" in found["evidence"][0]
    # No restart takes it, nor does docker.
    engine.restart()
    engine.docker("system", "prune", "--all", "--force", "--volumes")
    assert paths_in(finding(engine, "DS021")) == [left]
    moved_away(engine, found)
    works(engine)
    assert finding(engine, "DS021") is None


def largest(folders: Iterable[Path]) -> Path:
    return max(folders, key=lambda one: int(du(one)))


def du(folder: Path) -> str:
    return subprocess.run(["du", "-s", "-B1", folder], capture_output=True, text=True, check=True).stdout.split()[0]


@pytest.mark.on_engines(*GRAPHDRIVER)
def test_a_restart_ends_a_removal_of_a_layer(engine: Engine, litter: Litter) -> None:
    litter.base()
    before = set((engine.data_root / "overlay2").iterdir())
    image = litter.image("big:1", layers={"data": 5 * MEGABYTE})
    [folder] = set((engine.data_root / "overlay2").iterdir()) - before
    with held_fast(next(one for one in (folder / "diff").rglob("*") if one.is_file())):
        engine.wire.call("DELETE", f"/images/{image}", tolerate=(409, 500))
        found = finding(engine, "DS021")
        assert paths_in(found) == [folder]
        assert found["evidence"][0].endswith("left by a removal that did not finish")
    assert "restart the engine" in found["fix"]["text"]
    engine.restart()
    engine.restart()
    assert not folder.exists()
    assert finding(engine, "DS021") is None
    works(engine)


@pytest.mark.on_engines(*GRAPHDRIVER)
def test_only_folders_that_the_engine_could_have_made_are_layers(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"data": 2 * MEGABYTE})
    folder = largest((engine.data_root / "overlay2").glob("?" * 64))
    link = folder.with_name("cd" * 32)
    link.symlink_to(folder)
    with copied(folder, "ab" * 32, f"{folder.name}.bak", "lost+found") as (leak, *_):
        assert paths_in(finding(engine, "DS021")) == [leak]
        # Now it is in the making.
        now = dockersweep("report", "--format", "json", host=engine.url).json()
        assert "DS021" not in [one["id"] for one in now["findings"]]
    link.unlink()


def ctr(engine: Engine, *words: str, namespace: str = "moby") -> list[str]:
    """The command that runs containerd's own client on the engine's containerd."""
    inside = ("nsenter", "--target", str(engine.pid), "--all")
    return [*inside, "ctr", "--address", "/run/dk/containerd/containerd.sock", "--namespace", namespace, *words]


def reasons(found: Any) -> dict[Path, str]:
    """Why each path that the finding names is there, by the path."""
    return {path: text.rpartition(" ago")[2] for path, text in zip(paths_in(found), found["evidence"], strict=True)}


@pytest.mark.on_engines("docker-28.5-containerd")
def test_containerd_collects_what_nothing_keeps(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"data": 2 * MEGABYTE})
    litter.container("job")
    daemon = engine.data_root / "containerd" / "daemon"
    content = daemon / "io.containerd.content.v1.content"
    snapshot = largest((daemon / "io.containerd.snapshotter.v1.overlayfs" / "snapshots").iterdir())
    blob = largest((content / "blobs" / "sha256").iterdir())
    with (
        unfinished(engine, content / "ingest") as (lost, resumable),
        copied(snapshot, "999", "new-123", "999.bak") as (numbered, new, _),
        copied(blob, "ab" * 32) as (copy,),
    ):
        found = finding(engine, "DS022")
        assert reasons(found) == {
            numbered: "",
            new: "",
            copy: "",
            lost: ", a download that did not end",
        }
        # A start collects only where containerd's own database has something to collect.
        engine.restart()
        assert set(paths_in(finding(engine, "DS022"))) == {numbered, new, copy, lost}
        command = found["fix"]["command"]
        assert found["fix"]["text"].startswith(command)
        done = subprocess.run(["sh", "-c", command], env=engine.environment(), check=True, capture_output=True)
        assert b"collect:now" in done.stdout
        until(lambda: finding(engine, "DS022") is None)
        assert [one.exists() for one in (numbered, new, copy, lost, resumable)] == [False] * 4 + [True]
    works(engine)


@contextmanager
def unfinished(engine: Engine, ingests: Path) -> Iterator[tuple[Path, Path]]:
    """Two downloads that do not go on: one that containerd's database does not know, and one that may for a day."""
    with subprocess.Popen(ctr(engine, "content", "ingest", "half"), stdin=subprocess.PIPE, cwd="/") as process:
        assert process.stdin is not None
        process.stdin.write(os.urandom(3 * MEGABYTE))
        process.stdin.flush()
        until(lambda: any(os.stat(one / "data").st_size >= 2 * MEGABYTE for one in ingests.iterdir()))
        # What enters a namespace of processes is the parent of what runs there.
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        os.kill(int(children), signal.SIGKILL)
    # Now nothing is written to it any more.
    engine.restart()
    [known] = ingests.iterdir()
    ref = (known / "ref").read_text().replace("half", "lost")
    try:
        with copied(known, hashlib.sha256(ref.encode()).hexdigest()) as (lost,):
            (lost / "ref").write_text(ref)
            yield lost, known
    finally:
        shutil.rmtree(known)


def until(holds: Callable[[], bool]) -> None:
    """Wait until that is so."""
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.on_engines("docker-28.5-containerd")
def test_what_a_killed_pull_left_is_kept_as_long_as_its_lease(engine: Engine, litter: Litter) -> None:
    ingests = engine.data_root / "containerd/daemon/io.containerd.content.v1.content/ingest"
    with docker_registry(engine) as registry:
        name = f"{registry.address}/pulled:1"
        litter.image(name, layers={f"pulled{number}": 30 * MEGABYTE for number in range(3)})
        registry.push(name)
        engine.docker("rmi", name)

        def begun() -> bool:
            with suppress(OSError):
                return any(os.stat(one / "data").st_size > 2 * MEGABYTE for one in ingests.iterdir())
            return False

        pulling = threading.Thread(target=lambda: suppressed(lambda: registry.pull(name)))
        pulling.start()
        until(begun)
        engine.kill()
        pulling.join()
    engine.start()
    assert list(ingests.iterdir())
    assert finding(engine, "DS022") is None


@pytest.mark.on_engines("docker-28.5-containerd")
def test_docker_forgets_the_mounts_of_images_with_a_boot(engine: Engine, litter: Litter) -> None:
    layers = {"data": 3 * MEGABYTE}
    litter.image("team/mounted:1", layers=layers)
    containers = [litter.mounting_container(name, "team/mounted:1", state="running") for name in ("one", "two")]
    for container in containers:
        litter.stop(container)
    # With its mounts gone that is a boot.
    engine.restart()
    engine.docker("rm", containers[0])
    # The image keeps what the lease does.
    assert finding(engine, "DS027") is None
    engine.docker("rm", containers[1])
    engine.docker("rmi", "team/mounted:1")
    engine.docker("system", "prune", "--all", "--force", "--volumes")
    engine.restart()
    found = finding(engine, "DS027")
    assert found["size_bytes"] > 3 * MEGABYTE
    left = found
    for _ in containers:
        command = shlex.split(left["fix"]["command"])
        assert command[:3] == ["ctr", "--namespace", "moby"]
        subprocess.run(ctr(engine, *command[3:]), cwd="/", check=True)
        left = finding(engine, "DS027")
    assert left is None
    assert not any(path.exists() for path in paths_in(found))
    # New ones of the same layers are there as before.
    litter.image("team/mounted:1", layers=layers)
    litter.mounting_container("again", "team/mounted:1", state="running")


@pytest.mark.on_engines("docker-28.5")
def test_what_others_have_in_the_engines_containerd_is_no_store_that_it_left(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"data": 2 * MEGABYTE})
    archive = engine.run_directory / "app.tar"
    engine.docker("save", "--output", str(archive), "app:1")
    subprocess.run(ctr(engine, "image", "import", str(archive), namespace="k8s.io"), cwd="/", check=True)
    engine.spoil()
    assert list(engine.data_root.glob("containerd/daemon/*.overlayfs/snapshots/*"))
    assert finding(engine, "DS013") is None


PODMAN = ("podman-5.8", "podman-6.1")


@pytest.mark.on_engines(*PODMAN)
def test_podman_takes_away_what_its_lists_do_not_name(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"data": 2 * MEGABYTE})
    container = litter.container("job", state="created", writes=MEGABYTE)
    root = engine.data_root
    layer = largest((root / "overlay").glob("?" * 64))
    with (
        copied(layer, "ab" * 32, "old") as (of_layer, _),
        copied(root / "overlay-containers" / container, "ab" * 32) as (of_container,),
    ):
        found = finding(engine, "DS023")
        assert set(paths_in(found)) == {of_layer, of_container}
        aside = root / "overlay" / "tempdirs" / "temp-dir-123"
        aside.mkdir()
        engine.restart()
        # What a removal had moved aside.
        assert not aside.exists()
        found = finding(engine, "DS023")
        assert set(paths_in(found)) == {of_layer, of_container}
        assert found["fix"]["text"].startswith(found["fix"]["command"])
        podman(engine, *shlex.split(found["fix"]["command"])[1:])
        assert finding(engine, "DS023") is None
    litter.start(container)
    assert litter.wait(container) == 0
    works(engine)


@pytest.mark.engines
def test_what_a_transient_store_names_is_a_leak_only_after_the_next_boot() -> None:
    transient = ("--transient-store",)
    with Engine(kind("podman-6.1"), options=transient) as engine:
        Litter(engine).base()
        step = f"FROM localhost/busybox\nRUN head -c {2 * MEGABYTE} /dev/urandom > /heavy && sleep 1000\n"
        killed_build(engine, step, writes="heavy", size=2 * MEGABYTE, options=transient)
        assert finding(engine, "DS023") is None
        # As far as Podman can see that is a boot.
        engine.restart()
        found = finding(engine, "DS023")
        assert len(paths_in(found)) == 2
        podman(engine, *shlex.split(found["fix"]["command"])[1:], options=transient)
        assert finding(engine, "DS023") is None


DOCKER = (*GRAPHDRIVER, "docker-28.5-containerd")


@pytest.mark.on_engines(*DOCKER)
def test_a_folder_of_a_volume_becomes_one_with_the_next_start(engine: Engine, litter: Litter) -> None:
    litter.volume("data", size=2 * MEGABYTE)
    home = engine.data_root / "volumes"
    (home / "of_a_person").mkdir()
    with copied(home / "data", "restored", "lost+found", "bound") as (restored, *_):
        litter.container("mounts-a-path", state="created", binds=[f"{home}/bound/_data:/data"])
        found = finding(engine, "DS024")
        assert paths_in(found) == [restored]
        engine.restart()
        assert finding(engine, "DS024") is None
        assert found["fix"]["command"] == "docker volume rm restored"
        engine.docker(*found["fix"]["command"].split()[1:])
        assert not restored.exists()
    (home / "of_a_person").rmdir()
    assert finding(engine, "DS024") is None
    works(engine)


@pytest.mark.on_engines(*DOCKER)
def test_a_folder_of_a_container_stays_for_ever(engine: Engine, litter: Litter) -> None:
    container = litter.container("job")
    home = engine.data_root / "containers"
    (home / container / "big.log").write_bytes(os.urandom(2 * MEGABYTE))
    with copied(home / container, "ab" * 32, "cd" * 32, "job.bak") as (whole, half, _):
        (half / "config.v2.json").unlink()
        found = finding(engine, "DS025")
        assert set(paths_in(found)) == {whole, half}
        engine.restart()
        engine.docker("container", "prune", "--force")
        assert set(paths_in(finding(engine, "DS025"))) == {whole, half}
        moved_away(engine, found)
    works(engine)
    assert finding(engine, "DS025") is None


@pytest.mark.on_engines(*DOCKER)
def test_a_container_that_the_engine_cannot_load_is_no_leak(engine: Engine, litter: Litter) -> None:
    container = litter.container("job", writes=2 * MEGABYTE)
    config = engine.data_root / "containers" / container / "config.v2.json"
    (config.parent / "big.log").write_bytes(os.urandom(2 * MEGABYTE))
    engine.stop()
    text = config.read_text()
    config.write_text("{")
    engine.start()
    assert litter.engine.wire.call("GET", "/containers/json", all="1") == []
    assert finding(engine, "DS025") is None
    assert finding(engine, "DS021") is None
    engine.stop()
    config.write_text(text)
    engine.start()


@pytest.mark.on_engines("docker-28.5", *NEWEST)
@pytest.mark.enough_on(*NEWEST)
def test_what_a_busy_engine_makes_and_removes_is_no_leak(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"data": 3 * MEGABYTE})
    held = litter.container("held", writes=MEGABYTE)
    for number in range(_AGED):
        litter.image(f"aged:{number}", layers={f"aged{number}": MEGABYTE, f"aged-{number}": 1000})
    litter.volume("data", size=MEGABYTE)
    stop = threading.Event()
    failed: list[Exception] = []

    def again(step: Callable[[int], object]) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                step(number)
            except Exception as error:
                failed.append(error)
                return

    with docker_registry(engine) as registry:
        litter.image(f"{registry.address}/pulled:1", layers={f"pulled{one}": 4 * MEGABYTE for one in range(3)})
        registry.push(f"{registry.address}/pulled:1")
        steps = [
            lambda number: pulled(engine, registry),
            lambda number: committed(engine, held, number),
            lambda number: come_and_gone(engine, litter, number),
            lambda number: removed_later(engine, number),
        ]
        if engine.kind.has_build_cache and engine.kind.name != "docker-20.10":
            steps.append(lambda number: built(engine, litter, number))
        threads = [threading.Thread(target=again, args=(step,)) for step in steps]
        for thread in threads:
            thread.start()
        told: list[list[Any]] = []
        begun = time.monotonic()
        while (waited := time.monotonic() - begun) < _BUSY_SECONDS or (len(told) < 3 and waited < _LONGEST_SECONDS):
            # While much comes and goes, many a look is in doubt and tells nothing.
            found = quiet_leaks(engine)
            told += [] if found is None else [found]
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []
    assert told
    assert [leak for leaks in told for leak in leaks] == []


def pulled(engine: Engine, registry: Any) -> None:
    registry.pull(f"{registry.address}/pulled:1")
    engine.wire.call("DELETE", f"/images/{registry.address}/pulled:1")


def committed(engine: Engine, container: str, number: int) -> None:
    engine.wire.call("POST", "/commit", {}, container=container, repo="committed", tag=str(number))
    engine.wire.call("DELETE", f"/images/committed:{number}", tolerate=(404, 409))


def come_and_gone(engine: Engine, litter: Litter, number: int) -> None:
    """A container with a volume of its own."""
    made = litter.container(f"come{number}", anonymous_volumes=["/data"], writes=2 * MEGABYTE)
    engine.wire.call("DELETE", f"/containers/{made}", v="1")


def removed_later(engine: Engine, number: int) -> None:
    """An image that has not changed for long when it goes."""
    time.sleep(_BUSY_SECONDS / _AGED)
    engine.wire.call("DELETE", f"/images/aged:{number}", tolerate=(404,))


def built(engine: Engine, litter: Litter, number: int) -> None:
    litter.build(f"FROM busybox\nRUN head -c 3000000 /dev/urandom >/big && echo {number}\n", image="built:1")
