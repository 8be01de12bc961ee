"""`dockersweep history`: what earlier runs did, in every format, from the ledger alone."""

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dockersweep.commands.history import since_instant
from dockersweep.errors import UsageError
from dockersweep.ledger import FILE_NAME, Ledger
from dockersweep.model.outcome import Reclaimed, Status
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.language.reading import read_policy
from dockersweep.units import parse_age
from tests.ledger.past_runs import DAY, PLAN, SEEN, START, Asked, document, outcome, sweep
from tests.rig.inventories import ENGINE, NOW, container, image, inventory, network, plan_of, record, volume


def test_runs_are_listed_the_newest_first(history: Asked, three_runs: Path) -> None:
    status, out, _ = history()
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    removed = "2 images, 1 volume, 1 network, 1 build-cache record"
    assert lines == [
        "Runs by root on box at unix:///run/test.sock",
        "",
        "RUN WHEN VERB REMOVED FREED EXIT",
        "3 2026-11-26 12:00:00 UTC sweep nothing; did not end; in hand: container c 0 B -",
        "2 2026-11-25 12:00:00 UTC sweep nothing; refused 0 B 4",
        f"1 2026-11-24 12:00:00 UTC sweep {removed}; 1 failed (1.21 kB) 3",
        "",
        "Sizes in brackets were predicted, not measured.",
        "`dockersweep history RUN` lists what a run removed, or says why it was refused.",
    ]


def test_a_missed_target_is_told_with_what_stood_in_the_way(history: Asked, tmp_path: Path) -> None:
    why = "Target missed: freed 0 B of 47.2 MB; nothing may be removed: 4 images (176 MB) are younger than 1 hour"
    with Ledger(tmp_path) as ledger:
        run = ledger.begin(START)
        run.finish(3, NOW, replace(document(), ended_early=None), why)
    assert "nothing; target missed" in history()[1]
    assert why in " ".join(history("1")[1].split())


