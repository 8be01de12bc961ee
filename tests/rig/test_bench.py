"""The benchmark, at a size at which its figures mean nothing: both sides do the job, and the table is whole."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.bench.table import Row, markdown


@pytest.mark.engines
def test_the_benchmark_measures_and_both_sides_do_the_job(checkout: Path) -> None:
    # Without docker-custodian, which would have to be installed first.
    chosen = ["--only", "scan", "--only", "sweep", "--only", "start"]
    size = ["--containers", "6", "--images", "10", "--volumes", "8", "--rounds", "1"]
    done = subprocess.run(
        [checkout / "tests" / "bench" / "run", *size, *chosen], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Medians with 6 containers, 10 images, 8 volumes on docker-28.5.\n\n| what |")
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("|")][2:]
    assert rows == [
        "--help",
        "--version",
        "scan --format json",
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
