"""The benchmark, at a size at which its figures mean nothing: both sides do the job, and the table is whole."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench import against, truth_table
from tests.bench.table import Row, markdown
from tests.rig.engines.engine import Engine
from tests.rig.engines.hosts import Host
from tests.rig.engines.kinds import DEFAULT_KIND, kind
from tests.rig.engines.litter import Litter
from tests.rig.engines.scenarios import Scenario, Step


@pytest.mark.engines
def test_the_benchmark_measures_and_both_sides_do_the_job(checkout: Path) -> None:
    # Without docker-custodian, which would have to be installed first.
    chosen = [word for name in ("scan", "plan", "report", "sweep", "start") for word in ("--only", name)]
    size = ["--containers", "6", "--images", "10", "--volumes", "8", "--rounds", "1", "--sweeps", "1", "--as-is"]
    done = subprocess.run(
        [checkout / "tests" / "bench" / "run", *size, *chosen], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "Medians of 1 with 6 containers, 10 images (one-base), 8 volumes on docker-28.5; load "
    )
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("|")][2:]
    assert rows == [
        "--help",
        "--version",
        "scan --format json",
        "its processor time",
        "its peak memory",
        "plan --format json --older-than 0s --all-images --named-volumes",
        "its processor time",
        "its peak memory",
        "report",
        "its processor time",
        "its peak memory",
        "sweep --yes, everything unused",
        "its peak memory",
    ]


def test_the_table_tells_ratios_and_whether_an_aim_is_met() -> None:
    rows = [
        Row("scan", 0.3, "df", 0.2, aim=1.5),
        Row("plan", 12.0, "dcgc", 20.0, aim=0.2),
        Row("memory", 90_000_000, aim=80_000_000, unit="MB"),
        Row("time", 0.1, "df", 0.4),
    ]
    assert markdown(rows).splitlines()[2:] == [
        "| scan | 300 ms | df | 200 ms | 1.50 | ≤ 1.5 | yes |",
        "| plan | 12.0 s | dcgc | 20.0 s | 0.60 | ≤ 0.2 | no |",
        "| memory | 90 MB |  |  |  | ≤ 80 MB | no |",
        "| time | 100 ms | df | 400 ms | 0.25 |  |  |",
    ]


@dataclass(frozen=True)
class Broken(Host):
    """A host whose engine does not start."""

    def engine(self) -> Engine:
        return Engine(self.kind, options=("--no-such-option",))


def fails(litter: Litter) -> None:
    litter.engine.kill()
    raise ValueError("no | such\nthing")


@pytest.mark.engines
def test_what_fails_is_a_row_of_the_truth_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = kind(DEFAULT_KIND)
    step = Step("all", ("--kind", "volume", "--named-volumes"))
    scenarios = (Scenario("failing", fails, (step,)), Scenario("good", _a_volume, (step,)))
    monkeypatch.setattr(truth_table, "HOSTS", (Broken("broken", one), Host("whole", one)))
    monkeypatch.setattr(truth_table, "SCENARIOS", scenarios)
    assert truth_table.main([]) == 1
    told = capsys.readouterr().out
    rows = [line.split(" | ")[:4] for line in told.splitlines() if line.startswith("| ")][2:]
    assert [[row[0], row[1]] for row in rows] == [
        ["| broken", "the engine itself"],
        ["| whole", "failing"],
        ["| whole", "good: all"],
        ["| whole", "good: all"],
    ]
    assert rows[0][2].startswith("**failed: EngineError: docker-28.5 does not start")
    assert rows[1][2] == "**failed: ValueError: no \\| such**"
    assert [row[2] for row in rows[2:]] == ["disk", "lengths"]
    assert "\n2 could not be measured.\n" in told


def _a_volume(litter: Litter) -> None:
    litter.volume("data", size=1_000_000)


def test_help_of_the_comparison_is_no_commit(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        against.main(["--help"])
    assert ended.value.code == 0
    assert "COMMIT [ROUNDS]" in capsys.readouterr().out


@pytest.mark.engines
def test_a_fleet_of_played_hosts_is_measured(checkout: Path) -> None:
    words = [str(checkout / "tests" / "bench" / "fleet_hosts"), "--only-played", "--hosts", "20", "--objects", "4"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200, check=False)
    # At this size the aims mean nothing; the job has to be done.
    assert done.returncode in (0, 1), done.stderr
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("|")][2:]
    assert rows == [
        "plan on 20 hosts, 2 of them hanging and 2 refusing",
        "plan on 20 hosts, 2 of them hanging and 2 refusing: memory",
    ]
