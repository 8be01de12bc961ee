"""What was used between two scans is known at the second, on every engine, and what was not used is not said to be."""

import os
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dockersweep.engine.api.client import Client
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import Endpoint
from dockersweep.engine.reading.events import EventReading, read_events
from dockersweep.ledger import FILE_NAME
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST, OLDEST_AND_NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.engines.podman_cli import podman
from tests.rig.next_second import next_second
from tests.rig.running import dockersweep

pytestmark = pytest.mark.enough_on(*OLDEST_AND_NEWEST)
OUR_SIDE = pytest.mark.enough_on(*NEWEST)
ON_DOCKER = pytest.mark.on_engines("docker-20.10", "docker-26.1", "docker-28.5", "docker-28.5-containerd")
ON_PODMAN = pytest.mark.on_engines("podman-5.8", "podman-6.1")
PATIENCE_SECONDS = 15
SHOP = {"com.docker.compose.project": "shop", "com.docker.compose.service": "job"}


def scanned(engine: Engine) -> dict[str, Any]:
    """Scan in another second than the scan before, and return the inventory with each object by its name."""
    next_second()
    inventory = dockersweep("scan", "--format", "json", host=engine.url).json()
    found = {one["name"]: one for kind in ("containers", "volumes", "networks") for one in inventory[kind]}
    found |= {tag.removeprefix("localhost/"): image for image in inventory["images"] for tag in image["tags"]}
    return found | {"": inventory}


def actions(item: dict[str, Any]) -> list[str]:
    return [use["action"] for use in item.get("uses", [])]


