"""What a folder of documents says: what counts for the present, what is left out, and the sums."""

import os
import random
import subprocess
import sys
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dockersweep.commands.folded_documents import report_on_files
from dockersweep.model.documents import read_document
from dockersweep.model.fleet_report import FleetReport, HostUsage
from dockersweep.model.history import History
from dockersweep.model.inventory import KINDS
from dockersweep.model.report import Finding, Report
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.warehouse.folder import files_in
from tests.rig.document_folders import engine, fleet_of, host, outcome_of, report_of, write
from tests.rig.examples import share
from tests.rig.inventories import NOW, container, image, inventory, plan_of, volume
from tests.rig.reports import GIGABYTE, finding, reported

DAY = timedelta(days=1)


def report_on(folder: Path) -> FleetReport:
    """The report on a folder."""
    return report_on_files(files_in(str(folder)), str(folder), DEFAULT_POLICY)


def by_processes(folder: Path) -> FleetReport:
    """The report on a folder that several processes read. Their parent has no threads, as ours may have."""
    code = (
        "import sys; from dockersweep.cli import main; from dockersweep.warehouse import parallel; "
        "parallel.FEW_BYTES = 0; sys.exit(main(sys.argv[1:]))"
    )
    words = ["fleet", "report", str(folder), "--policy", "default", "--format", "json"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=True, timeout=100)
    return read_document(done.stdout, FleetReport, "the report")


def of_host(seen: FleetReport, name: str) -> HostUsage:
    """What a report says of a host."""
    [found] = [host for host in seen.hosts if host.name == name]
    return found


def test_the_newest_document_of_an_engine_counts(tmp_path: Path) -> None:
    write(tmp_path, "old.json", report_of("a", [reported("volume", "v", 5 * GIGABYTE)], at=NOW - DAY))
    write(tmp_path, "new/a.json", report_of("a", [reported("volume", "v", 3 * GIGABYTE)]))
    write(tmp_path, "b.json", report_of("b", [reported("volume", "v", GIGABYTE)]))
    seen = report_on(tmp_path)
    assert (seen.documents, seen.engines, seen.first_at, seen.last_at) == (3, 2, NOW - DAY, NOW)
    assert seen.used.low_bytes == seen.used.high_bytes == 4 * GIGABYTE
    assert of_host(seen, "a").documents == 2
    assert seen.skipped == ()


def test_an_inventory_is_judged_as_a_report_judges_it(tmp_path: Path) -> None:
    seen = inventory(container("c"), image("i", "app:1"), volume("v", size=7))
    write(tmp_path, "inventory.json", seen)
    whole = report_on(tmp_path)
    [usage] = whole.hosts
    assert usage.reclaimable is not None
    assert usage.reclaimable.low_bytes > 0
    assert [row.count for row in whole.shares if row.share == "volume"] == [1]
    assert usage.findings is not None


def test_a_plan_counts_only_where_nothing_else_tells(tmp_path: Path) -> None:
    seen = replace(inventory(container("c", size=9), volume("v")), layers_bytes=0)
    plan = plan_of(seen, DEFAULT_POLICY)
    assert plan.reclaim.low_bytes
    write(tmp_path, "plan.json", plan)
    alone = report_on(tmp_path).hosts[0]
    assert (alone.used, alone.findings) == (None, None)
    assert alone.reclaimable == replace(plan.reclaim, reason=None)
    write(tmp_path, "inventory.json", replace(seen, taken_at=seen.taken_at - 9 * DAY))
    both = report_on(tmp_path).hosts[0]
    assert both.used is not None
    assert both.reclaimable == alone.reclaimable


def test_a_plan_for_later_says_nothing_of_now(tmp_path: Path) -> None:
    plan = plan_of(inventory(container("c")), DEFAULT_POLICY)
    write(tmp_path, "plan.json", replace(plan, foreseen_at=NOW + DAY))
    write(tmp_path, "history.json", History(schema="dockersweep.history/1", path="x", runs=()))
    write(tmp_path, "a.json", report_of("a"))
    seen = report_on(tmp_path)
    assert (seen.documents, seen.engines, seen.skipped) == (1, 1, ())


def test_the_hosts_of_a_fleet_document_are_told_apart_and_counted_once(tmp_path: Path) -> None:
    of_a = report_of("a", [reported("volume", "v", GIGABYTE)])
    hosts = (
        host("a", of_a, engine_id="id-of-a"),
        host("also-a", of_a, engine_id="id-of-a", same_as="a"),
        host("b"),
        host("c"),
    )
    write(tmp_path, "fleet.json", fleet_of(*hosts))
    write(tmp_path, "b.json", fleet_of(host("b", report_of("vm", at=NOW - DAY), engine_id="id-of-vm"), at=NOW - DAY))
    seen = report_on(tmp_path)
    assert seen.engines == 2
    assert seen.used.low_bytes == GIGABYTE
    [of_both] = [usage for usage in seen.hosts if usage.engine_id == "id-of-a"]
    assert {of_both.name, *of_both.also} == {"a", "also-a"}
    missing = {usage.name: usage for usage in seen.hosts if usage.status == "not-reached"}
    assert set(missing) == {"b", "c"}
    assert missing["b"].taken_at == NOW - DAY
    assert missing["b"].message == "connection refused"
    assert missing["c"].engine_id is None
    assert [usage.name for usage in seen.hosts][:2] == ["b", "c"]


