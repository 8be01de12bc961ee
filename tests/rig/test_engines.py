"""The engines that the other tests depend on are real, are as described, and leave nothing behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dockersweep.engine.api.throw_away import MARKER_FILE
from tests.rig.engines import archive, cgroups, rundir
from tests.rig.engines.archive import ImageSpec
from tests.rig.engines.engine import Engine, EngineError
from tests.rig.engines.heap import everything, heap
from tests.rig.engines.kinds import DEFAULT_KIND, KINDS, NEWEST, CannotDo, EngineKind, kind
from tests.rig.engines.litter import Litter, State
from tests.rig.engines.shared import Filled
from tests.rig.engines.wire import RefusalError
from tests.rig.running import dockersweep

pytestmark = pytest.mark.enough_on(*NEWEST, once=True)
_OWNER = """
import sys
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind
from tests.rig.engines.litter import Litter
engine = Engine(kind(sys.argv[1])).start()
Litter(engine).container("survivor", state="running")
print(engine.run_directory, engine._keeper.pid, flush=True)
sys.stdin.read()
"""


def test_engine_is_what_its_kind_says(engine: Engine) -> None:
    told = engine.api.version()
    assert told["Version"].startswith(engine.kind.version)
    assert told["ApiVersion"] == engine.kind.api_version
    info = engine.api.info()
    by_containerd = ["driver-type", "io.containerd.snapshotter.v1"] in (info["DriverStatus"] or [])
    assert by_containerd == (engine.kind.image_store == "containerd")
    if engine.kind.flavour == "docker":
        assert info["DockerRootDir"] == str(engine.data_root)
    assert engine.docker("version", "--format", "{{.Server.Version}}").stdout.strip() == told["Version"]


def test_docker_compose_talks_to_every_engine(engine: Engine) -> None:
    assert engine.docker("compose", "version", "--short").stdout.startswith("2.40.")
    assert engine.docker("compose", "ls", "--all", "--quiet").stdout == ""


def test_everything_is_as_described(filled: Filled) -> None:
    heap, litter = filled.heap, Litter(filled.engine)
    wire = litter.engine.wire
    assert litter.state(heap.running_container)["Status"] == "running"
    assert litter.state(heap.created_container)["Status"] == "created"
    stopped = litter.state(heap.stopped_container)
    assert (stopped["Status"], stopped["ExitCode"]) == ("exited", 3)
    held = {one["ImageID"] for one in wire.call("GET", "/containers/json", all=1)}
    assert held == {heap.used_image, heap.stopped_image}
    assert litter.image_tags(heap.dangling_image) == []
    assert litter.image_tags(heap.unused_image) != []
    mounted = {
        mount["Name"]
        for one in (heap.running_container, heap.stopped_container, heap.created_container)
        for mount in wire.call("GET", f"/containers/{one}/json")["Mounts"]
    }
    assert mounted == {heap.used_volume, heap.used_anonymous_volume, heap.stopped_volume}
    listed = {one["Name"]: one for one in wire.call("GET", "/volumes")["Volumes"]}
    assert mounted | {heap.unused_volume, heap.anonymous_volume, heap.option_volume} == listed.keys()
    labels = listed[heap.anonymous_volume]["Labels"] or {}
    assert ("com.docker.volume.anonymous" in labels) == litter.engine.kind.marks_anonymous_volumes
    networks = {one["Id"] for one in wire.call("GET", "/networks")}
    assert {heap.unused_network, heap.used_network, heap.stopped_network} <= networks
    if litter.engine.kind.has_build_cache:
        assert set(heap.cache) == set(litter.cache_ids()) != set()
    if litter.engine.kind.has_legacy_builder:
        assert len(heap.intermediate_images) == 2
        assert all(litter.image_tags(one) == [] for one in heap.intermediate_images)


def test_wipe_leaves_the_same_engine_empty(litter: Litter) -> None:
    everything(litter)
    engine = litter.engine
    process = engine.pid
    engine.wipe()
    assert _contents(engine) == {"containers": 0, "images": 0, "volumes": 0}
    assert engine.pid == process
    assert {one["Name"] for one in engine.wire.call("GET", "/networks")} <= {"bridge", "host", "none", "podman"}


@pytest.mark.parametrize("state", ["created", "exited", "running", "paused", "restarting", "dead"])
def test_container_is_in_the_state_asked_for(litter: Litter, state: State) -> None:
    made = litter.container("one", state=state)
    assert litter.state(made)["Status"] == state


def test_what_is_written_is_there(litter: Litter) -> None:
    container = litter.container(writes=300_000, volumes={"data": "/data"}, anonymous_volumes=["/x"])
    told = litter.engine.wire.call("GET", f"/containers/{container}/json", size=1)
    assert 300_000 <= told["SizeRw"] < 330_000
    volume = litter.volume("filled", size=500_000)
    folder = Path(litter.engine.wire.call("GET", f"/volumes/{volume}")["Mountpoint"])
    assert sum(one.stat().st_size for one in folder.iterdir()) == 500_000
    assert litter.engine.data_root in folder.parents


def test_images_share_the_layers_that_they_name_alike(litter: Litter) -> None:
    specs = [
        ImageSpec(("one:1", "one:2"), {"base": 500_000, "one": 10_000}, {"a": "b"}),
        ImageSpec((), {"base": 500_000, "two": 20_000}),
    ]
    ids = litter.images(specs)
    told = [litter.engine.wire.call("GET", f"/images/{one}/json") for one in ids]
    assert [tuple(one["RootFS"]["Layers"]) for one in told] == [archive.diff_ids(spec) for spec in specs]
    assert told[0]["RootFS"]["Layers"][0] == told[1]["RootFS"]["Layers"][0]
    assert told[0]["Config"]["Labels"] == {"a": "b"}
    assert [len(litter.image_tags(one)) for one in ids] == [2, 0]
    assert all(one["Created"] == archive.EPOCH for one in told)


def test_a_moved_tag_leaves_a_dangling_image(litter: Litter) -> None:
    old = litter.image("app:1", layers={"old": 1000})
    new = litter.image("app:2", layers={"new": 1000})
    litter.retag(new, "app:1")
    assert litter.image_tags(old) == []
    assert len(litter.image_tags(new)) == 2


def test_containers_run_on_networks_of_their_own(litter: Litter) -> None:
    for name in ("one", "two"):
        litter.network(name)
    container = litter.container(state="running", networks=["one", "two"])
    told = litter.engine.wire.call("GET", f"/containers/{container}/json")["NetworkSettings"]["Networks"]
    assert told.keys() == {"one", "two"}
    assert all(one["IPAddress"] for one in told.values())


def test_builds_say_where_they_are_not_possible(litter: Litter) -> None:
    if litter.engine.kind.has_build_cache:
        assert len(litter.build_cache("one", records=2, size=1000)) >= 2
    else:
        with pytest.raises(CannotDo):
            litter.build_cache("one")


def test_a_heap_has_as_many_things_as_asked_for(litter: Litter) -> None:
    made = heap(litter, containers=6, images=12, volumes=8)
    assert (len(set(made.containers)), len(set(made.images)), len(set(made.volumes))) == (6, 12, 8)
    assert _contents(litter.engine) == {"containers": 6, "images": 12, "volumes": 8}


def test_restart_and_kill_keep_the_data(litter: Litter) -> None:
    image = litter.image("kept:1")
    litter.volume("kept")
    litter.network("kept")
    running = litter.container("kept", state="running", volumes={"kept": "/data"})
    engine = litter.engine
    engine.restart()
    assert litter.state(running)["Status"] in {"exited", "stopped"}
    engine.kill()
    assert not engine.running
    engine.start()
    assert engine.wire.call("GET", f"/images/{image}/json")["Id"].endswith(image.removeprefix("sha256:"))
    assert [one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"]] == ["kept"]
    assert "kept" in {one["Name"] for one in engine.wire.call("GET", "/networks")}


def test_wipe_brings_a_dead_engine_back(engine: Engine) -> None:
    Litter(engine).image("lost:1")
    engine.kill()
    engine.wipe()
    assert _contents(engine) == {"containers": 0, "images": 0, "volumes": 0}


@pytest.mark.engines
@pytest.mark.parametrize("one", KINDS, ids=str)
def test_nothing_is_left_behind(one: EngineKind) -> None:
    interfaces = os.listdir("/sys/class/net")
    with ExitStack() as held:
        with Engine(one) as engine:
            litter = Litter(engine)
            litter.network("net")
            litter.container(state="running", networks=["net"], volumes={"data": "/data"})
            litter.container(state="paused")
            run, namespace = engine.run_directory, held.enter_context(_namespace(engine.pid))
            assert len(_members(namespace)) > 3
            assert cgroups.present(run.name)
        # On a machine that is busy the kernel takes a moment to bury the dead.
        deadline = time.monotonic() + 60
        while _members(namespace) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _members(namespace) == []
    assert not run.exists()
    assert cgroups.present(run.name) == []
    assert run.name not in Path("/proc/self/mounts").read_text()
    assert os.listdir("/sys/class/net") == interfaces


@pytest.fixture
def owner(checkout: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that has an engine with a running container, and waits to be killed."""
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, DEFAULT_KIND],
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.mark.engines
def test_an_engine_goes_with_its_owner(owner: subprocess.Popen[str]) -> None:
    run, keeper = _owned(owner)
    ended = os.pidfd_open(keeper)
    with _namespace(int((run / "pid").read_text())) as namespace:
        owner.kill()
        assert select.select([ended], [], [], 20)[0]
        os.close(ended)
        # The last of them may still be on its way out.
        until = time.monotonic() + 20
        while _members(namespace) and time.monotonic() < until:
            time.sleep(0.1)
        assert _members(namespace) == []
    assert not run.exists()
    assert cgroups.present(run.name) == []


