"""The plan of a later time, and of the days to come."""

import json
from pathlib import Path

import pytest

from dockersweep.commands.foresight import MOST_DAYS
from tests.commands.calling import Caller, Said
from tests.commands.test_guard_rails import deletes, removable
from tests.rig.fake_engine import fake_engine
from tests.rig.inventories import ago, container, image, inventory, record, volume, write_inventory
from tests.rig.running import dockersweep


@pytest.fixture
def ageing(tmp_path: Path) -> str:
    """An inventory taken at noon on 24 November of which more and more may go."""
    seen = (
        container("old"),
        container("evening", finished=ago(hours=20), size=5),
        volume("tomorrow", created=ago(hours=1)),
        image("f00d", first_seen=ago(hours=13)),
        record("friday", last_used=ago(days=4)),
        container("running", "running"),
    )
    return write_inventory(tmp_path, inventory(*seen))


def plan(call: Caller, saved: str, *flags: str) -> Said:
    return call("plan", "--policy", "default", "--inventory", saved, *flags)


def test_by_day_each_object_stands_where_it_goes_first(
    call: Caller, ageing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    told = plan(call, ageing, "--next", "7d", "--format", "json").json()
    days = {day["until_at"]: [one["name"] for one in day["added"]] for day in told["upcoming"]}
    assert days == {
        "2026-11-25T00:00:00Z": ["evening", "f00d"],
        "2026-11-26T00:00:00Z": ["tomorrow"],
        "2026-11-28T00:00:00Z": ["step friday"],
    }
    assert [day["objects"] for day in told["upcoming"]] == [3, 4, 5]
    assert [one["name"] for one in told["removals"]] == ["old"]
    assert told["foreseen_at"] is None
    assert told["upcoming"][0]["added"][0]["rules"] == ["stopped containers"]


@pytest.mark.parametrize(("when", "count"), [("+1h", 1), ("+5h", 2), ("+12h", 3), ("2026-11-25T13:00", 4), ("+7d", 5)])
def test_a_day_is_what_the_plan_of_then_says(call: Caller, ageing: str, when: str, count: int) -> None:
    told = plan(call, ageing, "--at", when, "--format", "json").json()
    assert len(told["removals"]) == count
    assert told["foreseen_at"] == told["now"] != told["taken_at"]
    assert told["upcoming"] is None


def test_a_table_says_at_its_head_of_when_it_is(call: Caller, ageing: str) -> None:
    told = plan(call, ageing, "--at", "+7d").out
    assert told.splitlines()[1].startswith("This is the plan as of 2026-12-01 ")
    assert told.splitlines()[1].endswith(", 7 days after the scan, if nothing changes.")
    assert "plan as of" not in plan(call, ageing).out


def test_the_screen_of_the_days(ageing: str) -> None:
    flags = ("plan", "--policy", "default", "--inventory", ageing, "--next", "7d")
    told = dockersweep(*flags, COLUMNS="80", TZ="UTC", PYTHONUTF8="1").stdout
    assert max(map(len, told.splitlines())) <= 80
    assert "1 object to remove now, 4 more later if nothing changes, by the" in told
    assert "\nWed 2026-11-25: 1 volume\n" in told
    summary = dockersweep(*flags, "--summary", TZ="UTC", PYTHONUTF8="1").stdout
    assert "tomorrow" not in summary
    assert [line.split()[0] for line in summary.splitlines()[4:]] == ["now", "Tue", "Wed", "Fri"]


def test_the_days_are_those_of_the_time_zone(ageing: str) -> None:
    # A process that is forked keeps its time zone.
    flags = ("--inventory", ageing, "--next", "2d", "--format", "json")
    told = dockersweep("plan", "--policy", "default", *flags, TZ="Asia/Tokyo", PYTHONUTF8="1").json()
    assert [(day["until_at"], len(day["added"])) for day in told["upcoming"]] == [("2026-11-25T15:00:00Z", 3)]


def test_rows_are_of_what_is_to_come(call: Caller, ageing: str) -> None:
    rows = plan(call, ageing, "--next", "7d", "--format", "csv").out.splitlines()
    assert rows[0] == "until_at,kind,id,name,size_bytes,rules"
    assert len(rows) == 5


def test_nothing_more_is_said_so(call: Caller, ageing: str) -> None:
    assert "1 object to remove now, nothing more later if nothing changes" in plan(call, ageing, "--next", "1h").out


def test_nothing_yet_is_said_so(call: Caller, tmp_path: Path) -> None:
    saved = write_inventory(tmp_path, inventory(container("evening", finished=ago(hours=20))))
    assert "Nothing to remove now, 1 later if nothing changes" in plan(call, saved, "--next", "1d").out
    assert "Nothing to remove now, nothing later if nothing changes" in plan(call, saved, "--next", "1h").out


def test_the_exit_status_is_of_the_time_that_is_asked_about(call: Caller, tmp_path: Path) -> None:
    saved = write_inventory(tmp_path, inventory(container("evening", finished=ago(hours=20))))
    for flags, status in (((), 0), (("--next", "1h"), 0), (("--next", "1d"), 10), (("--at", "+1d"), 10)):
        assert plan(call, saved, "--exit-code", *flags).status == status


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--older-than", "0s"), "1 removal planned, freeing at least 5 B"),
        (("--next", "1h", "--older-than", "0s"), "1 removal planned, freeing at least 5 B"),
        (("--next", "1d"), "1 removal planned: none now, 1 later, freeing at least 5 B"),
    ],
)
def test_a_mail_beside_a_file_counts_what_is_to_come(
    call: Caller, tmp_path: Path, flags: tuple[str, ...], told: str
) -> None:
    saved = write_inventory(tmp_path, inventory(container("evening", finished=ago(hours=20), size=5)))
    said = plan(call, saved, "--exit-code", "-o", str(tmp_path / "plan.json"), *flags)
    assert (said.status, said.out, said.err) == (10, "", f"dockersweep: {told}\n")


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_the_days_name_a_limit_that_the_plan_is_over(call: Caller, ageing: str, form: str) -> None:
    over = "Over a limit, so no sweep: 1 object to remove, 0 allowed."
    flags = ("--next", "7d", "--format", form)
    assert over in plan(call, ageing, *flags, "--max-objects", "0").out
    assert "Over a limit" not in plan(call, ageing, *flags, "--max-objects", "1").out


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--at", "7d"), '"7d" is neither an age with a plus, like +7d, nor a date'),
        (("--at", "+7"), "it has no unit"),
        (("--at", "+0s"), "is not after the scan of 2026-11-24 "),
        (("--at", "2026-11-01"), "--at: 2026-11-01 00:00:00 UTC is not after the scan"),
        (("--next", "0s"), '--next: "0s" is not from 1s to 92d; for later, use --at'),
        (("--next", f"{MOST_DAYS + 1}d"), "use --at"),
        (("--next", "1d", "--at", "+1d"), "not allowed with"),
    ],
)
def test_wrong_times(call: Caller, ageing: str, flags: tuple[str, ...], told: str) -> None:
    said = plan(call, ageing, *flags)
    assert (said.status, said.out) == (2, "")
    assert told in said.err


def test_a_plan_of_later_is_not_applied(tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    with fake_engine() as engine:
        removable(engine, "a")
        assert dockersweep("plan", "--at", "+7d", "-o", str(saved), host=engine.url).status == 0
        assert json.loads(saved.read_text())["removals"]
        run = dockersweep("apply", str(saved), "--yes", host=engine.url)
        assert (run.status, deletes(engine)) == (4, [])
    assert f"{saved} is a plan as of " in run.stderr
    assert "only to look at; make one without --at" in run.stderr


def test_a_plan_with_its_days_is_one_of_now(tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    with fake_engine() as engine:
        removable(engine, "a")
        assert dockersweep("plan", "--next", "2d", "-o", str(saved), host=engine.url).status == 0
        assert dockersweep("apply", str(saved), "--yes", host=engine.url).status == 0
        assert len(deletes(engine)) == 1
