"""`report` on several hosts: their reports as one, in the formats that are of all."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.calling import Caller
from tests.commands.conftest import call
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import fake_engine

__all__ = ["call"]


@pytest.fixture
def hosts() -> Iterator[list[str]]:
    """Flags that name an engine twice and a host that is not there."""
    with fake_engine() as engine:
        with_containers(engine, "web")
        yield ["-H", engine.url, "-H", "unix:///nowhere/docker.sock"]


def test_a_table_has_all_hosts_and_who_was_not_reached_first(call: Caller, hosts: list[str]) -> None:
    said = call("report", "--policy", "default", "--no-ledger", *hosts)
    assert said.status == 5
    assert said.out.startswith("This run: 1 document from 1 engine, of ")
    assert "\nNOT DONE\nunix:///nowhere/docker.sock: not reached: cannot reach the engine" in said.out
    assert said.out.index("NOT DONE") < said.out.index("HOST  ") < said.out.index("USAGE BY TYPE")


def test_a_page_and_metrics_are_of_all_hosts(call: Caller, hosts: list[str]) -> None:
    page, metrics = call.folder / "fleet.html", call.folder / "fleet.prom"
    for path in (page, metrics):
        said = call("report", "--policy", "default", "--no-ledger", *hosts, "-o", str(path))
        assert (said.status, said.out) == (5, "")
        assert said.err.startswith("dockersweep: unix:///nowhere/docker.sock: not reached: ")
    assert "Disk usage" in page.read_text()
    assert 'dockersweep_host_status{host="unix:///nowhere/docker.sock",status="not-reached"} 1.0' in metrics.read_text()
    assert metrics.stat().st_mode & 0o777 == 0o644


def test_json_is_the_document_of_the_run(call: Caller, hosts: list[str]) -> None:
    said = call("report", "--policy", "default", "--no-ledger", *hosts, "--format", "json")
    assert json.loads(said.out)["schema"] == "dockersweep.fleet/1"
    (call.folder / "documents").mkdir()
    Path(call.folder, "documents", "run.json").write_text(said.out)
    folded = call("fleet", "report", str(call.folder / "documents"), "--format", "json").json()
    assert [host["status"] for host in folded["hosts"]] == ["not-reached", "done"]


def test_without_duckdb_there_are_the_sums(call: Caller, hosts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    said = call("report", "--policy", "default", "--no-ledger", *hosts)
    assert said.status == 5
    assert "USAGE BY TYPE" not in said.out
    assert "unix:///nowhere/docker.sock" in said.out
    said = call("report", "--policy", "default", "--format", "html", "-o", str(call.folder / "x.html"), *hosts)
    assert (said.status, said.out) == (2, "")
    assert "this needs DuckDB" in said.err


def test_parquet_is_of_one_engine(call: Caller, hosts: list[str]) -> None:
    said = call("scan", "-o", str(call.folder / "x.parquet"), *hosts)
    assert (said.status, said.out) == (2, "")
    assert "--format parquet is of one engine: write --format json" in said.err
