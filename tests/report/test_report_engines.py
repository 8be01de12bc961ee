"""The report on real engines: it adds up to what du counts, and reads what no other verb does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import EACH_STORE, OLDEST_AND_NEWEST, kind
from tests.rig.engines.litter import Litter
from tests.rig.engines.truth_remote import far_away
from tests.rig.own_scan import scanned_by_us
from tests.rig.running import dockersweep

MEGABYTE = 1_000_000
KINDS_THAT_SHARE = (("--kind", "image"), ("--kind", "build-cache"), ())
CHATTER = "head -c 15000000 /dev/zero | tr '\\0' x | fold -w 1000; exec sleep 1000000"


def report(host: str, *words: str) -> Any:
    run = dockersweep("report", "--format", "json", *words, host=host)
    assert run.status == 0, run.stderr
    return run.json()


def du(folder: Path) -> int:
    """What the folder takes, by coreutils. Like the report it stays on one file system."""
    told = subprocess.run(["du", "-sx", "--block-size=1", folder], capture_output=True, text=True, check=False)
    return int(told.stdout.split()[0])


def size_of(told: Any, share: str) -> int:
    row = next(one for one in told["shares"] if one["share"] == share)
    assert row["size"]["low_bytes"] == row["size"]["high_bytes"], row
    return int(row["size"]["low_bytes"])


def counted(told: Any) -> int:
    return sum(size_of(told, one["share"]) for one in told["shares"])


def chatter(engine: Engine, litter: Litter, name: str) -> str:
    """A container that has written some megabytes into its log and goes on running."""
    body = {
        "Image": litter.base(),
        "Cmd": ["/bin/sh", "-c", CHATTER],
        "StopSignal": "SIGKILL",
        # Podman of the machine may log to a journal.
        "HostConfig": {"NetworkMode": "none", "LogConfig": {"Type": "json-file", "Config": {}}},
    }
    made: str = engine.wire.call("POST", "/containers/create", body, name=name)["Id"]
    litter.start(made)
    log = Path(engine.wire.call("GET", f"/containers/{made}/json")["LogPath"])
    deadline, size = time.monotonic() + 60, -1
    while time.monotonic() < deadline:
        time.sleep(0.3)
        last, size = size, log.stat().st_size if log.exists() else 0
        if size > 8 * MEGABYTE and size == last:
            return made
    raise TimeoutError(f"the log has {size} bytes only")


def fill(engine: Engine, litter: Litter) -> None:
    """Everything that takes space: shared layers, writable layers, logs, volumes, build cache."""
    base = {"shared": 6 * MEGABYTE}
    for version in ("1", "2"):
        litter.image(f"app:{version}", layers={**base, version: 3 * MEGABYTE})
    litter.container("job", writes=5 * MEGABYTE)
    litter.write(litter.container("web", state="running", volumes={"data": "/data"}), 4 * MEGABYTE)
    litter.volume("data", size=7 * MEGABYTE)
    litter.volume("old", size=2 * MEGABYTE)
    litter.network("front")
    chatter(engine, litter, "chatter")
    if engine.kind.has_build_cache and engine.kind.name != "docker-20.10":
        litter.build_cache("step", records=2, size=3 * MEGABYTE)


@pytest.mark.enough_on("docker-20.10", *EACH_STORE)
def test_kinds_and_remainder_are_what_du_counts(engine: Engine, litter: Litter) -> None:
    before = report(engine.url)
    fill(engine, litter)
    told = report(engine.url)
    there = du(engine.data_root)
    assert told["size_base"] == "disk"
    assert abs(told["folder_bytes"] - there) <= there / 100
    assert counted(told) + told["remainder_bytes"] == told["folder_bytes"]
    assert told["remainder_bytes"] >= 0
    # What came is counted with the kinds, and not with the remainder, where the engine keeps its books: these are as
    # large as all that it ever had has made them.
    grown = told["folder_bytes"] - before["folder_bytes"]
    assert counted(told) - counted(before) == pytest.approx(grown, rel=0.02)
    assert size_of(told, "volume") == pytest.approx(9 * MEGABYTE, rel=0.02)
    assert size_of(told, "container-log") > 8 * MEGABYTE
    assert size_of(told, "writable-layer") == pytest.approx(9 * MEGABYTE, rel=0.1)
    assert size_of(told, "image") > 12 * MEGABYTE
    own = sum(one["own_bytes"] for one in told["objects"])
    by_several = sum(one["size_bytes"] for one in told["sharing"] if one["images"] > 1)
    assert own + size_of(told, "shared") <= counted(told)
    # Layers that several images share may be shared with the cache too; blobs that several records have are nobody's.
    assert own + size_of(told, "shared") + by_several >= 0.99 * counted(told)
    assert [one["about"] for one in told["warnings"]] == []
    assert "DS013" not in [one["id"] for one in told["findings"]]


@pytest.mark.enough_on(*EACH_STORE)
def test_only_a_report_reads_more_than_what_may_go(engine: Engine, litter: Litter) -> None:
    """Where what the engine keeps of containers can be read, none is asked for."""
    litter.container("web", state="running")
    litter.container("job")
    with engine.recorder.recording() as seen:
        dockersweep("plan", host=engine.url)
        scan = dockersweep("scan", "--format", "json", host=engine.url).json()
        told = report(engine.url)
    assert not [one.path for one in seen.requests if re.fullmatch(r"/containers/.*/json", one.path)]
    assert (scan["folder"], scan["cache_limit"]) == (None, None)
    assert size_of(told, "container-log") == 0


@pytest.mark.on_engines("docker-28.5", "podman-6.1")
def test_from_afar_only_a_report_asks_for_running_containers(engine: Engine, litter: Litter) -> None:
    running = litter.container("web", state="running")
    stopped = litter.container("job")
    with far_away(engine.recorder.path) as url:
        with engine.recorder.recording() as of_scan:
            assert dockersweep("scan", host=url).status == 0
        with engine.recorder.recording() as of_report:
            report(url)
    asked = [[one.path for one in seen.requests] for seen in (of_scan, of_report)]
    assert [paths.count(f"/containers/{running}/json") for paths in asked] == [0, 1]
    assert [paths.count(f"/containers/{stopped}/json") for paths in asked] == [1, 1]


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
def test_logs_without_a_limit_are_found_where_the_engine_tells(engine: Engine, litter: Litter) -> None:
    chatter(engine, litter, "chatter")
    found = {one["id"]: one for one in report(engine.url)["findings"]}
    if engine.kind.name.startswith("podman"):
        # It has limits and does not tell them.
        assert "DS001" not in found
    else:
        assert found["DS001"]["evidence"][0].startswith("chatter: ")
        assert dockersweep("report", "--fail-on", "warning", host=engine.url).status == 10
    assert dockersweep("report", "--fail-on", "critical", host=engine.url).status in (0, 10)


@pytest.mark.on_engines("docker-28.5", "docker-26.1")
def test_the_local_driver_hides_its_log_and_it_is_found_all_the_same(engine: Engine, litter: Litter) -> None:
    body = {
        "Image": litter.base(),
        "Cmd": ["/bin/sh", "-c", "head -c 300000 /dev/zero | tr '\\0' 'x' | fold; exec sleep 1000000"],
        "StopSignal": "SIGKILL",
        "HostConfig": {"NetworkMode": "none", "LogConfig": {"Type": "local", "Config": {}}},
    }
    made = engine.wire.call("POST", "/containers/create", body, name="quiet")["Id"]
    litter.start(made)
    deadline = time.monotonic() + 30
    while size_of(told := report(engine.url), "container-log") < 300_000 and time.monotonic() < deadline:
        time.sleep(0.3)
    assert size_of(told, "container-log") >= 300_000
    assert "DS001" not in [one["id"] for one in told["findings"]]


@pytest.mark.enough_on(*EACH_STORE)
def test_from_afar_what_cannot_be_read_is_named(engine: Engine, litter: Litter) -> None:
    litter.container("web", state="running")
    with far_away(engine.recorder.path) as url:
        told = report(url)
    assert (told["folder_bytes"], told["remainder_bytes"], told["disk"]) == (None, None, None)
    about = {one["about"]: one["text"] for one in told["warnings"]}
    assert about["the engine's folder"] == "not measured: the engine is on another machine"
    assert about["container logs"].endswith("those of web")
    row = next(one for one in told["shares"] if one["share"] == "container-log")
    assert row["size"] == {"low_bytes": 0, "high_bytes": None}


@pytest.mark.on_engines("docker-28.5", "docker-26.1", "docker-28.5-containerd", "docker-20.10")
def test_whether_the_build_cache_is_limited(engine: Engine) -> None:
    limit = json.loads(saved(engine))["cache_limit"]
    if os.path.exists("/etc/docker/daemon.json"):
        pytest.skip("this machine has settings of its own")
    if "28.5" in engine.kind.name:
        whole = os.statvfs(engine.data_root)
        expected = (whole.f_blocks * whole.f_frsize * 80 // 100 // 2**30 + 1) * 10**9
        assert limit["size_bytes"] == expected
    else:
        assert limit["size_bytes"] is None
    assert limit["source"].startswith("the default of Docker ")


@pytest.mark.on_engines("docker-28.5")
def test_a_container_has_no_settings_of_the_engine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it may have the engine's folder."""
    monkeypatch.setattr("dockersweep.engine.reading.scanner.own_container_id", lambda: "c" * 64)
    scanned = scanned_by_us(engine, for_report=True)
    assert scanned.disk is not None
    assert scanned.cache_limit is None


