"""What changes between the plan and its removal is not removed: on every engine, with the change made just in time.

The recorder stops the first request that a sweep makes to look again, makes the change, and lets it go on.
"""

from collections.abc import Callable
from typing import Any

from tests.engines.engine import Engine
from tests.engines.kinds import CannotDo
from tests.engines.litter import Litter
from tests.recorder import Request, recording
from tests.running import Run, dockersweep

ALL = ("--older-than", "0s")


def sweep_while(engine: Engine, path: str, change: Callable[[], object], *flags: str) -> Run:
    """Sweep; when the object at `path` is looked at just before its removal, change something first."""
    scanned: list[bool] = []

    def before(request: Request) -> None:
        if request.path == path and not scanned:
            scanned.append(True)
            change()

    with recording(engine.socket) as recorder:
        recorder.before = before
        run = dockersweep("sweep", "--yes", "--format", "json", *ALL, *flags, host=recorder.url)
    assert scanned, "the object was never looked at"
    return run


def outcome(run: Run, kind: str) -> Any:
    outcomes = [one for one in run.json()["outcomes"] if one["kind"] == kind]
    assert len(outcomes) == 1, outcomes
    return outcomes[0]


def sweep_container_while(engine: Engine, container: str, change: Callable[[], object]) -> Run:
    """As `sweep_while`, at the second look at a container: the first belongs to the scan."""
    looks: list[Request] = []

    def before(request: Request) -> None:
        if request.path == f"/containers/{container}/json" and request.method == "GET":
            looks.append(request)
            if len(looks) == 2:
                change()

    with recording(engine.socket) as recorder:
        recorder.before = before
        run = dockersweep("sweep", "--yes", "--format", "json", "--kind", "container", *ALL, host=recorder.url)
    assert len(looks) >= 2, "the container was not looked at again"
    return run


def test_a_container_that_was_started(engine: Engine, litter: Litter) -> None:
    made = litter.container("web", state="created")
    run = sweep_container_while(engine, made, lambda: litter.start(made))
    assert (run.status, outcome(run, "container")["status"]) == (0, "skipped")
    assert "changed since it was judged: state was created" in outcome(run, "container")["detail"]
    assert made in engine.docker("ps", "-aq", "--no-trunc").stdout


def test_a_container_that_ran_again_and_exited(engine: Engine, litter: Litter) -> None:
    made = litter.container("web", state="exited")

    def again() -> None:
        litter.start(made)
        litter.wait(made)

    run = sweep_container_while(engine, made, again)
    assert outcome(run, "container")["status"] == "skipped"
    assert "finished was" in outcome(run, "container")["detail"]


def test_a_container_that_is_to_restart_from_now_on(engine: Engine, litter: Litter) -> None:
    if engine.kind.flavour == "podman":
        raise CannotDo("its service does not change the restart policy of a container")
    made = litter.container("web", state="created")
    run = sweep_container_while(engine, made, lambda: engine.docker("update", "--restart", "always", made))
    assert "restart policy was no, is always" in outcome(run, "container")["detail"]


def test_a_volume_that_is_gone_does_not_take_one_of_a_longer_name_along(engine: Engine, litter: Litter) -> None:
    litter.volume("data")
    with recording(engine.socket) as recorder:

        def before(request: Request) -> None:
            if request.path == "/volumes/data" and request.method == "DELETE":
                engine.api.remove_volume("data")

        def new_neighbour(request: Request) -> None:
            before(request)
            if request.path == "/volumes/data" and request.method == "GET":
                litter.volume("data2")

        recorder.before = new_neighbour
        flags = ("--yes", "--named-volumes", "--kind", "volume", "--format", "json", *ALL)
        run = dockersweep("sweep", *flags, host=recorder.url)
    assert outcome(run, "volume")["status"] in ("gone", "skipped")
    assert "data2" in engine.docker("volume", "ls", "-q").stdout.split()