def test_engines_and_users_have_a_column_only_where_they_differ(
    history: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    far = replace(ENGINE, id="FAR", name="build-server-7.example.com", endpoint="tcp://build-server-7.example.com:2376")
    wide = Reclaimed(low_bytes=1_234_567, high_bytes=9_876_543_210, measured_bytes=None)
    with Ledger(tmp_path) as ledger:
        for engine in (ENGINE, far):
            run = ledger.begin(replace(START, engine=engine))
            run.plan(PLAN, SEEN)
            for removal in PLAN.removals:
                run.ended(removal, outcome(removal))
            run.finish(0, NOW, replace(document(), reclaimed=wide), None)
    lines = history()[1].splitlines()
    assert (lines[0], lines[2].split()) == (
        "Runs by root",
        ["RUN", "WHEN", "VERB", "ENGINE", "REMOVED", "FREED", "EXIT"],
    )
    assert max(map(len, lines)) <= 80
    far_away, near = [line.split()[5] for line in lines if " sweep " in line]
    assert (far_away[:6], far_away[-4:], near) == ("build-", ".com", "box")
    # Two engines of one machine have one name, and are told apart by where they are.
    with Ledger(tmp_path) as ledger:
        ledger.begin(replace(START, engine=replace(ENGINE, id="P", endpoint="unix:///p"), user="ci")).finish(
            0, NOW, None, None
        )
    assert max(map(len, history()[1].splitlines())) <= 80
    monkeypatch.delenv("COLUMNS")
    lines = history()[1].splitlines()
    assert lines[0].split() == ["RUN", "WHEN", "VERB", "ENGINE", "REMOVED", "FREED", "EXIT", "WHO"]
    assert [line.split()[5] for line in lines[1:4]] == ["unix:///p", far.endpoint, "unix:///run/test.sock"]
    assert [line.split()[-1] for line in lines[1:4]] == ["ci", "root", "root"]


def test_measured_bytes_go_before_predicted(history: Asked, tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.begin(START).finish(0, NOW, document(), None)
    assert " 12 B " in history()[1]


def test_a_measured_total_is_told_apart_from_predictions_of_single_removals(history: Asked, tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        run = ledger.begin(START)
        run.plan(PLAN, SEEN)
        for removal in PLAN.removals:
            run.ended(removal, replace(outcome(removal), freed_bytes=None))
        run.finish(0, NOW, document(), None)
    out = history("1")[1]
    assert "The total was measured; of rows in brackets only a prediction is known." in out.splitlines()
    assert not out.startswith("WHAT")


def test_an_image_with_several_tags_fits_a_terminal(
    history: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = [f"registry.example.com/a-long-name/of-an-image:{number}" for number in range(3)]
    with Ledger(tmp_path) as ledger:
        statuses: tuple[Status, ...] = ("removed", "not-attempted")
        for status in statuses:
            seen = inventory(image("t", *tags, in_registry=False))
            plan = plan_of(seen, policy_from_flags(PolicyFlags(all_images=True)), NOW)
            ledger.update_objects(seen, (), NOW)
            run = ledger.begin(START)
            run.plan(plan, seen)
            for removal in plan.removals:
                run.sending(removal)
                run.ended(removal, outcome(removal, status))
            run.finish(0, NOW, document(), None)
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in ((), ("1",), ("--object", tags[0])):
        assert max(map(len, history(*arguments)[1].splitlines())) <= 80
    monkeypatch.delenv("COLUMNS")
    told = history("--object", tags[0])[1]
    assert told.count("  tag registry.example.com/") == 4
    recognized = told[told.index("What it was in run 2") :]
    assert [line.split()[0] for line in recognized.splitlines()[1:]] == ["id", "tags", "tags", "tags"]


def test_the_table_fits_a_terminal(history: Asked, three_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in ((), ("1",), ("--object", "app:1")):
        assert max(map(len, history(*arguments)[1].splitlines())) <= 80


def test_one_run_is_told_in_full(history: Asked, three_runs: Path) -> None:
    status, out, _ = history("1")
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert f"run 1: sweep by root, process {os.getpid()}, dockersweep 0.1.0" in lines
    assert "policy the default policy" in lines
    assert "exit status 3" in lines
    why = "stopped containers: stopped 10 days ago (limit 24 hours)"
    assert lines[lines.index("Not removed: 1") + 1 :][:2] == [
        "STATUS KIND NAME WHY", f"failed container c device busy; was to go by {why}"
    ]  # fmt: skip
    titles = [line for line in lines if " removed: " in line and not line.startswith("Not ")]
    # The other tag of a removed image is none that was taken off: what is listed is what was counted.
    kinds = ("Images", 2), ("Volumes", 1), ("Networks", 1), ("Build cache", 1)
    assert titles == [f"{kind} removed: {count}" for kind, count in kinds]
    assert [line.rpartition("; ")[2] for line in lines if line.startswith("app:1 ")] == ["also tagged app:2"]


def test_tags_of_images_that_stayed_are_listed_as_they_are_counted(history: Asked, tmp_path: Path) -> None:
    policy = read_policy(
        b'version = 1\n[[rule]]\nname = "old"\nkind = "image"\nmatch.tag = "2"\nremove.older_than = "1d"\n', "a policy"
    )
    with Ledger(tmp_path) as ledger:
        run = ledger.begin(START)
        plan = plan_of(SEEN, policy, NOW)
        run.plan(plan, SEEN)
        for removal in plan.removals:
            run.ended(removal, outcome(removal))
        run.finish(0, NOW, document(), None)
    lines = [" ".join(line.split()) for line in history("1")[1].splitlines()]
    assert "removed 1 tag of an image that stays; ended early" in lines
    assert lines[lines.index("Tags removed (their images stay): 1") + 1 :][:2] == [
        "NAME WHY", "app:2 old: first seen 10 days ago (limit 1 day)"
    ]  # fmt: skip
    rows = [" ".join(line.split()) for line in history("--object", "app:2")[1].splitlines()]
    assert any("tag app:2 of image app:1; old: first seen 10 days ago" in row for row in rows)


def test_a_tag_is_told_with_the_image_that_went_with_it(history: Asked, three_runs: Path) -> None:
    rows = [" ".join(line.split()) for line in history("--object", "app:1")[1].splitlines()]
    assert any("removed tag app:2 of image app:1; unused tagged images: " in row for row in rows)


def test_why_says_what_nobody_asked_for_and_what_was_lost(history: Asked, tmp_path: Path) -> None:
    seen = inventory(volume("v"), image("t", "app:1", in_registry=False), image("u", "app:3", in_registry=False))
    flags = PolicyFlags(all_images=True, older_than=parse_age("0s"))
    with Ledger(tmp_path) as ledger:
        run = ledger.begin(START)
        plan = plan_of(seen, policy_from_flags(flags), NOW)
        run.plan(plan, seen)
        for removal in plan.removals:
            run.ended(removal, outcome(removal))
        run.finish(0, NOW, document(), None)
    out = " ".join(history("1")[1].split())
    age = "whatever its age (first seen 10 days ago)"
    assert out.count(f"unused tagged images: {age}; it existed only here") == 2
    assert f"anonymous volumes: {age}" in out
    codes = {
        reason["code"]
        for one in json.loads(history("1", "--format", "json")[1])["removals"]
        for reason in one["reasons"]
    }
    assert codes == {"old-enough", "only-here"}


def test_an_age_that_no_rule_asks_for_stands_behind_the_count(history: Asked, tmp_path: Path) -> None:
    policy = read_policy(
        b'version = 1\n[[rule]]\nname = "apps"\nkind = "image"\neverything = true\nkeep.last = 1\n'
        b'remove.older_than = "0s"\n',
        "a policy",
    )
    apps = [replace(image(f"a{day}", f"app:{day}"), built_at=NOW - timedelta(days=day)) for day in (1, 2)]
    seen = inventory(*apps)
    with Ledger(tmp_path) as ledger:
        run = ledger.begin(START)
        plan = plan_of(seen, policy, NOW)
        run.plan(plan, seen)
        for removal in plan.removals:
            run.ended(removal, outcome(removal))
        run.finish(0, NOW, document(), None)
    out = " ".join(history("1")[1].split())
    assert "apps: 2nd newest of app (keep.last = 1); whatever its age (first seen 10 days ago)" in out


def test_a_rule_is_named_once_for_reasons_of_its_own_and_no_record_by_another(history: Asked, tmp_path: Path) -> None:
    seen = inventory(container("c", networks=["n"]), network("n"), record("r", "q"), record("q"))
    with Ledger(tmp_path) as ledger:
        sweep(ledger, seen, 0)
    out = history("1")[1]
    lines = [" ".join(line.split()) for line in out.splitlines()]
    rows = [line for line in lines if line.startswith("n networks of projects: ")]
    assert [row.count("networks of projects: ") for row in rows] == [1]
    assert "which goes too" in rows[0]
    assert "parent of" not in out


def test_what_is_not_there_is_called_so(history: Asked, tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        run = ledger.begin(START)
        run.plan(PLAN, SEEN)
        run.ended(PLAN.removals[0], outcome(PLAN.removals[0], "gone", "gone since, or never there"))
        run.finish(0, NOW, None, None)
    # The tag of an image that goes too is no object of its own.
    assert f"; {len(PLAN.removals) - 2} not attempted, 1 not there" in history()[1]
    assert "not there container c gone since, or never there; " in " ".join(history("1")[1].split())


def test_why_a_run_was_refused_is_told(history: Asked, three_runs: Path) -> None:
    assert "why over a limit of the policy" in [" ".join(line.split()) for line in history("2")[1].splitlines()]


def test_a_run_that_was_declined_is_told_apart(history: Asked, three_runs: Path) -> None:
    with Ledger(three_runs) as ledger:
        ledger.begin(START).finish(0, NOW, None, "nothing removed: not confirmed")
    assert "nothing; declined" in " ".join(history()[1].split())


def test_a_run_that_is_not_there_is_wrong_usage(history: Asked, three_runs: Path) -> None:
    assert history("7") == (2, "", "dockersweep: there is no run 7: the ledger has runs 1, 2 and 3\n")
    with Ledger(three_runs) as ledger:
        for _ in range(10):
            ledger.begin(START).finish(0, NOW, None, None)
    assert "the ledger has runs from 1 to 13\n" in history("99")[2]
    with Ledger(three_runs) as ledger:
        ledger.forget_before(NOW + DAY)
        assert "runs 2 and 3\n" in history("1")[2]
        ledger.forget_before(NOW + 2 * DAY)
        assert "the ledger has only run 3\n" in history("1")[2]
        # What has no end is not forgotten: the next run has to look at what it had in hand.
        ledger.forget_before(NOW + 9 * DAY)
        assert "the ledger has only run 3\n" in history("1")[2]


def test_since_leaves_out_older_runs(history: Asked, three_runs: Path) -> None:
    for since, runs in (("2026-11-25", [3, 2]), ("2026-11-26T13:00+01:00", [3])):
        told = json.loads(history("--since", since, "--format", "json")[1])
        assert [run["number"] for run in told["runs"]] == runs, since
    status, out, errors = history("--since", "2026-11-27T11:00+01:00")
    assert (status, out) == (0, "")
    assert errors == f"no runs since 2026-11-27 10:00:00 UTC in {three_runs / FILE_NAME}\n"


def test_since_counts_back_from_now_whatever_the_time_of_a_test(
    history: Asked, three_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs bear the true time of their start."""
    monkeypatch.setenv("DOCKERSWEEP_NOW", "2099-01-01T00:00:00Z")
    with Ledger(three_runs) as ledger:
        ledger.begin(replace(START, started_at=datetime.now(UTC) - timedelta(hours=1)))
    for since, is_listed in (("2h", True), ("30m", False)):
        told = json.loads(history("--since", since, "--format", "json")[1])
        assert (4 in [run["number"] for run in told["runs"]]) is is_listed, since


def test_since_is_an_age_or_a_date() -> None:
    assert since_instant("2026-11-01", NOW) == datetime(2026, 11, 1, tzinfo=UTC)
    assert since_instant("2026-11-01T18:30", NOW) == datetime(2026, 11, 1, 18, 30, tzinfo=UTC)
    assert since_instant("2026-11-01 18:30:00+02:00", NOW) == datetime(2026, 11, 1, 16, 30, tzinfo=UTC)
    assert since_instant("1mo", NOW) == NOW.replace(month=10)
    assert since_instant("0s", NOW) == NOW
    assert since_instant("0001-01-01", NOW).year == 1
    for text in ("", "yesterday", "7", "-3d", "2026-13-01", "0001-01-01T00:00+14:00"):
        with pytest.raises(UsageError, match=r"--since: .*neither an age nor a date: write"):
            since_instant(text, NOW)


def test_a_ledger_without_runs_says_so(history: Asked, tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    assert history() == (0, "", f"no runs yet in {tmp_path / FILE_NAME}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["1", "--object", "x"], "history RUN shows one thing: leave out --object and --since"),
        (["1", "--since", "1d"], "history RUN shows one thing"),
        (["verify", "--since", "1d"], "history verify shows one thing"),
        (["--object", ""], "the name of the object is empty"),
        (["--host", "unix:///x", "1"], "--host and --context choose among runs: leave them out, or RUN and --object"),
        (["-c", "x", "--object", "web"], "choose among runs"),
        (["one"], '"one" is neither a run number nor "verify"'),
        (["--since", "soon"], '--since: "soon" is neither an age nor a date'),
        (["--format", "html"], 'there is no "html"'),
    ],
)
def test_wrong_usage_is_said(history: Asked, arguments: list[str], said: str) -> None:
    status, out, errors = history(*arguments)
    assert (status, out) == (2, "")
    assert said in errors
    assert errors.count("\n") == 1


def test_history_reads_while_a_run_writes(history: Asked, three_runs: Path) -> None:
    with Ledger(three_runs) as ledger, closing(sqlite3.connect(three_runs / FILE_NAME, isolation_level=None)) as other:
        run = ledger.begin(START)
        other.execute("BEGIN IMMEDIATE")
        told: Any = json.loads(history("--format", "json")[1])
        latest = told["runs"][0]
        assert (latest["number"], latest["state"]) == (run.number, "running")
        assert "nothing yet; still running (process" in history()[1]
        other.execute("ROLLBACK")