def saved(engine: Engine) -> str:
    """The inventory that a report is made of."""
    from dockersweep.commands.gather import open_engine
    from dockersweep.commands.options import ReportOptions, options_of
    from dockersweep.engine.reading.scanner import scan
    from dockersweep.parser import parse
    from dockersweep.words.documents import write_document

    options = options_of(parse(["-H", engine.url, "report"]))
    assert isinstance(options, ReportOptions)
    with open_engine(options.engine, 0) as client:
        return write_document(scan(client, for_report=True)[0])


def test_the_trend_is_what_earlier_scans_left(engine: Engine, litter: Litter) -> None:
    dockersweep("scan", host=engine.url)
    litter.volume("data", size=2 * MEGABYTE)
    trend = report(engine.url)["trend"]
    # Of one hour only the last point is kept, but where the two are of different hours.
    assert len(trend["points"]) in (1, 2)
    assert trend["points"][-1]["sizes"]["volume"] == pytest.approx(2 * MEGABYTE, rel=0.05)
    assert "needs 5 scans" in trend["text"]
    assert report(engine.url, "--no-ledger")["trend"] is None


@pytest.mark.engines
@pytest.mark.parametrize("switches", [("false", "true"), ("true", "false")])
def test_a_store_from_before_a_switch_is_found(switches: tuple[str, str]) -> None:
    options = [("--feature", f"containerd-snapshotter={one}") for one in switches]
    with Engine(kind("docker-28.5"), options=options[0]) as engine:
        litter = Litter(engine)
        litter.image("app:1", layers={"one": 5 * MEGABYTE})
        litter.container("job", image="app:1", state="created")
        assert report(engine.url)["findings"] == []
        engine.stop()
        with Engine(kind("docker-28.5"), options=options[1]) as other:
            # The same folder, as if the setting had been changed.
            other.stop()
            shutil.rmtree(other.data_root)
            engine.data_root.rename(other.data_root)
            other.start()
            told = report(other.url)
        found = {one["id"]: one for one in told["findings"]}
        left = "overlay2" if switches[1] == "true" else "containerd"
        assert f"({left})" in found["DS013"]["evidence"][0]
        assert found["DS013"]["size_bytes"] > 5 * MEGABYTE
        assert told["remainder_bytes"] > 5 * MEGABYTE


