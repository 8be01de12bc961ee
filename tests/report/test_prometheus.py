"""The metrics, their alert rules and their dashboard, as Prometheus' own tool and parser see them."""

import json
import re
import subprocess
import sys
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dockersweep.model.history import PastRun
from dockersweep.model.inventory import Kind
from dockersweep.model.plan import NOTHING, Interval
from dockersweep.model.report import Report
from dockersweep.report.disk.metrics import exposition as prometheus_report
from dockersweep.report.exposition import exposition_of
from dockersweep.report.watch_metrics import watch_metrics
from tests.rig.inventories import ENGINE, NOW
from tests.rig.reports import (
    DAY,
    GIGABYTE,
    busy_report,
    many_objects,
    report,
    reported,
    trend,
    unread,
    with_second_disk,
)
from tests.rig.watch_states import busy_watch_state

pytestmark = pytest.mark.programs

HOME = Path(__file__).parents[2]
RULES = HOME / "share/prometheus/dockersweep.rules.yml"
RULE_TESTS = HOME / "tests/report/prometheus/dockersweep.rules.test.yml"
WATCH_RULE_TESTS = HOME / "tests/report/prometheus/dockersweep-watch.rules.test.yml"
DASHBOARD = HOME / "share/grafana/dockersweep.json"
PROMTOOL = Path(sys.executable).with_name("promtool")
DISK_SERIES = (
    "size_bytes", "used_bytes", "free_bytes", "inodes", "free_inodes", "folder_bytes", "remainder_bytes",
    "reclaimable_bytes", "full_in_seconds",
)  # fmt: skip
BOX = "unix:///run/test.sock"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def past_run(**fields: Any) -> PastRun:
    """A run that went through an hour ago unless told otherwise."""
    told: dict[str, Any] = {
        "number": 7, "verb": "sweep", "engine_name": "box", "endpoint": BOX, "started_at": NOW - timedelta(hours=2),
        "finished_at": NOW - timedelta(hours=1), "state": "ended", "exit_status": 0, "user": "root", "pid": 1,
        "version": "0.1.0", "policy_source": None, "policy_sha256": None, "note": None, "ended_early": None,
        "removed": {}, "tags_removed": 0, "not_removed": {}, "predicted": NOTHING, "measured_bytes": None,
        "in_hand": (), **fields,
    }  # fmt: skip
    return PastRun(**told)


