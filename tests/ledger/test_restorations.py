"""What the ledger keeps of `restore`, and what it tells `restore` of removals."""

import csv
import io
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.ledger import FILE_NAME, Ledger
from dockersweep.ledger.check import find_problems
from dockersweep.ledger.reading import read_object, read_run, read_runs
from dockersweep.model.attempt import outcome_for
from dockersweep.model.recovery import Recovery
from dockersweep.model.restoring import RemovedRow, Restored
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.report.formats import formatted
from dockersweep.report.history.layout import history_layout
from tests.ledger.past_runs import START
from tests.ledger.test_archived import ROW
from tests.rig.inventories import ENGINE, NOW, container, image, inventory, network, plan_of, record, volume

VOLUME = Restored(
    kind="volume",
    id="v",
    name="v",
    as_name="v-2",
    action="create",
    how="archive",
    run=1,
    status="planned",
    detail=None,
)
TAG = replace(VOLUME, kind="image", id="sha256:a", name="app:1", as_name="app:1", action="tag")


def swept(ledger: Ledger) -> None:
    """A run that removed a network, and images: one that a registry has, one that none has; with a tag each."""
    seen = inventory(
        image("pulled", "app:1", "app:2", in_registry=True, digests=("app@sha256:d",)),
        image("local", "own:1", in_registry=False),
        network("front"),
        volume("v"),
    )
    plan = plan_of(seen, policy_from_flags(PolicyFlags(all_images=True, named_volumes=True)), NOW)
    run = ledger.begin(START)
    run.plan(plan, seen)
    for removal in plan.removals:
        run.sending(removal)
        run.ended(removal, outcome_for(removal, "removed"))
    run.definition("network", seen.networks[0].id, b'{"Name": "front"}')
    run.finish(0, NOW, None, None)


def restored(ledger: Ledger, *, ends: bool = True) -> None:
    run = ledger.begin(replace(START, verb="restore", policy_source="run 1"))
    run.restoring([VOLUME, TAG])
    run.restored(0, replace(VOLUME, status="restored", new_id="v-2"))
    if ends:
        run.restored(1, replace(TAG, status="failed", detail="why"))
        run.finish(3, NOW, None, None)