def test_hosts_of_one_name_have_the_ids_of_their_engines(tmp_path: Path) -> None:
    for number in (1, 2):
        made = engine("vm", id=f"{number}2345678-90ab-cdef")
        write(tmp_path, f"{number}.json", report_of("vm", engine=made))
    assert {usage.name for usage in report_on(tmp_path).hosts} == {"vm (12345678-90a)", "vm (22345678-90a)"}


def test_two_podmans_at_one_address_are_as_many_as_the_fleet_says(tmp_path: Path) -> None:
    podman = report_of("vm", engine=engine("vm", id=None, flavour="podman", endpoint="unix:///run/podman/podman.sock"))
    hosts = [host(name, podman, engine_identity=f"machine-{name}") for name in ("x", "y")]
    write(tmp_path, "fleet.json", fleet_of(*hosts))
    assert report_on(tmp_path).engines == 2
    write(tmp_path, "fleet.json", fleet_of(*hosts[:1], host("z", podman, engine_identity="machine-x")))
    assert report_on(tmp_path).engines == 1


def test_growth_is_from_the_documents_else_from_the_ledger(tmp_path: Path) -> None:
    for day in range(6):
        grown = report_of("a", at=NOW - (5 - day) * DAY, used=(40 + 2 * day) * GIGABYTE)
        write(tmp_path, f"a{day}.json", grown)
    from tests.rig.reports import busy_report

    trend = busy_report(8).trend
    assert trend is not None
    write(tmp_path, "b.json", report_of("b", trend=trend, used=90 * GIGABYTE))
    write(tmp_path, "c.json", report_of("c"))
    seen = report_on(tmp_path)
    assert [usage.name for usage in seen.hosts] == ["a", "b", "c"]
    of_a, of_b, of_c = seen.hosts
    assert of_a.disk_growth is not None
    assert (of_a.disk_growth.bytes_per_day, of_a.growth_from) == (2 * GIGABYTE, "documents")
    assert of_a.full_in_days == 25.0
    assert of_b.growth is not None
    assert (of_b.growth.bytes_per_day, of_b.growth_from) == (525_000_000, "ledger")
    assert of_b.full_in_days == trend.full_in_days
    assert (of_c.growth, of_c.growth_from, of_c.full_in_days) == (None, None, None)


def test_sizes_of_another_base_are_no_growth(tmp_path: Path) -> None:
    for day in range(12):
        base = "disk" if day % 2 else "lengths"
        size = (9 if base == "disk" else 3) * GIGABYTE
        made = report_of("a", [reported("volume", "v", size)], at=NOW - day * DAY, size_base=base)
        write(tmp_path, f"{day}.json", made)
    [usage] = report_on(tmp_path).hosts
    assert usage.growth is not None
    assert (usage.growth.points, usage.growth.bytes_per_day) == (6, 0)


def test_sweeps_are_added_up(tmp_path: Path) -> None:
    write(tmp_path, "a.json", report_of("a"))
    for name in ("one.json", "two.json"):
        write(tmp_path, name, outcome_of("a", {"x": "removed", "y": "removed", "z": "failed"}, measured_bytes=700))
    seen = report_on(tmp_path)
    assert seen.freed_bytes == 1400
    [usage] = seen.hosts
    assert (usage.freed_bytes, usage.failed) == (1400, 2)
    assert sum(row.removed for row in seen.removed) == 4


def a_random_report(chance: random.Random, name: str) -> Report:
    """A report with images, some of which other hosts have too, volumes of several drivers, and findings."""
    objects = []
    for number in range(chance.randrange(30)):
        kind = chance.choice(KINDS)
        size = chance.choice([None, chance.randrange(GIGABYTE)])
        fields: dict[str, Any] = {"in_use": chance.random() < 0.5, "goes": chance.random() < 0.3}
        if kind == "image":
            fields["repository"] = chance.choice(["app", "web", "db", None])
        if kind == "volume":
            fields["driver"] = chance.choice(["local", "nfs", "ceph"])
        objects.append(reported(kind, f"n{chance.randrange(6)}-{number if kind != 'volume' else ''}", size, **fields))
    by_id = {(item.kind, item.id): item for item in objects}
    findings = chance.sample(["DS001", "DS002", "DS015"], chance.randrange(3))
    made: list[Finding] = [finding(id_, severity=chance.choice(["critical", "note"])) for id_ in findings]
    return report_of(name, list(by_id.values()), findings=tuple(made))