def samples(text: str) -> Samples:
    """The samples of an exposition by name and labels, without the engine's own."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = frozenset((name, value) for name, value in sample.labels.items() if name != "engine")
            assert (sample.name, labels) not in found
            found[sample.name, labels] = sample.value
    return found


def told(seen: Report, last_run: PastRun | None = None, reclaimed: int | None = None) -> Samples:
    """The samples of a report."""
    return samples(prometheus_report(seen, last_run, reclaimed))


def value(found: Samples, name: str, **labels: str) -> float | None:
    """The value of one sample; None where it is left out."""
    return found.get((f"dockersweep_{name}", frozenset(labels.items())))


def promtool(*arguments: str | Path, text: str | None = None) -> str:
    """What promtool says; it must find nothing wrong."""
    done = subprocess.run(
        [PROMTOOL, *arguments], input=text, capture_output=True, text=True, timeout=60, check=False, cwd=HOME
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("seen", [busy_report(), report(), unread(report(many_objects(9)), "image", "container-log")])
def test_promtool_has_nothing_to_say(seen: Report) -> None:
    assert promtool("check", "metrics", text=prometheus_report(seen, past_run(), 5 * GIGABYTE)) == ""


def test_objects_are_in_one_state_each() -> None:
    objects = (
        reported("image", "a", 5, in_use=True),
        reported("image", "b", 5),
        reported("image", "c", 5, goes=True, age_seconds=90 * DAY),
        reported("image", "d", 5, goes=True, in_use=True),
        reported("volume", "e", 5, age_seconds=None),
    )
    found = told(report(objects))
    assert value(found, "objects", kind="image", state="in-use") == 1
    assert value(found, "objects", kind="image", state="unused") == 1
    assert value(found, "objects", kind="image", state="removable") == 2
    assert value(found, "objects", kind="container", state="in-use") == 0
    assert value(found, "oldest_unused_seconds", kind="image") == 90 * DAY
    assert value(found, "oldest_unused_seconds", kind="volume") is None
    assert value(found, "oldest_unused_seconds", kind="container") is None


def test_sizes_are_what_is_certain_and_what_is_possible() -> None:
    seen = report((reported("image", "a", 5 * GIGABYTE, goes=True), reported("volume", "unknown", None)))
    shares = tuple(
        msgspec.structs.replace(one, reclaimable=Interval(low_bytes=2, high_bytes=7)) if one.share == "image" else one
        for one in seen.shares
    )
    found = told(msgspec.structs.replace(seen, shares=shares))
    assert value(found, "size_bytes", kind="image") == value(found, "size_high_bytes", kind="image") == 5 * GIGABYTE
    assert value(found, "reclaimable_bytes", kind="image") == 2
    assert value(found, "reclaimable_high_bytes", kind="image") == 7
    assert value(found, "size_bytes", kind="volume") is None
    assert value(found, "size_high_bytes", kind="volume") is None
    assert value(found, "size_bytes", kind="network") == 0


def test_what_is_not_known_is_left_out() -> None:
    seen = unread(report(disk=None, folder_bytes=None, remainder_bytes=None), "volume", "build-cache")
    text = prometheus_report(seen, None, None)
    for absent in (
        "_disk_",
        "_filesystem_",
        "_folder_",
        "last_run",
        "reclaimed",
        "oldest",
        'kind="volume"',
        'kind="build-cache"',
    ):
        assert absent not in text
    assert 'kind="image"' in text


def test_the_disk_and_the_findings_are_told() -> None:
    found = told(busy_report())
    assert value(found, "disk_size_bytes") == 360 * GIGABYTE
    assert value(found, "disk_free_bytes") == 33 * GIGABYTE
    assert value(found, "disk_full_in_seconds") == 61 * DAY
    assert value(found, "scan_timestamp_seconds") == NOW.timestamp()
    assert [value(found, "findings", severity=one) for one in ("critical", "warning", "note")] == [1, 1, 1]
    stays = msgspec.structs.replace(trend(), full_in_days=None)
    assert value(told(report(trend=stays)), "disk_full_in_seconds") is None
    assert value(told(report()), "findings", severity="critical") == 0


def test_each_disk_has_series_beside_those_of_the_main_one() -> None:
    one = busy_report()
    seen = with_second_disk(one, full_in_days=5)
    found = told(seen)
    before = {key: value for key, value in told(one).items() if "_filesystem_" not in key[0]}
    assert before.items() <= found.items()
    second = {name: value(found, f"filesystem_{name}", disk="/var/lib/docker/volumes") for name in DISK_SERIES}
    assert second == {
        "size_bytes": 30 * GIGABYTE, "used_bytes": 15 * GIGABYTE, "free_bytes": GIGABYTE, "inodes": 1000,
        "free_inodes": 10, "folder_bytes": 10 * GIGABYTE, "remainder_bytes": None,
        "reclaimable_bytes": GIGABYTE, "full_in_seconds": 5 * DAY,
    }  # fmt: skip
    assert value(found, "filesystem_size_bytes", disk="/var/lib/docker") == value(found, "disk_size_bytes")
    assert value(found, "filesystem_kind_bytes", disk="/var/lib/docker/volumes", kind="volume") == 9 * GIGABYTE
    assert value(found, "filesystem_kind_bytes", disk="/var/lib/docker/volumes", kind="image") is None
    assert promtool("check", "metrics", text=prometheus_report(seen, None, None)) == ""


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "done"),
        ({"exit_status": 3}, "incomplete"),
        ({"note": "nothing removed: not confirmed"}, "declined"),
        ({"exit_status": 4}, "refused"),
        ({"exit_status": 5}, "engine-failed"),
        ({"exit_status": 130}, "interrupted"),
        ({"exit_status": 1}, "failed"),
        ({"state": "did-not-end", "exit_status": None, "finished_at": None}, "did-not-end"),
        ({"state": "running", "exit_status": None, "finished_at": None}, "running"),
    ],
)
def test_a_run_has_one_status(fields: dict[str, Any], status: str) -> None:
    found = told(report(), past_run(**fields), 12)
    is_one = {dict(labels)["status"] for (name, labels), one in found.items() if "run_status" in name and one == 1}
    assert is_one == {status}
    ended = NOW - timedelta(hours=1) if "finished_at" not in fields else NOW - timedelta(hours=2)
    assert value(found, "last_run_timestamp_seconds") == ended.timestamp()
    assert value(found, "reclaimed_bytes_total") == 12


def test_labels_are_bounded_and_name_no_object() -> None:
    few, many = (prometheus_report(busy_report(count), past_run(), 0) for count in (80, 4000))
    assert few.count("\n") == many.count("\n")
    kinds: tuple[Kind, ...] = ("container", "image", "volume", "network", "build-cache")
    named = report([reported(kind, "NAMED", 5, project="NAMED", repository="NAMED", why="NAMED") for kind in kinds])
    assert "NAMED" not in prometheus_report(named, None, None)


def test_an_engine_with_a_hostile_name_stays_one_label() -> None:
    engine = msgspec.structs.replace(ENGINE, endpoint='tcp://a"} 1\nevil{x="\\', name="\x1b[31m\u202e")
    text = prometheus_report(report(engine=engine), None, None)
    assert promtool("check", "metrics", text=text) == ""
    assert not [line for line in text.splitlines() if line.startswith("evil")]
    assert "\x1b" not in text


def test_two_engines_of_one_machine_are_told_apart() -> None:
    podman = msgspec.structs.replace(ENGINE, endpoint="unix:///run/podman/podman.sock", flavour="podman")
    assert f'engine="{podman.endpoint}"' in prometheus_report(report(engine=podman), None, None)


def test_the_example_rules_hold_and_fire_when_they_should() -> None:
    assert "14 rules found" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("test", "rules", RULE_TESTS, WATCH_RULE_TESTS)


@pytest.mark.parametrize("file", [RULES, RULE_TESTS, WATCH_RULE_TESTS, DASHBOARD])
def test_rules_and_dashboard_speak_of_metrics_and_labels_that_there_are(file: Path) -> None:
    names: dict[str, set[str]] = {}
    own = watch_metrics(busy_watch_state(), NOW, is_healthy=True, is_reported=True)
    exposed = prometheus_report(busy_report(), past_run(), 1) + exposition_of(own)
    for family in text_string_to_metric_families(exposed):
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    text = file.read_text(encoding="utf-8").replace('\\"', '"')
    used = set(re.findall(r"\bdockersweep_\w+\b", text))
    assert len(used) >= 5
    assert used <= set(names)
    for name, selector in re.findall(r"\b(dockersweep_\w+)\{([^}]*)\}", text):
        assert set(re.findall(r"(\w+)[=!]", selector)) <= names[name] | {"instance"}, name


def test_the_dashboard_is_whole() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) >= 10
    assert {variable["name"] for variable in dashboard["templating"]["list"]} == {"datasource", "engine"}
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + across, place["y"] + down) for across in range(place["w"]) for down in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_the_dashboard_asks_what_prometheus_understands(tmp_path: Path) -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    # As Grafana fills it in, and as the only form in which promtool reads a query without a server.
    filled = [expression.replace("$engine", ".*").replace("$__rate_interval", "5m") for expression in asked]
    rules = [{"record": f"panel:value:{number}", "expr": one} for number, one in enumerate(filled)]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    assert f"{len(asked)} rules found" in promtool("check", "rules", file)


def test_the_wheel_brings_both() -> None:
    wheel = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["shared-data"]["share/prometheus"] == "share/dockersweep/prometheus"
    assert wheel["shared-data"]["share/grafana"] == "share/dockersweep/grafana"