@pytest.mark.engines
def test_the_next_start_sweeps_up_after_owner_and_keeper(owner: subprocess.Popen[str]) -> None:
    run, keeper = _owned(owner)
    first = os.pidfd_open(int((run / "pid").read_text()))
    os.kill(keeper, signal.SIGKILL)
    assert select.select([first], [], [], 20)[0]
    os.close(first)
    assert run not in rundir.sweep(), "its owner still lives"
    owner.kill()
    owner.wait()
    assert run.exists()
    with Engine(kind(DEFAULT_KIND)):
        assert not run.exists()
    assert cgroups.present(run.name) == []


@pytest.mark.engines
def test_two_at_once_do_not_see_each_other() -> None:
    with Engine(kind(DEFAULT_KIND)) as one, Engine(kind(DEFAULT_KIND)) as other:
        Litter(one).container("mine", state="running")
        assert _contents(other) == {"containers": 0, "images": 0, "volumes": 0}
        other.kill()
        assert one.running
        assert Litter(one).state("mine")["Status"] == "running"


@pytest.mark.engines
def test_an_engine_that_does_not_start_says_why() -> None:
    engine = Engine(kind(DEFAULT_KIND), options=("--no-such-option",))
    with pytest.raises(EngineError, match="no-such-option"):
        engine.start()
    assert not engine.running


