"""What a run keeps of objects before it removes them, in the ledger."""

from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from dockersweep.ledger import Ledger
from dockersweep.ledger.check import find_problems
from dockersweep.ledger.reading import read_run
from dockersweep.model.history import ArchivedRow, PastArchive
from dockersweep.model.recovery import EarlyDeletion
from dockersweep.report.formats import formatted
from dockersweep.report.history.layout import history_layout
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
    until=NOW + timedelta(days=14),
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
        assert ledger.archive_folders() == ("/srv/archive",)
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


def test_a_run_names_its_archive_and_what_it_deleted_to_make_room(tmp_path: Path) -> None:
    early = EarlyDeletion(folder=ROW.path, run=1, objects={"volume": 1, "container": 2}, until=ROW.until)
    with Ledger(tmp_path) as ledger:
        first, second = ledger.begin(START), ledger.begin(START)
        first.archived(ROW)
        assert read_run(tmp_path, 1).archive == PastArchive(folder=ROW.folder, path=ROW.path, until=ROW.until)
        assert ledger.runs_in_archive(ROW.folder, NOW) == {ROW.path}
        assert ledger.runs_in_archive(ROW.folder, ROW.until) == frozenset()
        second.deleted_early(ROW.folder, (early,))
        second.finish(0, NOW, None, None)
    old, new = read_run(tmp_path, 1), read_run(tmp_path, 2)
    assert old.archive is not None
    assert old.archive.deleted_by == 2
    assert (new.archive, new.deleted_early) == (None, (early,))
    text = " ".join(formatted(history_layout(old, "run"), "table", None).split())
    assert "archived in /srv/archive/2026-12-01T093000Z-1 until 2026-12-08 12:00:00 UTC; deleted by run 2" in text
    text = " ".join(formatted(history_layout(new, "run"), "table", None).split())
    assert "to make room run 1 (2 containers, 1 volume) deleted from the archive before its time" in text
    with Ledger(tmp_path) as ledger:
        ledger.forget_before(NOW + timedelta(days=400))
    assert find_problems(tmp_path) == ()


def test_without_a_ledger_nothing_is_deleted_from_it() -> None:
    with Ledger(None) as ledger:
        ledger.begin(START).deleted_early("/srv", ())
        assert ledger.runs_in_archive("/srv", NOW) == frozenset()