def scanned_once_loaded(engine: Engine, *images: str) -> dict[str, Any]:
    """Return a scan that tells of the loading of images: Podman may write that down a moment later."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = scanned(engine)
        if all("loaded" in actions(found[image]) for image in images) or time.monotonic() > deadline:
            return found


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_job_that_is_gone_has_used_its_image(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"app": 1000}, runnable=True)
    litter.image("other:1", layers={"other": 1000}, runnable=True)
    before = scanned_once_loaded(engine, "app:1", "other:1")
    assert "exited" not in actions(before["app:1"])
    litter.job("backup-1", image="app:1", labels=SHOP)
    after = scanned(engine)
    last = after["app:1"]["uses"][0]
    assert (last["action"], last["by"]) == ("exited", "backup-1")
    if engine.kind.flavour == "docker":
        assert (last["project"], last["service"]) == ("shop", "job")
    assert actions(after["other:1"]) == actions(before["other:1"])


@ON_DOCKER
def test_a_job_that_is_gone_has_used_its_volumes_and_networks(engine: Engine, litter: Litter) -> None:
    litter.base()
    litter.volume("cache")
    litter.volume("other")
    litter.network("report")
    litter.network("unrelated")
    assert actions(scanned(engine)["cache"]) == []
    litter.job("backup-1", volumes={"cache": "/c"}, networks=["report"], labels=SHOP)
    after = scanned(engine)
    for name, action in (("cache", "unmounted"), ("report", "disconnected")):
        last = after[name]["uses"][0]
        assert (last["action"], last["by"], last["project"]) == (action, "backup-1", "shop")
    assert actions(after["other"]) == actions(after["unrelated"]) == []
    [span] = after[""]["watched"]
    assert span["ends_at"] >= last["at"]


@ON_DOCKER
@OUR_SIDE
def test_a_volume_that_was_made_again_at_once_has_none_of_the_uses_of_the_former(
    engine: Engine, litter: Litter
) -> None:
    litter.base()
    litter.volume("cache")
    litter.volume("other")
    litter.job("backup-1", volumes={"cache": "/c", "other": "/o"})
    engine.docker("volume", "rm", "cache")
    litter.volume("cache")
    seen = scanned(engine)
    assert actions(seen["cache"]) == []
    assert "unmounted" in actions(seen["other"])


@ON_PODMAN
def test_podman_does_not_tell_what_a_job_held_and_so_its_time_is_not_watched(engine: Engine, litter: Litter) -> None:
    litter.base()
    litter.volume("cache")
    litter.network("report")
    scanned(engine)
    kept = litter.container("kept", volumes={"cache": "/c"}, networks=["report"])
    first = scanned(engine)
    # A container that is still there tells it.
    assert [use["by"] for use in first["cache"]["uses"] + first["report"]["uses"]] == ["kept", "kept"]
    assert "of_held" not in first[""]["watched"][-1]
    litter.job("backup-1", volumes={"cache": "/c"}, networks=["report"])
    second = scanned(engine)
    assert second[""]["watched"][-1]["of_held"] is False
    engine.docker("rm", kept)
    third = scanned(engine)
    assert "of_held" not in third[""]["watched"][-1]
    assert [span["ends_at"] for span in third[""]["watched"][:-1]] == [
        one["begins_at"] for one in third[""]["watched"][1:]
    ]


@ON_PODMAN
def test_what_people_do_with_the_podman_command_is_noticed_like_all_else(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"app": 1000}, runnable=True)
    litter.image("other:1", layers={"other": 1000}, runnable=True)
    before = scanned_once_loaded(engine, "app:1", "other:1")
    # The machine of the tests lets it set fewer limits, and has no controller for processes.
    limits = ("--ulimit", "nofile=2000:2000", "--ulimit", "nproc=1000:1000", "--pids-limit", "0", "--network", "none")
    podman(engine, "run", "--rm", "--name", "nightly", *limits, "localhost/app:1", "/bin/sh", "-c", "exit 0")
    after = scanned(engine)
    last = after["app:1"]["uses"][0]
    assert (last["action"], last["by"]) == ("exited", "nightly")
    assert actions(after["other:1"]) == actions(before["other:1"])


def test_an_exec_is_a_use_of_all_that_the_container_holds(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"app": 1000}, runnable=True)
    litter.volume("data")
    litter.container("server", image="app:1", volumes={"data": "/d"}, state="running")
    litter.container("idle", image="app:1", state="running")
    before = scanned(engine)
    engine.docker("exec", "server", "true")
    ran = scanned(engine)
    assert "ran a command" in actions(ran["server"])
    assert "ran a command" in actions(ran["data"]) + actions(ran["app:1"])
    assert actions(ran["idle"]) == actions(before["idle"])


@ON_DOCKER
def test_docker_cp_into_a_container_that_never_ran_is_a_use_of_it_and_its_volumes(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    litter.volume("data")
    litter.volume("other")
    litter.container("prepared", volumes={"data": "/d"}, state="created")
    litter.container("unrelated", volumes={"other": "/d"}, state="created")
    scanned(engine)
    (tmp_path / "file").write_text("x")
    engine.docker("cp", str(tmp_path / "file"), "prepared:/d/file")
    after = scanned(engine)
    assert actions(after["prepared"])[0] == "copied files"
    assert (after["data"]["uses"][0]["by"], actions(after["other"])) == ("prepared", actions(after["other"]))
    assert set(actions(after["other"])) <= {"created"}
    assert "copied files" not in actions(after["unrelated"])


@ON_DOCKER
def test_docker_commit_is_a_use_of_the_container_and_none_of_its_volumes(engine: Engine, litter: Litter) -> None:
    litter.volume("data")
    litter.container("kept", volumes={"data": "/d"}, state="created")
    litter.container("unrelated", state="created")
    before = scanned(engine)
    engine.docker("commit", "kept", "snapshot:1")
    after = scanned(engine)
    assert actions(after["kept"])[0] == "committed"
    assert after["data"].get("uses") == before["data"].get("uses")
    assert after["unrelated"].get("uses") == before["unrelated"].get("uses")


@ON_DOCKER
def test_what_docker_commit_made_exists_only_here_without_a_tag_too(engine: Engine, litter: Litter) -> None:
    litter.container("kept", state="created")
    scanned(engine)
    made = engine.docker("commit", "kept").stdout.strip()
    images = dockersweep("scan", "--format", "json", host=engine.url).json()["images"]
    [image] = [one for one in images if one["id"] == made]
    assert (image["tags"], actions(image)[0]) == ([], "made by commit")
    plan = dockersweep("plan", "--older-than", "0s", "--format", "json", host=engine.url).json()
    [decided] = [one for one in plan["decisions"] if one["id"] == made]
    assert decided["verdict"] == "remove"
    assert "only-here" in [one["code"] for one in decided["reasons"]]


def test_what_is_done_with_an_image_is_a_use_of_it(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    for name in ("app", "other"):
        litter.image(f"{name}:1", layers={name: 1000})
    before = scanned_once_loaded(engine, "app:1", "other:1")
    assert "loaded" in actions(before["app:1"])
    litter.retag("app:1", "localhost/app:2" if engine.kind.flavour == "podman" else "app:2")
    assert actions(scanned(engine)["app:1"])[0] == "tagged"
    engine.docker("image", "save", "app:1", "--output", str(tmp_path / "saved"))
    after = scanned(engine)
    assert {"saved", "tagged", "loaded"} <= set(actions(after["app:2"]))
    assert actions(after["other:1"]) == actions(before["other:1"])


@ON_DOCKER
@OUR_SIDE
def test_a_name_is_of_the_image_that_had_it_then(engine: Engine, litter: Litter) -> None:
    litter.image("job:latest", layers={"old": 1000}, runnable=True)
    litter.image("job:new", layers={"new": 1000}, runnable=True)
    scanned(engine)
    litter.job("by-old-name", image="job")
    litter.retag("job:new", "job:latest")
    litter.job("by-new-name", image="job")
    after = scanned(engine)
    users = [use.get("by") for use in after["job:latest"]["uses"]]
    assert "by-new-name" in users
    assert "by-old-name" not in users


@OUR_SIDE
def test_an_engine_that_was_started_anew_has_a_gap_unless_it_kept_its_events(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", layers={"app": 1000}, runnable=True)
    litter.volume("data")
    first = scanned(engine)
    litter.job("before-restart", image="app:1", volumes={"data": "/d"})
    engine.restart()
    time.sleep(1.1)
    litter.job("after-restart", image="app:1", volumes={"data": "/d"})
    # Of a span that begins and ends within a second nothing is left in whole ones.
    time.sleep(1.1)
    second = scanned(engine)
    users = [use.get("by") for use in second["app:1"]["uses"]]
    assert "after-restart" in users
    # The rig's Podman has its file in /run, which its restart empties as a boot does.
    assert "before-restart" not in users
    last = second[""]["watched"][-1]
    assert at(last["begins_at"]) > at(first[""]["taken_at"])
    assert at(last["ends_at"]) <= at(second[""]["taken_at"])


@ON_DOCKER
@OUR_SIDE
def test_a_ring_that_overran_leaves_a_gap_and_tells_what_is_still_in_it(engine: Engine, litter: Litter) -> None:
    litter.base()
    litter.volume("early")
    litter.volume("late")
    first = scanned(engine)
    litter.job("early-job", volumes={"early": "/d"})
    time.sleep(1.1)
    for number in range(140):
        litter.volume(f"many-{number}")
        engine.wire.raw("DELETE", f"/volumes/many-{number}")
    time.sleep(1.1)
    litter.job("late-job", volumes={"late": "/d"})
    second = scanned(engine)
    assert actions(second["early"]) == []
    assert [use["by"] for use in second["late"]["uses"]] == ["late-job"]
    spans = second[""]["watched"]
    assert at(spans[-1]["begins_at"]) > at(first[""]["taken_at"])
    third = scanned(engine)
    assert third[""]["watched"][-1]["begins_at"] == spans[-1]["begins_at"]


@OUR_SIDE
def test_what_dockersweep_does_itself_is_no_use(engine: Engine, litter: Litter) -> None:
    litter.image("app:1", tags=["app:2"], layers={"app": 1000}, runnable=True)
    litter.volume("data")
    litter.network("lan")
    for name, state in (("ended", "exited"), ("new", "created")):
        litter.container(name, image="app:1", volumes={"data": "/d"}, networks=["lan"], state=state)  # type: ignore[arg-type]
    before = scanned(engine)
    run = dockersweep("sweep", "--yes", "--kind", "container", "--older-than", "0s", host=engine.url)
    assert run.status == 0
    after = scanned(engine)
    assert "ended" not in after
    for name in ("app:1", "data", "lan"):
        assert after[name]["uses"] == before[name]["uses"]
        assert before[name]["uses"]
    assert after[""]["watched"][-1]["ends_at"] == after[""]["taken_at"]


@OUR_SIDE
def test_an_instant_that_somebody_chose_is_not_written(
    engine: Engine, litter: Litter, monkeypatch: pytest.MonkeyPatch
) -> None:
    litter.image("app:1", layers={"app": 1000}, runnable=True)
    scanned(engine)
    litter.job("chosen", image="app:1")
    monkeypatch.setenv("DOCKERSWEEP_NOW", "2031-01-01T00:00:00Z")
    chosen = scanned(engine)
    assert "chosen" in [use.get("by") for use in chosen["app:1"]["uses"]]
    monkeypatch.delenv("DOCKERSWEEP_NOW")
    with closing(sqlite3.connect(Path(os.environ["DOCKERSWEEP_STATE_DIR"]) / FILE_NAME)) as database:
        written = database.execute("SELECT told FROM uses").fetchall()
    assert written
    assert not [told for (told,) in written if b"chosen" in told]
    assert "chosen" in [use.get("by") for use in scanned(engine)["app:1"]["uses"]]


def read(url: str) -> EventReading:
    with closing(Connection(Endpoint(url, "the test", tls=None), timeout_seconds=60)) as connection:
        return read_events(Client(connection, removal_seconds=0), None)


@ON_DOCKER
@OUR_SIDE
def test_an_engine_that_has_nothing_to_tell_is_known_to_have_been_idle_since_it_began(engine: Engine) -> None:
    before = datetime.now(UTC)
    engine.restart()
    time.sleep(3)
    told = read(f"unix://{engine.socket}")
    assert (told.events, told.warnings) == ((), ())
    assert told.watched is not None
    assert before < told.watched.begins_at < told.watched.ends_at
    # What listens here is no engine, but stands before one that may have been another a minute ago.
    assert read(engine.url).watched is None