@pytest.mark.on_engines("docker-20.10", "docker-28.5", "docker-28.5-containerd")
def test_what_images_and_build_cache_share_is_a_row_of_its_own(engine: Engine, litter: Litter) -> None:
    litter.image("lone:1", layers={"lone": MEGABYTE})
    flags = ("--all-images", "--older-than", "0s")
    assert size_of(report(engine.url), "shared") == 0
    assert "Shared by" not in dockersweep("report", host=engine.url).stdout

    litter.build_cache("app", records=3, size=8 * MEGABYTE, image="app:1")
    for words in ((), flags, (*flags, "--kind", "image"), (*flags, "--kind", "build-cache")):
        told = report(engine.url, *words)
        assert counted(told) + told["remainder_bytes"] == told["folder_bytes"]
        assert size_of(told, "shared") > 8 * MEGABYTE
        for row in told["shares"]:
            goes, unused, size = (row[name]["high_bytes"] for name in ("reclaimable", "unused", "size"))
            assert goes <= unused <= size, (words, row)
        assert sum(row["reclaimable"]["low_bytes"] for row in told["shares"]) == told["reclaimable"]["low_bytes"]

    # Neither of them alone frees what they share, and both do.
    rows = [{one["share"]: one for one in report(engine.url, *flags, *kind)["shares"]} for kind in KINDS_THAT_SHARE]
    assert [row["shared"]["reclaimable"]["low_bytes"] for row in rows[:2]] == [0, 0]
    assert rows[2]["shared"]["reclaimable"]["low_bytes"] > 8 * MEGABYTE
    (app,) = [one for one in report(engine.url)["objects"] if one["name"] == "app:1"]
    assert app["own_bytes"] < app["size_bytes"] - 8 * MEGABYTE
    shown = dockersweep("report", host=engine.url).stdout
    assert "Shared by images and" in shown
