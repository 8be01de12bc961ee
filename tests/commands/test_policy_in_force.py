"""What a policy file and flags beside it make of plans and explanations."""

from pathlib import Path

import jsonschema
import pytest

from tests.commands.calling import IMAGES, SCRATCH, Caller, going, save
from tests.rig.inventories import volume
from tests.rig.policies import VERSION


def test_flags_change_what_a_file_says(call: Caller, saved: str) -> None:
    path = call.policy(SCRATCH + IMAGES.removeprefix(VERSION))
    flags = ("plan", "--policy", path, "--inventory", saved, "--format", "json")
    assert going(call(*flags)) == ["app:1", "scratch-1", "scratch-2"]
    assert going(call(*flags, "--older-than", "30d")) == []
    assert going(call(*flags, "--kind", "image")) == ["app:1"]
    assert going(call(*flags, "--keep-name", "scratch-1")) == ["app:1", "scratch-2"]
    assert going(call(*flags, "--keep-image", "app")) == ["scratch-1", "scratch-2"]
    for flag in ("--all-images", "--named-volumes"):
        said = call(*flags, flag)
        assert (said.status, said.out) == (2, "")
        assert f"{flag} adds a rule to the default policy" in said.err
    for spared, begin in (
        (("--spare-local",), "--spare-local changes"),
        (("--spare-local", "--all-images"), "--all-images and --spare-local change"),
    ):
        said = call(*flags, *spared)
        assert (said.status, said.out) == (2, "")
        assert said.err.startswith(f"dockersweep: {begin} the default policy, but ")
        assert "write match.recoverable = true in a rule" in said.err
        # What it says does it.
        assert call(*flags, "--policy", "default", "--all-images", "--spare-local").status == 0
    alone = call(*flags, "--policy", "default", "--spare-local")
    assert (alone.status, "--spare-local spares images" in alone.err) == (2, True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--max-objects", "2"), "3 objects to remove, 2 allowed"),
        (("--max-bytes", "119B"), "up to 120 B would be freed, 119 B allowed"),
        (("--max-share", "50%"), "2 of 3 objects of the kind volume to remove (66.7%), 50% allowed"),
        (("--max-share", "50"), "2 of 3 objects of the kind volume to remove (66.7%), 50% allowed"),
    ],
)
def test_limits_are_told_and_are_an_exit_status(call: Caller, saved: str, flags: tuple[str, str], message: str) -> None:
    path = call.policy(SCRATCH + IMAGES.removeprefix(VERSION))
    plan = ("plan", "--policy", path, "--inventory", saved)
    over = call(*plan, *flags, "--exit-code")
    assert over.status == 4
    assert f"Over a limit, so no sweep: {message}.\n" in over.out
    assert call(*plan, *flags).status == 0
    assert message in call(*plan, *flags, "--format", "json").json()["limits"]["exceeded"]
    assert f"The plan is over a limit, so no sweep: {message}." in call("explain", "app:1", *plan[1:], *flags).out
    assert call(*plan, "--exit-code", "--max-objects", "3", "--max-bytes", "120B", "--max-share", "67%").status == 10
    assert call(*plan, "--exit-code", "--kind", "network", "--max-objects", "0").status == 0


def test_a_flag_replaces_the_limit_of_the_file(call: Caller, saved: str) -> None:
    path = call.policy(SCRATCH + "[limits]\nobjects = 1\n")
    plan = ("plan", "--policy", path, "--inventory", saved, "--exit-code")
    assert call(*plan).status == 4
    assert call(*plan, "--max-objects", "2").status == 10
    assert call(*plan, "--max-share", "100%").status == 4


@pytest.mark.parametrize(
    "flags",
    [
        ("--max-objects", "-1"),
        ("--max-objects", "1e3"),
        ("--max-bytes", "5"),
        ("--max-share", "101%"),
        ("--max-share", "101"),
        ("--max-share", "1.2.3"),
    ],
)
def test_a_limit_that_is_none_is_wrong_usage(call: Caller, saved: str, flags: tuple[str, str]) -> None:
    said = call("plan", "--inventory", saved, *flags)
    assert (said.status, said.out) == (2, "")
    assert flags[0] in said.err


# explain


def test_explain_refuses_what_is_not_clear(call: Caller, saved: str) -> None:
    said = call("explain", "a1b2", "--inventory", saved)
    assert said == (2, "", 'dockersweep: "a1b2" can mean image:app:1 or image:app:2: write one of these\n')
    said = call("explain", "scrach-1", "--inventory", saved)
    assert (said.status, said.out) == (2, "")
    assert "did you mean volume:scratch-1" in said.err


@pytest.mark.parametrize("name", ["job-1", "app:1", "app:2", "c0ffee", "scratch-1", "data", "shop", "r1"])
def test_explain_as_json_holds_to_its_schema(call: Caller, saved: str, name: str) -> None:
    path = call.policy(SCRATCH + IMAGES.removeprefix(VERSION))
    schema = call("schema", "explanation").json()
    document = call("explain", name, "--policy", path, "--inventory", saved, "--format", "json").json()
    jsonschema.Draft202012Validator(schema).validate(document)


def test_the_value_of_a_label_may_be_a_regular_expression(call: Caller, tmp_path: Path) -> None:
    labelled = (volume("a", labels={"env": "prod-1"}), volume("b", labels={"env": "test-1"}))
    flags = ("--inventory", save(tmp_path, *labelled), "--format", "json")
    path = call.policy(f'{VERSION}[protect]\nlabels = "env=/^prod-[0-9]+$/"\n' + SCRATCH.removeprefix(VERSION))
    call.policy(Path(path).read_text().replace("scratch-*", "?"))
    assert going(call("plan", "--policy", path, *flags)) == ["b"]
    assert going(call("plan", "--keep-label", "env=/^prod/", *flags)) == ["b"]


def test_the_first_day_of_the_calendar_is_a_date(call: Caller, saved: str) -> None:
    path = call.policy(SCRATCH.replace('older_than = "3d"', "before = 0001-01-01"))
    assert going(call("plan", "--policy", path, "--inventory", saved, "--format", "json")) == []
