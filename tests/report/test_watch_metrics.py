"""The metrics of a watcher about itself."""

from datetime import timedelta

import msgspec
import pytest

from dockersweep.model.watching import WatchState
from dockersweep.report.disk.metrics import exposition as prometheus_report
from dockersweep.report.exposition import exposition_of
from dockersweep.report.watch_metrics import PREFIX, watch_metrics
from tests.report.test_prometheus import DASHBOARD, RULES, Samples, past_run, promtool, samples
from tests.rig.reports import busy_report
from tests.rig.watch_states import NOW, busy_watch_state, events, last_sweep, watch_state

pytestmark = pytest.mark.programs


def exposed(state: WatchState, *, is_healthy: bool = True, is_reported: bool | None = True) -> str:
    """The metrics as text."""
    return exposition_of(watch_metrics(state, NOW, is_healthy=is_healthy, is_reported=is_reported))


def told(state: WatchState) -> Samples:
    """The samples of a state."""
    return samples(exposed(state))


def value(found: Samples, name: str, **labels: str) -> float | None:
    """The value of one sample; None where it is left out."""
    return found.get((PREFIX + name, frozenset(labels.items())))


@pytest.mark.parametrize("state", [watch_state(), busy_watch_state()], ids=["quiet", "busy"])
def test_promtool_has_nothing_to_say(state: WatchState) -> None:
    assert promtool("check", "metrics", text=exposed(state)) == ""


def test_no_name_is_a_report_s_too() -> None:
    def names(text: str) -> set[str]:
        return {name for name, _ in samples(text)}

    own, report = names(exposed(busy_watch_state())), names(prometheus_report(busy_report(), past_run(), 1))
    assert own
    assert not own & report
    assert all(name.startswith(PREFIX) for name in own)
    assert not [name for name in report if name.startswith(PREFIX)]


def test_events_and_gaps_are_told() -> None:
    found = told(busy_watch_state())
    assert value(found, "connected") == 1
    assert value(found, "events_total") == 120
    assert value(found, "recorded_events_total") == 100
    assert value(found, "gaps_total") == 2
    assert value(found, "gap_seconds") == 90.5
    assert value(found, "complete_until_timestamp_seconds") == (NOW - timedelta(seconds=3)).timestamp()
    assert value(found, "since_complete_seconds") == 3
    assert value(found, "ledger_failed") == 0
    lost = told(watch_state(events=events(is_connected=False, complete_until=None, ledger_problem="disk full")))
    assert value(lost, "connected") == 0
    assert value(lost, "ledger_failed") == 1
    assert value(lost, "complete_until_timestamp_seconds") is value(lost, "since_complete_seconds") is None


def test_an_engine_whose_clock_is_ahead_has_no_negative_age() -> None:
    ahead = told(watch_state(events=events(complete_until=NOW + timedelta(minutes=5))))
    assert value(ahead, "since_complete_seconds") == 0


def test_the_target_is_told_by_disk() -> None:
    found = told(busy_watch_state())
    assert value(found, "disk_size_bytes", disk="/srv") == 500
    assert value(found, "disk_free_bytes", disk="/var/lib/docker") == 100
    assert value(found, "target_begins", disk="/var/lib/docker") == 1
    assert value(found, "target_begins", disk="/srv") is None


def test_sweeps_are_counted_from_nothing() -> None:
    found = told(busy_watch_state())
    assert value(found, "sweeps_total", cause="space", status="done") == 3
    assert value(found, "sweeps_total", cause="space", status="failed") == 2
    assert value(found, "sweeps_total", cause="schedule", status="incomplete") == 2
    assert value(found, "sweeps_total", cause="schedule", status="interrupted") == 1
    assert value(found, "sweeps_total", cause="schedule", status="done") == 0
    quiet = told(watch_state())
    assert {labels for name, labels in found if name.endswith("sweeps_total")} == {
        labels for name, labels in quiet if name.endswith("sweeps_total")
    }


def test_the_last_sweep_is_told() -> None:
    found = told(busy_watch_state())
    assert value(found, "sweeping", cause="space") == 1
    assert value(found, "sweeping", cause="schedule") == 0
    assert value(found, "waiting") == 1
    assert value(found, "next_sweep_timestamp_seconds") == (NOW + timedelta(hours=4)).timestamp()
    assert value(found, "last_sweep_timestamp_seconds") == (NOW - timedelta(minutes=9)).timestamp()
    assert value(found, "last_sweep_duration_seconds") == 60
    assert value(found, "last_sweep_removed") == 7
    assert value(found, "last_sweep_freed_bytes") == 5_000_000
    assert value(found, "last_sweep_target_reached") == 1
    assert value(found, "last_sweep_status", status="done") == 1
    assert value(found, "last_sweep_status", status="failed") == 0


def test_what_is_not_known_is_left_out() -> None:
    quiet = exposed(watch_state(), is_reported=None)
    for absent in ("last_sweep", "next_sweep", "target_begins", "disk", "reported"):
        assert f"{PREFIX}{absent}" not in quiet
    unmeasured = told(watch_state(last_sweep=last_sweep(removed=None, freed_bytes=None, target_reached=None)))
    for absent in ("removed", "freed_bytes", "target_reached"):
        assert value(unmeasured, f"last_sweep_{absent}") is None


@pytest.mark.parametrize("is_so", [True, False])
def test_health_and_report_and_policy_are_flags(is_so: bool) -> None:
    state = watch_state(policy_problem="line 3" if is_so else None)
    found = samples(exposed(state, is_healthy=is_so, is_reported=is_so))
    assert value(found, "healthy") == value(found, "reported") == value(found, "policy_refused") == float(is_so)


def test_hostile_names_stay_one_label() -> None:
    state = busy_watch_state()
    disk = msgspec.structs.replace(state.disks[0], name='/a"} 1\nevil{x="\\\x1b[31m')
    text = exposed(msgspec.structs.replace(state, endpoint='tcp://b"} 1\nevil 1', disks=(disk,)))
    assert promtool("check", "metrics", text=text) == ""
    assert not [line for line in text.splitlines() if line.startswith("evil")]
    assert "\x1b" not in text


def test_rules_and_dashboard_name_metrics_of_a_watcher() -> None:
    for file in (RULES, DASHBOARD):
        assert PREFIX in file.read_text(encoding="utf-8")