@pytest.mark.parametrize("seed", range(max(2, share(8))))
def test_the_figures_are_those_of_a_slow_count(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    newest = {f"h{number}": a_random_report(chance, f"h{number}") for number in range(6)}
    for name, made in newest.items():
        write(tmp_path, f"{name}.json", made)
        write(tmp_path, f"{name}-old.json", replace(a_random_report(chance, name), taken_at=NOW - DAY))
    seen = by_processes(tmp_path) if seed % 2 else report_on(tmp_path)

    images: dict[str, set[str]] = defaultdict(set)
    volumes: dict[tuple[str, str | None], dict[str, bool]] = defaultdict(dict)
    repositories: dict[str, int] = defaultdict(int)
    findings: dict[str, set[str]] = defaultdict(set)
    for name, made in newest.items():
        for item in made.objects:
            if item.kind == "image":
                images[item.id].add(name)
            if item.kind == "volume" and item.driver != "local":
                volumes[item.name, item.driver][name] = item.in_use
        for group in made.repositories:
            repositories[group.name] += group.size_bytes or 0
        for one in made.findings:
            findings[one.id].add(name)
    assert {row.id: row.hosts for row in seen.images} == {id_: len(on) for id_, on in images.items() if len(on) > 1}
    assert {
        (row.name, row.driver): {**dict.fromkeys(row.used_on, True), **dict.fromkeys(row.unused_on, False)}
        for row in seen.volumes
    } == {key: on for key, on in volumes.items() if len(on) > 1}
    assert {row.name: row.size_bytes for row in seen.repositories} == repositories
    assert {row.id: set(row.hosts) for row in seen.findings} == findings
    assert seen.reclaimable.low_bytes == sum(made.reclaimable.low_bytes for made in newest.values())


def test_what_cannot_be_read_is_named_and_left_out(tmp_path: Path) -> None:
    good = write(tmp_path, "a.json", report_of("a"))
    text = good.read_text()
    bad = {
        "cut.json": text[: len(text) // 2],
        "empty.json": "",
        "foreign.json": '{"name": "package"}',
        "list.json": "[1, 2]",
        "other.json": '{"schema": "dockersweep.unheard/1"}',
        "newer.json": '{"schema": "dockersweep.report/2"}',
        "wrong.json": text.replace('"now":', '"taken_at": 5, "now":'),
        "size.json": text.replace('"reclaimable": {', '"reclaimable": {"low_bytes": "many", "x": {').replace(
            '"unused": {', '}, "unused": {', 1
        ),
        "binary.json": "\x00\x01",
        "fleet.json": '{"schema": "dockersweep.fleet/1", "hosts": 3}',
        "bad.parquet": "PAR1 no",
    }
    for name, content in bad.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "pipe.json").symlink_to("/nowhere")
    nested = fleet_of(host("n", fleet_of(host("x"))), host("cut", report_of("c")))
    write(tmp_path, "nested.json", nested)
    (tmp_path / ".hidden.json").write_text("half")
    (tmp_path / "notes.txt").write_text("not a document")
    seen = report_on(tmp_path)
    assert {os.path.basename(file.file) for file in seen.skipped} == {*bad, "pipe.json", "nested.json"}
    assert all(file.file in file.why for file in seen.skipped)
    words = {os.path.basename(file.file): file.why for file in seen.skipped}
    assert "is not whole JSON" in words["cut.json"]
    assert "is JSON, but not a dockersweep document" in words["foreign.json"]
    assert "newer than this dockersweep reads" in words["newer.json"]
    assert "$.taken_at" in words["wrong.json"]
    assert "the document of n in" in words["nested.json"]
    assert seen.documents == 2


def test_numbers_that_no_column_holds_are_unknown(tmp_path: Path) -> None:
    item = reported("volume", "v", 2**63 - 1, age_seconds=10**30)
    for name in ("a", "b"):
        write(tmp_path, f"{name}.json", report_of(name, [item], folder_bytes=None))
    seen = report_on(tmp_path)
    assert seen.skipped == ()
    assert seen.used.low_bytes == 2**63 - 1


def test_what_people_call_a_host_comes_before_what_it_calls_itself(tmp_path: Path) -> None:
    made = report_of("vm-17", at=NOW - DAY)
    write(tmp_path, "fleet.json", fleet_of(host("build1", made, engine_id="id-of-vm-17"), at=NOW - DAY))
    write(tmp_path, "later.json", replace(made, taken_at=NOW))
    [usage] = report_on(tmp_path).hosts
    assert (usage.name, usage.also, usage.taken_at) == ("build1", (), NOW)
