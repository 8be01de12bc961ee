"""`apply`: a saved plan is carried out as it stands, later, and on no other engine."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import fake_engine, reply
from tests.rig.next_second import next_second
from tests.rig.running import Run, dockersweep

# What removes is what sweeps, which meets all engines elsewhere.
ENOUGH = pytest.mark.enough_on(*NEWEST)
ALL = ("--older-than", "0s", "--all-images", "--named-volumes")


def save_plan(engine: str, path: Path, *flags: str) -> Any:
    """Save a plan for an engine, and return it."""
    run = dockersweep("plan", "-o", str(path), *flags, host=engine)
    assert (run.status, run.stdout) == (0, ""), run.stderr
    return json.loads(path.read_text())


def outcomes(run: Run) -> dict[tuple[str, str], tuple[str, str | None]]:
    return {(one["kind"], one["name"]): (one["status"], one["detail"]) for one in run.json()["outcomes"]}


@ENOUGH
def test_a_saved_plan_removes_what_it_shows_and_nothing_that_came_since(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    made = litter.image("app:1", layers={"a": 1000}, tags=["app:2"], runnable=True)
    litter.container("web", image=made, state="created")
    litter.volume("data", size=1000)
    litter.network("net")
    plan = save_plan(engine.url, tmp_path / "plan.json", *ALL, "--keep-image", "*base*")
    litter.volume("later", size=1000)
    litter.container("later", image=litter.base(), state="created")
    run = dockersweep("apply", str(tmp_path / "plan.json"), "--format", "json", host=engine.url)
    assert run.status == 0, run.stderr
    told = run.json()
    assert [(one["kind"], one["id"], one["action"], one["name"]) for one in told["outcomes"]] == [
        (one["kind"], one["id"], one["action"], one["name"]) for one in plan["removals"]
    ]
    assert {one["status"] for one in told["outcomes"]} == {"removed"}
    assert told["policy_source"].startswith(f"the plan in {tmp_path}/plan.json of 20")
    assert "later" in engine.docker("volume", "ls", "-q").stdout.split()
    assert engine.docker("ps", "-a", "--format", "{{.Names}}").stdout.split() == ["later"]


@ENOUGH
def test_a_plan_can_be_applied_twice_and_from_standard_input(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    litter.volume("data", size=1000)
    save_plan(engine.url, tmp_path / "plan.json", *ALL, "--kind", "volume")
    text = (tmp_path / "plan.json").read_text()
    first = dockersweep("apply", "-", "--format", "json", host=engine.url, stdin=text)
    assert outcomes(first) == {("volume", "data"): ("removed", None)}
    second = dockersweep("apply", "-", "--format", "json", host=engine.url, stdin=text)
    assert (second.status, outcomes(second)) == (0, {("volume", "data"): ("gone", "gone since, or never there")})


@ENOUGH
@pytest.mark.on_engines("docker-20.10", "docker-26.1", "docker-28.5", "docker-28.5-containerd")
def test_what_a_job_used_that_came_and_went_since_is_skipped(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    litter.base()
    for name in ("cache", "free"):
        litter.volume(name)
    save_plan(engine.url, tmp_path / "plan.json", *ALL, "--kind", "volume")
    next_second()
    engine.docker("run", "--rm", "--name", "nightly", "--volume", "cache:/c:ro", "busybox", "/bin/sh", "-c", "exit 0")
    told = outcomes(dockersweep("apply", str(tmp_path / "plan.json"), "--format", "json", host=engine.url))
    assert told["volume", "free"] == ("removed", None)
    assert told["volume", "cache"][0] == "skipped"
    assert str(told["volume", "cache"][1]).startswith("used since the plan was made: last used ")
    assert str(told["volume", "cache"][1]).endswith(" by nightly (removed)")


@ENOUGH
def test_what_is_used_since_and_what_is_protected_since_is_skipped(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    for name in ("used", "protected", "free"):
        litter.volume(name, size=1000)
    save_plan(engine.url, tmp_path / "plan.json", *ALL, "--kind", "volume")
    litter.container("late", state="created", volumes={"used": "/data"})
    run = dockersweep("apply", str(tmp_path / "plan.json"), "--keep-name", "prot*", "--format", "json", host=engine.url)
    told = outcomes(run)
    assert run.status == 0
    assert told["volume", "free"] == ("removed", None)
    assert told["volume", "used"][0] == told["volume", "protected"][0] == "skipped"
    assert str(told["volume", "used"][1]).startswith("in use: used by container late")
    assert str(told["volume", "protected"][1]).startswith("protection: ")
    left = engine.docker("volume", "ls", "-q").stdout.split()
    assert {"used", "protected"} <= set(left)
    assert "free" not in left


@pytest.mark.on_engines("docker-28.5")
def test_a_plan_is_for_its_engine_alone(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    litter.volume("data")
    plan = save_plan(engine.url, tmp_path / "plan.json", *ALL, "--kind", "volume")
    other = tmp_path / "other.json"
    other.write_text(json.dumps(plan | {"engine": plan["engine"] | {"id": "ANOTHER"}}))
    run = dockersweep("apply", str(other), host=engine.url)
    assert (run.status, run.stdout) == (4, "")
    assert f"{other} is a plan for the docker engine" in run.stderr
    assert "(id ANOTHER" in run.stderr
    assert "data" in engine.docker("volume", "ls", "-q").stdout.split()


def apply_changed(tmp_path: Path, change: Any, *flags: str) -> Run:
    """Save a plan for two stopped containers, change its text, and apply it."""
    with fake_engine() as engine:
        with_containers(engine, "a", "b")
        path = tmp_path / "plan.json"
        plan = save_plan(engine.url, path, "--older-than", "0s", "--no-ledger")
        changed = change(plan, path.read_text())
        path.write_text(changed if isinstance(changed, str) else json.dumps(changed))
        flags = ("--no-ledger", "--yes-first-time", *flags)
        run = dockersweep("apply", str(path), *flags, host=engine.url)
        assert run.status == 0 or not [path for method, path in engine.asked if method != "GET"]
    return run


def earlier(plan: Any, **length: float) -> Any:
    instant = timedelta(**length)
    from dockersweep.units import format_instant, parse_instant

    taken = parse_instant(plan["taken_at"])
    assert taken is not None
    return plan | {"taken_at": format_instant(taken - instant)}


def test_an_old_plan_is_refused_unless_its_age_is_allowed(tmp_path: Path) -> None:
    run = apply_changed(tmp_path, lambda plan, _: earlier(plan, hours=25))
    assert run.status == 4
    assert run.stderr == (
        f"dockersweep: nothing removed: {tmp_path}/plan.json is 25 hours old, over 24 hours; make a new plan, or "
        "raise --max-age\n"
    )


def test_a_plan_from_the_future_is_refused(tmp_path: Path) -> None:
    run = apply_changed(tmp_path, lambda plan, _: earlier(plan, hours=-2))
    assert run.status == 4
    assert "a clock is wrong" in run.stderr


def test_a_plan_that_was_over_its_limit_is_refused(tmp_path: Path) -> None:
    run = apply_changed(tmp_path, lambda plan, _: plan | {"limits": {"exceeded": ["2 objects to remove, 1 allowed"]}})
    assert run.status == 4
    assert (
        "it was over a limit of the default policy and command-line flags: 2 objects to remove, 1 allowed" in run.stderr
    )


def test_a_limit_of_now_is_held(tmp_path: Path) -> None:
    run = apply_changed(tmp_path, lambda plan, text: text, "--max-objects", "1")
    assert run.status == 4
    assert "2 objects to remove, 1 allowed" in run.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plan, text: "", "plan.json is empty; it should hold a dockersweep.plan/1 document"),
        (lambda plan, text: text[:200], "plan.json is not whole JSON"),
        (lambda plan, text: {"schema": "dockersweep.inventory/1"}, "a dockersweep.plan/1 document is needed"),
        (lambda plan, text: plan | {"schema": "dockersweep.plan/2"}, "newer than this dockersweep reads"),
        (lambda plan, text: plan | {"removals": None}, "plan.json is not a valid dockersweep.plan/1 document"),
    ],
)
def test_a_damaged_plan_is_refused_with_its_path(tmp_path: Path, change: Any, said: str) -> None:
    run = apply_changed(tmp_path, change)
    assert (run.status, run.stdout) == (2, "")
    assert said in run.stderr
    assert str(tmp_path) in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    run = dockersweep("apply", str(tmp_path / "none.json"), host="unix:///nowhere")
    assert (run.status, run.stderr) == (
        2, f"dockersweep: the plan {tmp_path}/none.json cannot be read: No such file or directory\n",
    )  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="only root distrusts")
def test_a_plan_that_others_can_write_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("{}")
    path.chmod(0o666)
    run = dockersweep("apply", str(path), host="unix:///nowhere")
    assert run.status == 2
    assert "can be written by others than root, who could have root remove what they like" in run.stderr


def test_a_removal_without_its_fingerprint_is_skipped_and_the_rest_goes(tmp_path: Path) -> None:
    def forge(plan: Any, text: str) -> Any:
        plan["removals"][0]["fingerprint"]["finished_at"] = None
        return plan

    with fake_engine() as engine:
        with_containers(engine, "a", "b")
        path = tmp_path / "plan.json"
        plan = save_plan(engine.url, path, "--older-than", "0s", "--no-ledger")
        path.write_text(json.dumps(forge(plan, "")))
        engine.replies["/containers/a"] = engine.replies["/containers/b"] = (204, b"")
        flags = ("--no-ledger", "--yes-first-time", "--format", "json")
        run = dockersweep("apply", str(path), *flags, host=engine.url)
        assert [asked for asked in engine.asked if asked[0] == "DELETE"] == [("DELETE", "/containers/b")]
    assert run.status == 0
    assert outcomes(run)["container", "a"][0] == "skipped"


def test_the_ledger_keeps_tags_as_the_engine_tells_them_in_whatever_order_they_go(tmp_path: Path) -> None:
    told = {"Id": "sha256:a", "RepoTags": ["app:1", "app:2"], "Size": 5, "Created": 1}
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'version = 1\n[[rule]]\nname = "first"\nkind = "image"\nmatch.tag = "1"\nremove.older_than = "0s"\n'
    )
    with fake_engine() as engine:
        engine.replies["/images/json"] = reply([told])
        engine.replies["/images/sha256:a/json"] = engine.replies["/images/app:1/json"] = reply(told)
        save_plan(engine.url, tmp_path / "plan.json", "--policy", str(policy))
        dockersweep("apply", str(tmp_path / "plan.json"), host=engine.url)
    [removal] = dockersweep("history", "1", "--format", "json").json()["removals"]
    assert (removal["name"], removal["recognition"]["tags"]) == ("app:1", ["app:1", "app:2"])
