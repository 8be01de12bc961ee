"""What a run keeps of objects before it removes them, in the ledger."""

from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from dockersweep.ledger import Ledger
from dockersweep.model.history import ArchivedRow
from tests.ledger.past_runs import START
from tests.rig.inventories import ENGINE, NOW

ROW = ArchivedRow(
    kind="volume",
    id="pg-old",
    name="pg-old",
    folder="/srv/archive",
    path="2026-12-01T093000Z-1",
    size_bytes=5,
    archived_at=NOW,
)


def test_a_run_keeps_where_its_archives_are_and_what_networks_were(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        first, second = ledger.begin(START), ledger.begin(START)
        first.archived(ROW)
        second.archived(replace(ROW, size_bytes=None))
        second.definition("network", "f00", b'{"Name": "front"}')
    with Ledger(tmp_path) as ledger:
        assert ledger.archived(ENGINE) == {
            (1, "volume", "pg-old"): ROW,
            (2, "volume", "pg-old"): replace(ROW, size_bytes=None),
        }
        assert ledger.definitions(ENGINE) == {(2, "network", "f00")}
        assert ledger.definition(2, "network", "f00") == b'{"Name": "front"}'
        assert ledger.definition(1, "network", "f00") is None
        other = replace(ENGINE, id="OTHER")
        assert (ledger.archived(other), ledger.definitions(other)) == ({}, frozenset())


def test_what_a_forgotten_run_kept_is_forgotten(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        run = ledger.begin(START)
        run.archived(ROW)
        run.definition("network", "f00", b"{}")
        run.finish(0, NOW, None, None)
        ledger.forget_before(NOW + timedelta(days=400))
        assert (ledger.archived(ENGINE), ledger.definitions(ENGINE)) == ({}, frozenset())


def test_without_a_ledger_nothing_is_kept() -> None:
    with Ledger(None) as ledger:
        run = ledger.begin(START)
        run.archived(ROW)
        run.definition("network", "f00", b"{}")
        assert (ledger.archived(ENGINE), ledger.definitions(ENGINE)) == ({}, frozenset())
