"""Documents that somebody changed, one value each: each is read, or named and left out, and nothing else happens."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockersweep.commands.folded_documents import loaded, report_on_files
from dockersweep.model.documents import read_document
from dockersweep.model.fleet_report import FleetReport
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.report.fleet_report.layout import fleet_layout
from dockersweep.report.fleet_report.metrics import exposition
from dockersweep.report.fleet_report.page import page
from dockersweep.report.formats import formatted
from dockersweep.warehouse.database import LISTED
from dockersweep.warehouse.folder import files_in
from dockersweep.words.documents import write_document
from tests.rig.document_folders import fleet_of, host, outcome_of, report_of
from tests.rig.examples import share
from tests.rig.inventories import container, image, inventory, network, plan_of, record, volume
from tests.rig.reports import busy_report, reported

SEEN = inventory(container("c", volumes=["v"]), image("i", "app:1"), volume("v"), network("n"), record("r"))
DOCUMENTS = [
    json.loads(write_document(document))
    for document in (
        SEEN,
        plan_of(SEEN, DEFAULT_POLICY),
        busy_report(12),
        outcome_of("a", {"x": "removed", "y": "failed"}, 7),
        fleet_of(host("a", report_of("a", [reported("volume", "v", 3)])), host("b")),
    )
]
ODD: tuple[Any, ...] = (
    None, -1, 0, 10**30, 2**63 - 1, -(2**63), 1e308, 1.5, "", "x", "\x00\x1b[31m", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", True, [], {}, [None], {"a": 1}, "dockersweep.report/1", "done", "critical",
)  # fmt: skip
FILES = 60


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value within JSON."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def spoiled(document: Any, chance: random.Random) -> Any:
    """A copy in which one value is another, or is missing."""
    copy = json.loads(json.dumps(document))
    *way, last = chance.choice(list(places(copy)))
    parent = copy
    for key in way:
        parent = parent[key]
    if isinstance(parent, dict) and chance.random() < 0.2:
        del parent[last]
    else:
        parent[last] = chance.choice(ODD)
    return copy


@pytest.mark.parametrize("seed", range(share(6)))
def test_a_spoiled_document_spoils_nothing_else(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(FILES):
        text = json.dumps(spoiled(DOCUMENTS[number % len(DOCUMENTS)], chance))
        (tmp_path / f"{number}.json").write_text(text)
    (tmp_path / "good.json").write_text(write_document(report_of("good", [reported("volume", "v", 3)])))
    files = files_in(str(tmp_path))
    report = report_on_files(files, "x", DEFAULT_POLICY)
    assert "good" in {usage.name for usage in report.hosts}
    assert all(file.file in file.why for file in report.skipped)
    show(report)
    with loaded(files, DEFAULT_POLICY, only_newest=False, tables=LISTED) as documents:
        rows = documents.warehouse.answer("SELECT * FROM hosts").rows
    assert len(rows) == len(report.hosts)


def show(report: FleetReport) -> None:
    """Lay it out in every format."""
    for name in ("table", "csv", "markdown"):
        assert formatted(fleet_layout(report), name, 80)
    assert exposition(report)
    assert page(report)
    assert read_document(write_document(report).encode(), FleetReport, "x") == report