def test_what_runs_removed_is_told_with_what_it_takes_to_make_it_again(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        swept(ledger)
        rows = {(row.kind, row.name): row for row in ledger.removed_from(ENGINE)}
        assert {key: row.action for key, row in rows.items() if key[0] == "image"} == {
            ("image", "app:1"): "create",
            ("image", "app:2"): "tag",
            ("image", "own:1"): "create",
        }
        pulled = rows["image", "app:1"]
        assert isinstance(pulled, RemovedRow)
        assert (pulled.tags, pulled.reference, pulled.run) == (("app:1", "app:2"), "app@sha256:d", 1)
        assert rows["image", "own:1"].reference is None
        assert ledger.removed_from(replace(ENGINE, id="OTHER")) == ()
        of_run = ledger.run_of(ENGINE, 1)
        assert of_run is not None
        assert (of_run.is_of_engine, of_run.verb) == (True, START.verb)
        other = ledger.run_of(replace(ENGINE, id="OTHER"), 1)
        assert other is not None
        assert not other.is_of_engine
        assert ledger.run_of(ENGINE, 2) is None
    ways = {(one.name, one.action): one.way_back for one in read_run(tmp_path, 1).removals}
    assert ways["front", "remove"] == "recreate"
    assert ways["app:1", "remove"] == "pull"
    assert ways["app:2", "untag"] == "recreate"
    assert ways["own:1", "remove"] is None


def test_what_is_lost_is_what_has_data_and_is_nowhere(tmp_path: Path) -> None:
    seen = inventory(
        volume("kept", size=5), volume("full", size=7), volume("lost", size=9), container("empty", size=0), record("r")
    )
    plan = plan_of(seen, policy_from_flags(PolicyFlags(named_volumes=True, archive="")), NOW)
    lost = Recovery(how="none", text="no room in the archive")
    ways = {"lost": lost, "empty": replace(lost, without_data=True)}
    plan = replace(
        plan, removals=tuple(replace(one, recovery=ways.get(one.name, one.recovery)) for one in plan.removals)
    )
    with Ledger(tmp_path) as ledger:
        run = ledger.begin(START)
        run.plan(plan, seen)
        for removal in plan.removals:
            run.ended(removal, outcome_for(removal, "removed"))
        (tmp_path / "archive" / ROW.path).mkdir(parents=True)
        run.archived(replace(ROW, id="kept", name="kept", folder=str(tmp_path / "archive")))
        run.finish(0, NOW, None, None)
    history = read_run(tmp_path, 1)
    assert {one.name for one in history.removals if one.is_lost} == {"lost", "full"}
    text = formatted(history_layout(history, "run"), "table", None)
    assert "Cannot be recovered: volume lost (9 B), volume full (7 B)." in text
    # Of what shared most of it with others, no more is lost than it freed.
    freed = [replace(one, freed_bytes=4 if one.name == "lost" else one.freed_bytes) for one in history.removals]
    told = formatted(history_layout(replace(history, removals=tuple(freed)), "run"), "table", None)
    assert "Cannot be recovered: volume full (7 B), volume lost (4 B)." in told
    assert "`dockersweep restore 1` takes back what can be made again." in text


@pytest.mark.linux
def test_no_way_back_is_promised_that_the_archive_has_no_more(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    path = archive / ROW.path
    path.mkdir(parents=True)
    with Ledger(tmp_path) as ledger:
        swept(ledger)
        ledger.begin(START).archived(replace(ROW, id="v", name="v", folder=str(archive)))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        database.execute("UPDATE archived SET run = 1")
        database.commit()

    def told() -> tuple[object, object, str, str]:
        run, past = read_run(tmp_path, 1), read_object(tmp_path, "volume:v", None)
        removal = next(one for one in run.removals if one.name == "v")
        of_run = formatted(history_layout(run, "run"), "table", None)
        return removal.way_back, removal.lost_archive, of_run, formatted(history_layout(past, "object"), "table", None)

    way, lost, of_run, of_object = told()
    assert (way, lost) == ("archive", None)
    assert "`dockersweep restore v --run 1` takes it back." in of_object
    path.rename(tmp_path / "elsewhere")
    way, lost, of_run, of_object = told()
    assert (way, lost) == (None, str(archive))
    assert "takes it back" not in of_object
    moved = f"if {archive} was moved, `dockersweep restore v --run 1 --archive FOLDER`."
    assert f"Run 1 archived it, but that run is in the archive no more: {moved}" in of_object
    assert "1 object of it went into an archive that has the run no more" in of_run
    assert "`dockersweep restore 1` takes back what can be made again." in of_run


def test_what_a_run_made_again_is_in_the_history(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        swept(ledger)
        restored(ledger)
        latest, _ = ledger.last_run(ENGINE)
        # Whoever asks is asking after sweeps.
        assert latest is not None
        assert latest.number == 1
    run = read_runs(tmp_path, None).runs[0]
    assert (run.verb, run.restored, run.tags_restored, run.not_restored) == ("restore", {"volume": 1}, 0, {"failed": 1})
    made = read_run(tmp_path, 2).restorations
    assert [(one.as_name, one.status, one.detail, one.of_run) for one in made] == [
        ("v-2", "restored", None, 1),
        ("app:1", "failed", "why", 1),
    ]
    for text in ("v", "v-2"):
        past = read_object(tmp_path, text, None)
        assert [one.as_name for one in past.restorations] == ["v-2"]
    assert find_problems(tmp_path) == ()


def test_a_run_that_did_not_end_tells_what_it_was_making(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        restored(ledger, ends=False)
        # Not of this very process.
        assert ledger.half_restored(ENGINE) == {}
    with Ledger(tmp_path) as ledger:
        assert ledger.half_restored(ENGINE) == {("image", "app:1"): 1}
        assert ledger.half_restored(replace(ENGINE, id="OTHER")) == {}
        assert [run.number for run in ledger.unfinished(ENGINE)] == [1]
        ledger.settle(1, ())
        run = ledger.begin(replace(START, verb="restore", policy_source="run 1"))
        run.restoring([TAG])
        run.restored(0, replace(TAG, status="restored"))
        run.finish(0, NOW, None, None)
        # By now it is whole.
        assert ledger.half_restored(ENGINE) == {}
    assert [one.status for one in read_run(tmp_path, 1).restorations] == ["restored", None]
    assert find_problems(tmp_path) == ()


def test_spreadsheets_have_a_row_for_each_object(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        restored(ledger)
    text = formatted(history_layout(read_run(tmp_path, 1), "run"), "csv", None)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["as_name"], row["status"], row["new_id"]) for row in rows] == [
        ("v-2", "restored", "v-2"),
        ("app:1", "failed", ""),
    ]
    [run] = csv.DictReader(io.StringIO(formatted(history_layout(read_runs(tmp_path, None), "runs"), "csv", None)))
    assert (run["restored"], run["not_restored"]) == ("1", "1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE restorations SET status = 'odd' WHERE position = 0", 'with the status "odd", which there is not'),
        (
            "UPDATE restorations SET status = NULL WHERE position = 0",
            "run 1 ended, and its restoration 0 has no status",
        ),
        ("DELETE FROM runs", "run 1 has restorations, archives or definitions"),
    ],
)
def test_contradictions_are_found(tmp_path: Path, change: str, words: str) -> None:
    with Ledger(tmp_path) as ledger:
        restored(ledger)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database, database:
        database.execute(change)
    assert any(words in problem for problem in find_problems(tmp_path) or ())


def test_without_a_ledger_nothing_is_known() -> None:
    with Ledger(None) as ledger:
        restored(ledger)
        asked: list[Callable[[], object]] = [
            lambda: ledger.removed_from(ENGINE),
            lambda: ledger.half_restored(ENGINE),
            lambda: ledger.run_of(ENGINE, 1),
        ]
        assert [ask() for ask in asked] == [(), {}, None]
