"""Every finding's fix does what it says: on a real engine each finding comes about, its fix is carried out as told, and
afterwards the engine runs what it should and the report no longer has the finding.

Whoever adds a finding adds its row, or the file of tests that carry its fix out in another way.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from contextlib import ExitStack, closing
from pathlib import Path, PurePosixPath
from typing import Any, get_args

import pytest

from dockersweep.model.report import FindingId
from tests.rig.archive_fixes import ARCHIVE_ROWS
from tests.rig.engines.archive import ImageSpec, random_bytes
from tests.rig.engines.disks import SmallDisk
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind
from tests.rig.engines.litter import BASE, State
from tests.rig.engines.podman_cli import killed_build, podman
from tests.rig.fixes import Row, Stage, command_in, settings_in

MEGABYTE = 1_000_000
DOCKER = ("docker-20.10", "docker-28.5-containerd")
THREE = (*DOCKER, "podman-6.1")
"""The oldest, and the newest of each flavour. In every run the first of them rests, and where the fix is a rule of ours
the second, too."""
BY_RULE = {"DS003", "DS004", "DS007", "DS010"}
SWITCHED = ("docker-28.5",)
PODMAN = ("podman-5.8", "podman-6.1")
DISK = SmallDisk("", "ext4")
COMPOSE = "com.docker.compose."


# Containers.


def talks(stage: Stage) -> None:
    said = "head -c 15000000 /dev/zero | tr '\\0' x | fold; exec sleep 1000000"
    run = ("run", "--detach", "--network", "none", "--stop-signal", "KILL", "--name", "chatter")
    stage.litter.base()
    stage.engine.docker(*run, BASE, "/bin/sh", "-c", said)


def logs_a_lot(stage: Stage) -> None:
    talks(stage)
    stage.await_finding("DS001")


def limit_logs(stage: Stage, finding: Any) -> None:
    stage.set(settings_in(finding["fix"]))
    # The log of a container goes with it.
    stage.engine.docker("rm", "--force", "chatter")
    talks(stage)
    deadline = 60
    while deadline and not list(stage.engine.data_root.glob("containers/*/*-json.log.1")):
        deadline -= 1
        stage.engine.docker("exec", "chatter", "sleep", "0.5")
    logs = list(stage.engine.data_root.glob("containers/*/*-json.log*"))
    assert 1 < len(logs) <= 3
    assert all(one.stat().st_size <= 11 * MEGABYTE for one in logs)


def write_into_layer(stage: Stage, volumes: dict[str, str] | None = None) -> None:
    stage.litter.container("web", state="running", volumes=volumes)
    work = "mkdir -p /srv/data && dd if=/dev/zero of=/srv/data/big bs=1000000 count=110"
    stage.engine.docker("exec", "web", "/bin/sh", "-c", work)


def write_into_volume(stage: Stage, finding: Any) -> None:
    told = stage.do(finding["fix"]["command"])
    [written] = [line.split()[1] for line in told.splitlines() if line.startswith("A ") and line.endswith("/big")]
    stage.engine.docker("rm", "--force", "web")
    write_into_layer(stage, {"web-data": str(PurePosixPath(written).parent)})


def loops(stage: Stage) -> None:
    stage.litter.container("web", state="restarting", command="echo broken; exit 1")


def stop_the_loop(stage: Stage, finding: Any) -> None:
    assert "broken" in stage.do(finding["fix"]["command"])
    stage.engine.docker("stop", "web")


def dies(stage: Stage) -> None:
    stage.litter.container("stuck", state="dead")
    stage.wait(hours=2)


def removes_it(stage: Stage, finding: Any) -> None:
    stage.do(finding["fix"]["command"])
    assert stage.engine.wire.call("GET", "/containers/json", all="1") == []


def would_come_back(stage: Stage) -> None:
    stage.litter.stop(stage.litter.container("job", restart="always", state="running"))
    stage.litter.container("other", restart="no")


def let_it_go(stage: Stage, finding: Any) -> None:
    stage.do(finding["fix"]["command"])
    stage.run("scan")
    stage.engine.restart()
    assert {one["State"] for one in stage.engine.wire.call("GET", "/containers/json", all="1")} == {"exited"}
    stage.wait(days=2)
    stage.run("sweep", "--yes")
    assert stage.engine.wire.call("GET", "/containers/json", all="1") == []


def is_killed(stage: Stage) -> None:
    stage.litter.image("ubi:1", layers={"ubi": 1000}, runnable=True)
    step = f"FROM localhost/ubi:1\nRUN head -c {3 * MEGABYTE} /dev/urandom > /heavy && sleep 1000\n"
    killed_build(stage.engine, step, writes="heavy", size=3 * MEGABYTE)
    stage.wait(hours=8)


def remove_what_the_build_left(stage: Stage, finding: Any) -> None:
    stage.do(finding["fix"]["command"])
    assert not list(stage.engine.data_root.glob("overlay/*/diff/heavy"))


# Volumes.


def lies_about(stage: Stage) -> None:
    stage.litter.volume("old", size=1000)
    stage.litter.container("web", state="running", volumes={"used": "/data"})
    stage.run("scan")
    stage.wait(days=31)


def loses_its_project(stage: Stage) -> None:
    for project in ("shop", "blog"):
        labels = {f"{COMPOSE}project": project}
        stage.litter.volume(f"{project}-data", size=1000, labels=labels)
        volumes = {f"{project}-data": "/data"}
        stage.litter.container(project, state="running", volumes=volumes, labels={**labels, f"{COMPOSE}service": "db"})
    stage.run("scan")
    stage.engine.docker("rm", "--force", "shop")
    stage.run("scan")
    stage.wait(days=31)


def looks_anonymous(stage: Stage) -> None:
    stage.litter.volume("ab" * 32, size=1000)
    stage.litter.volume("mine", size=1000)
    stage.run("scan")
    stage.wait(days=31)


def follow_the_rule(*gone: str) -> Any:
    def carry_out(stage: Stage, finding: Any) -> None:
        assert " is kept by " in stage.do(finding["fix"]["command"])
        assert stage.sweep_by(finding["fix"]["rule"]) == set(gone)

    return carry_out


def loses_its_builder(stage: Stage) -> None:
    for builder in ("gone0", "here0"):
        stage.litter.volume(f"buildx_buildkit_{builder}_state", size=1000)
    stage.litter.container("buildx_buildkit_here0", volumes={"buildx_buildkit_here0_state": "/var/lib/buildkit"})


def remove_the_state(stage: Stage, finding: Any) -> None:
    stage.do(finding["fix"]["command"])
    left = [one["Name"] for one in stage.engine.wire.call("GET", "/volumes")["Volumes"]]
    assert left == ["buildx_buildkit_here0_state"]


# Images.


def tags(stage: Stage) -> set[str]:
    listed = stage.engine.wire.images()
    return {tag.removeprefix("localhost/") for one in listed for tag in one["RepoTags"] or ()} - {"<none>:<none>"}


def is_held(stage: Stage, state: State = "exited", restart: str = "no") -> None:
    stage.litter.image("app:1", layers={"app": 1000}, runnable=True)
    stage.litter.image("used:1", layers={"used": 1000}, runnable=True)
    stage.litter.container("job", image="app:1", state=state, restart=restart)
    stage.litter.container("web", image="used:1", state="running")
    stage.run("scan")
    stage.wait(days=31)


def is_held_by_what_restarts(stage: Stage) -> None:
    # The default policy leaves alone what the engine may start by itself.
    is_held(stage, state="created", restart="always")


def sweep_the_holder(stage: Stage, finding: Any) -> None:
    assert finding["fix"]["text"].startswith("dockersweep sweep --all-images removes job and the image at once")
    stage.do(finding["fix"]["command"], "--yes")
    assert tags(stage) == {"used:1"}
    stage.set_clock_back()


def remove_the_holder(stage: Stage, finding: Any) -> None:
    stage.do(finding["fix"]["command"])
    sweep = command_in(finding["fix"], "dockersweep sweep")
    stage.set_clock_back()
    stage.do(sweep, "--yes")
    assert "once the image has been unused for a day" in finding["fix"]["text"]
    stage.wait(days=1)
    stage.do(sweep, "--yes")
    assert tags(stage) == {"used:1"}


def piles_up(stage: Stage) -> None:
    dates = [f"2020-01-{number + 1:02}T00:00:00Z" for number in range(12)]
    stage.litter.images(
        [
            ImageSpec((f"app:{number}",), {"base": 1000, f"{number}": 1000}, created=date)
            for number, date in enumerate(dates)
        ]
    )
    stage.run("scan")
    stage.wait(days=15)


def keep_the_newest(stage: Stage, finding: Any) -> None:
    assert stage.sweep_by(finding["fix"]["rule"]) == {f"app:{number}" for number in range(7)}
    assert tags(stage) == {f"app:{number}" for number in range(7, 12)}


def builds_daily(stage: Stage) -> None:
    for day in range(7):
        stage.litter.image("app:1", layers={f"day-{day}": 1000})
        stage.run("scan")
        stage.night()


def tag_each_build(stage: Stage, finding: Any) -> None:
    sweep = command_in(finding["fix"], "dockersweep sweep").split()[1:]
    for day in range(8):
        stage.litter.image(f"app:of-{day}", layers={f"new-{day}": 1000})
        # What the engine itself knows of these images is of today.
        stage.run(*sweep, days_later=2)
        stage.night()
    assert tags(stage) == {"app:1", *(f"app:of-{day}" for day in range(8))}
    assert len(stage.engine.wire.images()) == 9


# The engine.


def builds_much(stage: Stage) -> None:
    stage.set({"builder": {"gc": {"enabled": True, "defaultKeepStorage": "2MB"}}})
    stage.litter.build_cache("much", records=3, size=2 * MEGABYTE)


def sweep_the_cache(stage: Stage, finding: Any) -> None:
    stage.wait(days=8)
    stage.do(finding["fix"]["command"], "--yes")
    assert stage.litter.cache_ids() == []


def builds_without_a_limit(stage: Stage) -> None:
    stage.litter.base()
    # A hole counts as if it were filled.
    stage.litter.build("FROM busybox:latest\nRUN busybox truncate -s 1200000000 /big\n")


def limit_the_cache(stage: Stage, finding: Any) -> None:
    stage.set(settings_in(finding["fix"]))


def is_switched(first: str, second: str) -> Any:
    def comes_about(stage: Stage) -> None:
        stage.set({"features": {"containerd-snapshotter": first == "containerd"}})
        stage.litter.image("before:1", layers={"before": 5 * MEGABYTE}, runnable=True)
        said = "head -c 3000000 /dev/zero | tr '\\0' x"
        stage.litter.container("before", image="before:1", command=said)
        stage.runs_what_it_should()
        stage.set({"features": {"containerd-snapshotter": second == "containerd"}})

    return comes_about


def loses_its_snapshots(stage: Stage) -> None:
    """What an earlier version's fix said, and left the images in containerd's database."""
    is_switched("containerd", "overlay2")(stage)
    stage.engine.stop()
    shutil.rmtree(stage.engine.data_root / "containerd/daemon/io.containerd.snapshotter.v1.overlayfs")
    stage.engine.start()


def take_the_store_away(stage: Stage, finding: Any) -> None:
    """Whoever switches back after that has an engine as new, and a store left behind when it is switched again."""
    assert finding["size_bytes"] > 5 * MEGABYTE
    features = json.loads((stage.engine.run_directory / "configuration" / "daemon.json").read_text())["features"]
    stage.runs_what_it_should()
    before = stage.run("report", "--format", "json").json()["folder_bytes"]
    assert "DS025" not in containers_nobody_owns(stage)
    take_away(stage, finding)
    assert "DS025" in containers_nobody_owns(stage)
    after = stage.run("report", "--format", "json").json()["folder_bytes"]
    assert before - after == pytest.approx(finding["size_bytes"], rel=0.1)
    assert "DS013" not in stage.findings()
    stage.runs_what_it_should()
    stage.set({"features": {name: not value for name, value in features.items()}})
    assert stage.engine.wire.images() == []
    stage.litter.image("before:1", layers={"before": 5 * MEGABYTE}, runnable=True)
    stage.litter.container("after", image="before:1")
    stage.runs_what_it_should()
    stage.set({"features": features})
    take_away(stage, stage.findings()["DS013"])


def containers_nobody_owns(stage: Stage) -> set[str]:
    """What is found later on: those of a store that is left are there again when the engine is switched back."""
    stage.wait(hours=2)
    found = set(stage.findings())
    stage.set_clock_back()
    return found


def take_away(stage: Stage, finding: Any) -> None:
    stage.engine.stop()
    for place in map(Path, finding["fix"]["places"]):
        assert str(place) in finding["fix"]["text"]
        assert place.is_relative_to(stage.engine.data_root)
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()
    stage.engine.start()


def fills(share: float) -> Any:
    """Fill a disk up to there with images that dangle, some days ago."""

    def comes_about(stage: Stage) -> None:
        while stage.used_share() < share:
            stage.litter.image(layers={f"{time.monotonic_ns()}": MEGABYTE // 2})
        stage.run("scan")
        stage.wait(days=2)

    return comes_about


def sweep_the_disk(stage: Stage, finding: Any) -> None:
    stage.do(finding["fix"]["command"], "--yes")
    assert stage.engine.wire.images() == []


def sweep_the_disk_by_its_target(stage: Stage, finding: Any) -> None:
    """The days to come are those in which it fills up again."""
    sweep_the_disk(stage, finding)
    target = re.findall(r'[a-z_]+ = "\d+%"', finding["fix"]["text"])
    assert len(target) == 2
    fills(0.88)(stage)
    assert "DS016" in stage.findings()
    gone = stage.sweep_by("\n".join(["[target]", *target, 'order = ["image"]\n']))
    assert 0 < len(gone) < len(gone) + len(stage.engine.wire.images())


def grows_daily(stage: Stage) -> None:
    for day in range(6):
        stage.litter.image(layers={f"day-{day}": 3 * MEGABYTE})
        stage.run("scan")
        stage.night()


def sweep_daily(stage: Stage, finding: Any) -> None:
    sweep = command_in(finding["fix"], "dockersweep sweep").split()[1:]
    for day in range(14):
        stage.litter.image(layers={f"later-{day}": 3 * MEGABYTE})
        stage.run(*sweep, days_later=2)
        stage.run("scan")
        stage.night()
    assert len(stage.engine.wire.images()) <= 3


SECONDS = 8
UNUSED = f"""
[[rule]]
name = "known to be unused"
kind = "volume"
match.name = "old"
remove.unused_for = "{SECONDS}s"
"""


def is_not_watched(stage: Stage) -> None:
    stage.litter.volume("old")
    stage.run("scan")
    time.sleep(SECONDS)
    # So many events that those before them are forgotten.
    for number in range(140):
        stage.litter.volume(f"many-{number % 2}")
        stage.engine.wire.call("DELETE", f"/volumes/many-{number % 2}")
    stage.report_words = ("--policy", stage.policy(UNUSED))


def watch(stage: Stage, finding: Any) -> None:
    assert "Not watched" in stage.do(finding["fix"]["command"])
    scan = command_in(finding["fix"], "dockersweep scan").split()[1:]
    for _ in range(SECONDS):
        time.sleep(2)
        stage.run(*scan)
    assert stage.sweep_by(UNUSED) == {"old"}


def go_by_age(stage: Stage, finding: Any) -> None:
    assert "remove.older_than" in finding["fix"]["text"]
    assert stage.sweep_by(UNUSED.replace("unused_for", "older_than")) == {"old"}


def adds_artifacts(stage: Stage) -> None:
    for name, size in (("quay.io/team/model:1", 110 * MEGABYTE), ("localhost/small:1", MEGABYTE)):
        file = stage.engine.run_directory / "artifact"
        file.write_bytes(random_bytes(name, size))
        podman(stage.engine, "artifact", "add", name, str(file))


def remove_the_largest(stage: Stage, finding: Any) -> None:
    assert "quay.io/team/model" in stage.do(command_in(finding["fix"], "podman artifact ls"))
    stage.do(finding["fix"]["command"])
    assert "localhost/small" in podman(stage.engine, "artifact", "ls")
    assert stage.run("report", "--format", "json").json()["artifacts_bytes"] < 2 * MEGABYTE


ROWS = (
    Row("DS001", ("docker-20.10", "docker-28.5"), logs_a_lot, limit_logs, own_engine=True),
    Row("DS002", THREE, write_into_layer, write_into_volume),
    Row("DS003", THREE, lies_about, follow_the_rule("old")),
    Row("DS004", ("docker-20.10", "docker-28.5", "podman-6.1"), loses_its_project, follow_the_rule("shop-data")),
    Row("DS005", THREE, loses_its_builder, remove_the_state),
    Row("DS006", THREE, is_held, sweep_the_holder, "by the next sweep"),
    Row("DS006", THREE, is_held_by_what_restarts, remove_the_holder, "by hand"),
    Row("DS007", THREE, piles_up, keep_the_newest),
    Row("DS008", DOCKER, loops, stop_the_loop),
    Row("DS009", DOCKER, dies, removes_it),
    Row("DS010", THREE, builds_daily, tag_each_build),
    Row("DS011", ("docker-28.5", "docker-28.5-containerd"), builds_much, sweep_the_cache, own_engine=True),
    Row("DS012", ("docker-26.1",), builds_without_a_limit, limit_the_cache, own_engine=True),
    Row(
        "DS013",
        ("docker-28.5",),
        is_switched("overlay2", "containerd"),
        take_the_store_away,
        "overlay2",
        own_engine=True,
    ),
    Row(
        "DS013",
        ("docker-28.5",),
        is_switched("containerd", "overlay2"),
        take_the_store_away,
        "containerd",
        own_engine=True,
    ),
    Row("DS013", SWITCHED, loses_its_snapshots, take_the_store_away, "a part of containerd", own_engine=True),
    Row("DS014", THREE, would_come_back, let_it_go),
    Row("DS015", ("docker-28.5",), fills(0.96), sweep_the_disk, own_engine=True, disk=DISK),
    Row("DS016", ("docker-28.5",), fills(0.88), sweep_the_disk_by_its_target, own_engine=True, disk=DISK),
    Row("DS017", ("docker-28.5",), grows_daily, sweep_daily, own_engine=True, disk=DISK),
    Row("DS018", PODMAN, is_killed, remove_what_the_build_left),
    Row("DS019", ("docker-26.1", "docker-28.5"), looks_anonymous, follow_the_rule("ab" * 32)),
    Row("DS020", ("docker-28.5",), is_not_watched, watch, "watched from then on"),
    Row("DS020", ("docker-28.5",), is_not_watched, go_by_age, "by age"),
    Row("DS026", PODMAN, adds_artifacts, remove_the_largest, own_engine=True),
    *ARCHIVE_ROWS,
)
"""In the order of the ids."""


def in_every_run(row: Row) -> tuple[str, ...]:
    """The engines of a row on which its fix is carried out in every run."""
    return row.engines[2 if row.id in BY_RULE else 1 :] or row.engines


_TRIES = 5


@pytest.mark.parametrize(
    ("engine", "row"),
    [
        pytest.param(kind(name), row, id=f"{name}-{row}", marks=pytest.mark.enough_on(*in_every_run(row)))
        for row in ROWS
        for name in row.engines
    ],
    indirect=["engine"],
)
def test_a_fix_does_what_it_says(engine: Engine, row: Row, tmp_path: Path) -> None:
    with ExitStack() as stack:
        if row.own_engine:
            disks = () if row.disk is None else (row.disk,)
            engine = stack.enter_context(Engine(engine.kind, disks=disks))
        stage = stack.enter_context(closing(Stage(engine, tmp_path)))
        row.comes_about(stage)
        found = stage.findings()
        for _ in range(_TRIES if row.id in ("DS011", "DS020") else 0):
            # On a busy machine the engine collects its build cache before the look, or a scan comes between events.
            if row.id not in found:
                row.comes_about(stage)
                found = stage.findings()
        row.carry_out(stage, found[row.id])
        # Nothing but its settings and stores could keep it from building.
        stage.runs_what_it_should(builds=row.own_engine)
        assert row.id not in stage.findings()


ELSEWHERE = ("tests/engine/test_leaks.py",)
"""The files of tests that carry fixes out in another way."""


def test_the_fix_of_every_finding_is_carried_out(checkout: Path) -> None:
    elsewhere = "".join((checkout / file).read_text() for file in ELSEWHERE)
    without = set(get_args(FindingId)) - {row.id for row in ROWS}
    assert [one for one in sorted(without) if f'"{one}"' not in elsewhere] == []
