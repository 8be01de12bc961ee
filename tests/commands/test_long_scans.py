"""A long scan is folded for a person on a terminal, and whole for everything else."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.rig.inventories import ago, container, inventory, network, volume, write_inventory
from tests.rig.running import dockersweep, on_a_terminal

JOBS = 14


@pytest.fixture
def saved(tmp_path: Path) -> str:
    jobs = [container(f"job-{number}", finished=ago(days=2), size=number * 1000) for number in range(1, JOBS + 1)]
    return write_inventory(tmp_path, inventory(*jobs, container("web", "running"), volume("data", anonymous=False)))


def rows_of(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if line.startswith("job-")]


def test_a_terminal_gets_the_first_ten_of_a_kind(saved: str) -> None:
    status, shown = on_a_terminal(["scan", "--inventory", saved], "")
    assert status == 0
    assert rows_of(shown) == [f"job-{number}" for number in range(JOBS, JOBS - 10, -1)]
    [rest] = [line for line in shown.splitlines() if line.startswith("and ")]
    assert rest.split() == ["and", "4", "more", "(--verbose", "lists", "them)", "10.0", "kB"]
    by_name = on_a_terminal(["scan", "--inventory", saved, "--sort", "name"], "")[1]
    assert rows_of(by_name) == [f"job-{number}" for number in range(1, 11)]


@pytest.mark.parametrize("flags", [["--verbose"], ["--no-header"]])
def test_a_terminal_gets_all_that_is_asked_for(saved: str, flags: list[str]) -> None:
    shown = on_a_terminal(["scan", "--inventory", saved, *flags], "")[1]
    assert shown.count("job-") == JOBS
    assert not [line for line in shown.splitlines() if line.startswith("and ")]


def test_a_pipe_gets_all(saved: str) -> None:
    assert "COLUMNS" not in os.environ
    assert len(rows_of(dockersweep("scan", "--inventory", saved).stdout)) == JOBS
    assert len(dockersweep("scan", "--inventory", saved, "--format", "csv").stdout.splitlines()) == JOBS + 2


def test_the_summary_has_no_rows(saved: str) -> None:
    text = dockersweep("scan", "--inventory", saved, "--summary").stdout
    assert re.search(r"^containers +14 +15 ", text, re.MULTILINE)
    assert "Containers: " not in text
    assert "job-" not in text


def test_the_totals_stand_at_the_foot(saved: str) -> None:
    for flags in ((), ("--all",), ("--summary",)):
        lines = dockersweep("scan", "--inventory", saved, *flags).stdout.splitlines()
        assert lines[-7].split() == ["KIND", "UNUSED", "ALL", "WOULD", "FREE"]
        assert [line.split()[0] for line in lines[-6:]] == [
            "containers", "images", "volumes", "networks", "build-cache", "total"
        ]  # fmt: skip
        counts = [[int(word) for word in line.split() if word.isdigit()][:2] for line in lines[-6:]]
        assert counts[-1] == [sum(column) for column in zip(*counts[:-1], strict=True)]
    # One kind has its totals right above.
    assert "WOULD FREE" not in dockersweep("scan", "--inventory", saved, "--kind", "volume").stdout
    assert "WOULD FREE" not in dockersweep("scan", "--inventory", saved, "--no-header").stdout


def test_what_was_not_read_has_no_total(tmp_path: Path) -> None:
    seen = write_inventory(tmp_path, inventory(container("a"), cache_read=False))
    lines = dockersweep("scan", "--inventory", seen, "--summary").stdout.splitlines()
    assert "build-cache records  not read" in " ".join(lines)


def test_quiet_prints_ids_only(saved: str) -> None:
    ids = dockersweep("scan", "--inventory", saved, "--quiet").stdout.splitlines()
    containers = json.loads(Path(saved).read_text())["containers"]
    assert set(ids) == {one["id"] for one in containers if one["state"] == "exited"} | {"data"}
    assert dockersweep("scan", "-q", "--kind", "volume", "--inventory", saved).stdout == "data\n"
    refused = dockersweep("scan", "-q", "--format", "json", "--inventory", saved)
    assert (refused.status, refused.stdout) == (2, "")
    assert "--quiet prints ids only" in refused.stderr


def test_ids_do_nothing_to_a_terminal(tmp_path: Path) -> None:
    evil = write_inventory(tmp_path, inventory(network("n"), volume("e\x1b[31mvil\n", anonymous=False)))
    assert dockersweep("scan", "-q", "--kind", "volume", "--inventory", evil).stdout == "e\\x1b[31mvil\\n\n"