@pytest.mark.on_engines(*NEWEST)
def test_a_failing_command_raises_unless_told_otherwise(engine: Engine) -> None:
    with pytest.raises(EngineError, match="no-such"):
        engine.docker("inspect", "no-such")
    assert engine.docker("inspect", "no-such", check=False).returncode == 1
    with pytest.raises(RefusalError) as refused:
        engine.wire.call("GET", "/containers/no-such/json")
    assert refused.value.status == 404


@pytest.mark.engines
def test_sandbox_runs_a_command_and_cleans_up(checkout: Path, tmp_path: Path) -> None:
    script = 'docker ps -aq | wc -l; echo "$DOCKER_HOST"; command -v dockersweep; pwd; exit 7'
    done = subprocess.run(
        [checkout / "tests/sandbox", "sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 7, done.stderr
    containers, url, tool, folder = done.stdout.splitlines()
    assert int(containers) == 3
    assert folder == str(tmp_path)
    run = Path(url.removeprefix("unix://")).parent
    assert Path(tool).parent == run / "bin"
    assert not run.exists()
    assert "DOCKERSWEEP_NOW" in done.stderr


def test_an_engine_of_the_tests_takes_the_time_of_a_test_from_afar_as_well(engine: Engine, litter: Litter) -> None:
    litter.network("old", labels={"com.docker.compose.project": "gone"})
    # What nobody saw is not old, whatever the time.
    assert dockersweep("scan", host=engine.url).status == 0
    marker = engine.data_root / MARKER_FILE
    flags = ("--yes", "--kind", "network")
    marker.unlink()
    try:
        run = dockersweep("sweep", *flags, host=engine.url, DOCKERSWEEP_NOW="2099-01-01T00:00:00Z")
    finally:
        marker.touch()
    # A label of Docker's engine says the same; Podman has none.
    assert run.status == (2 if engine.kind.flavour == "podman" else 0), run.stderr
    assert len(engine.api.networks(names=["old"])) == (1 if engine.kind.flavour == "podman" else 0)
    assert dockersweep("sweep", *flags, host=engine.url, DOCKERSWEEP_NOW="2099-01-01T00:00:00Z").status == 0
    assert engine.api.networks(names=["old"]) == []


@pytest.mark.engines
def test_sandbox_cleans_up_when_interrupted(checkout: Path) -> None:
    with subprocess.Popen(
        [checkout / "tests/sandbox", "--empty", "sh", "-c", 'echo "$DOCKER_HOST"; exec sleep 1000'],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        run = Path(process.stdout.readline().strip().removeprefix("unix://")).parent
        assert run.exists()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 128 + signal.SIGINT
    assert not run.exists()


def test_the_environment_is_not_the_users() -> None:
    assert "DOCKER_HOST" not in os.environ
    ours = {name for name in os.environ if name.startswith("DOCKERSWEEP_")}
    assert ours == {"DOCKERSWEEP_TEST_CACHE", "DOCKERSWEEP_STATE_DIR", "DOCKERSWEEP_LOCK_DIR"}
    assert os.environ["DOCKERSWEEP_STATE_DIR"].startswith(os.environ["HOME"])
    assert Path(os.environ["HOME"]).is_dir()


def _contents(engine: Engine) -> dict[str, int]:
    wire = engine.wire
    return {
        "containers": len(wire.call("GET", "/containers/json", all=1)),
        "images": len(wire.images(intermediates=True)),
        "volumes": len(wire.call("GET", "/volumes")["Volumes"] or []),
    }


def _owned(owner: subprocess.Popen[str]) -> tuple[Path, int]:
    assert owner.stdout is not None
    run, keeper = owner.stdout.readline().split()
    return Path(run), int(keeper)


@contextmanager
def _namespace(pid: int) -> Iterator[str]:
    """Yield the name of a process's namespace. It is held open, or its number could be another engine's by now: the
    kernel gives the lowest free one."""
    path = f"/proc/{pid}/ns/pid"
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield os.readlink(path)
    finally:
        os.close(descriptor)


def _members(namespace: str) -> list[int]:
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(folder / "ns/pid") == namespace:
                members.append(int(folder.name))
        except OSError:
            # It has ended since the listing.
            continue
    return members