def test_a_container_that_was_renamed(engine: Engine, litter: Litter) -> None:
    made = litter.container("web", state="created")
    run = sweep_container_while(engine, made, lambda: engine.api.rename(made, "precious"))
    assert "name was web, is precious" in outcome(run, "container")["detail"]


def test_a_container_that_somebody_else_removed(engine: Engine, litter: Litter) -> None:
    made = litter.container("web", state="created")
    run = sweep_container_while(engine, made, lambda: engine.api.remove_container(made))
    assert (run.status, outcome(run, "container")["status"]) == (0, "gone")


def test_a_volume_that_was_made_anew(engine: Engine, litter: Litter) -> None:
    name = litter.anonymous_volume(1000)

    def anew() -> None:
        engine.api.remove_volume(name)
        engine.wire.call("POST", "/volumes/create", {"Name": name, "Labels": {"new": "1"}})

    run = sweep_while(engine, f"/volumes/{name}", anew, "--kind", "volume")
    assert outcome(run, "volume")["status"] == "skipped"
    assert "changed since it was judged" in outcome(run, "volume")["detail"]
    assert name in engine.docker("volume", "ls", "-q").stdout


def test_a_volume_that_a_new_container_mounts(engine: Engine, litter: Litter) -> None:
    name = litter.anonymous_volume(1000)
    run = sweep_while(
        engine,
        f"/volumes/{name}",
        lambda: litter.container("late", state="created", volumes={name: "/data"}),
        "--kind",
        "volume",
    )
    assert (run.status, outcome(run, "volume")["status"]) == (0, "skipped")
    assert outcome(run, "volume")["detail"].startswith("in use: ")
    assert name in engine.docker("volume", "ls", "-q").stdout


def test_an_image_that_got_a_tag(engine: Engine, litter: Litter) -> None:
    made = litter.image(None, layers={"a": 1000})
    run = sweep_while(engine, f"/images/{made}/json", lambda: litter.retag(made, "precious:1"), "--kind", "image")
    assert outcome(run, "image")["status"] == "skipped"
    assert "tags was nothing, is" in outcome(run, "image")["detail"]


def test_an_image_that_got_a_container(engine: Engine, litter: Litter) -> None:
    made = litter.image(None, layers={"a": 1000}, runnable=True)
    run = sweep_while(
        engine,
        f"/images/{made}/json",
        lambda: litter.container("late", image=made, state="created"),
        "--kind",
        "image",
    )
    assert (run.status, outcome(run, "image")["status"]) == (0, "skipped")
    assert made in engine.docker("images", "-aq", "--no-trunc").stdout


def test_a_spare_tag_whose_image_got_a_container(engine: Engine, litter: Litter) -> None:
    made = litter.image("app:1", layers={"a": 1000}, tags=["app:2"], runnable=True)
    changed: list[bool] = []

    def before(request: Request) -> None:
        if request.path.startswith("/images/") and request.path.endswith("app:2/json") and not changed:
            changed.append(True)
            litter.container("late", image=made, state="created")

    with recording(engine.socket) as recorder:
        recorder.before = before
        run = dockersweep("sweep", "--yes", "--format", "json", "--all-images", *ALL, host=recorder.url)
        assert [one for one in recorder.of("DELETE") if "app" in one.path] == []
    assert changed
    statuses = [one["status"] for one in run.json()["outcomes"] if one["id"] == made]
    assert statuses == ["skipped", "skipped"]


def test_a_network_that_a_new_container_names(engine: Engine, litter: Litter) -> None:
    made = litter.network("net")
    run = sweep_while(
        engine,
        f"/networks/{made}",
        lambda: litter.container("late", state="created", networks=["net"]),
        "--kind",
        "network",
    )
    assert (run.status, outcome(run, "network")["status"]) == (0, "skipped")
    assert outcome(run, "network")["detail"] == "in use: container late (created) names it"
    assert made in engine.docker("network", "ls", "-q", "--no-trunc").stdout
