"""What an engine refuses in three runs in a row, with the same words, is kept for a week and not offered for ever."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dockersweep.ledger import Ledger
from dockersweep.ledger.refusals import gist_of
from dockersweep.model.attempt import outcome_for
from dockersweep.model.inventory import Inventory, Object, Refusal
from dockersweep.model.plan import Decision, Removal
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.units import parse_age
from dockersweep.words.reasons import reason_text
from tests.commands.test_guard_rails import removable
from tests.ledger.past_runs import PLAN, SEEN, START
from tests.rig.engines.litter import Litter
from tests.rig.fake_engine import FakeEngine, fake_engine, reply
from tests.rig.faults import REMOVING_FAULTS
from tests.rig.faulty_proxy import Strike, faulty
from tests.rig.inventories import NOW, ago, container, image, inventory, plan_of, volume
from tests.rig.running import Run, dockersweep

FLAGS = ("--older-than", "0s")
VOLUMES = ("--named-volumes", "--kind", "volume", *FLAGS)


# The policy.


def refusal(kind: Any, name: str, *, action: Any = "remove", runs: int = 3, at: datetime = NOW) -> Refusal:
    return Refusal(kind=kind, id=name, action=action, name=name, text="it is used", runs=runs, refused_at=at)


def decide(*objects: Object, refusals: tuple[Refusal, ...] | None, retry: bool = False) -> dict[str, Decision]:
    flags = PolicyFlags(older_than=parse_age("0s"), all_images=True, named_volumes=True, retry_refused=retry)
    seen: Inventory = replace(inventory(*objects), refusals=refusals)
    return {one.id: one for one in plan_of(seen, policy_from_flags(flags), NOW).decisions}


def test_it_is_kept_with_what_it_holds_and_its_neighbour_goes() -> None:
    web = container("web", image="sha256:i", volumes=("data",))
    seen = (web, container("other"), image("i", "app:1"), image("o", "app:2"), volume("data"), volume("free"))
    told = decide(*seen, refusals=(refusal("container", "web", at=ago(days=1)),))
    assert {name for name, one in told.items() if one.verdict == "remove"} == {"other", "sha256:o", "free"}
    (reason,) = told["web"].reasons
    assert (reason.code, reason.rule) == ("refused", "protected")
    assert reason_text(reason) == (
        "the engine refused it in 3 runs: it is used (tried again on 2026-11-30, or with --retry-refused)"
    )


@pytest.mark.parametrize(
    ("refusals", "retry"),
    [
        ((refusal("volume", "data", runs=2),), False),
        ((refusal("volume", "data", at=ago(days=7)),), False),
        ((refusal("volume", "data"),), True),
        ((refusal("container", "data"),), False),
        ((refusal("volume", "other"),), False),
        ((), False),
        (None, False),
    ],
)
def test_what_was_not_refused_so_often_or_so_lately_goes(refusals: tuple[Refusal, ...] | None, retry: bool) -> None:
    assert decide(volume("data"), refusals=refusals, retry=retry)["data"].verdict == "remove"


def test_of_an_image_a_tag_or_the_whole() -> None:
    two = image("i", "app:1", "app:2")
    tag = replace(refusal("image", "sha256:i", action="untag"), name="app:1")
    told = decide(two, refusals=(tag,))["sha256:i"]
    assert (told.verdict, told.untag) == ("keep", ("app:2",))
    whole = replace(refusal("image", "sha256:i"), name="app:2")
    told = decide(two, image("d"), refusals=(whole, refusal("image", "sha256:d")))["sha256:i"]
    assert (told.verdict, told.untag, [one.code for one in told.reasons]) == ("keep", (), ["refused"])


# The ledger.


def told_by(ledger: Ledger, now: datetime = NOW) -> list[tuple[str, str, int]]:
    refusals = ledger.update_objects(SEEN, (), now).refusals
    assert refusals is not None
    return sorted((one.name, one.text, one.runs) for one in refusals)


def run(ledger: Ledger, *became: tuple[Removal, str | None]) -> None:
    """Write a run in which each of these was refused with these words, or else removed."""
    record = ledger.begin(START)
    record.plan(PLAN, SEEN)
    for removal, words in became:
        outcome = outcome_for(removal, "removed" if words is None else "skipped", words)
        record.ended(removal, replace(outcome, refusal=words))
    record.finish(0, NOW, None, None)


def skipped(ledger: Ledger, removal: Removal) -> None:
    """Write a run that let this be without asking the engine."""
    record = ledger.begin(START)
    record.plan(PLAN, SEEN)
    record.ended(removal, outcome_for(removal, "skipped", "changed since it was judged"))
    record.finish(0, NOW, None, None)


def test_runs_in_a_row_with_the_same_words_are_counted(tmp_path: Path) -> None:
    first, second = PLAN.removals[:2]
    with Ledger(tmp_path) as ledger:
        for used_by in ("3f2a9c01bb7d", "77aa01cc99e0"):
            run(ledger, (first, f"used by container {used_by}"), (second, "it is busy"))
        assert told_by(ledger) == sorted(
            [(first.name, "used by container 77aa01cc99e0", 2), (second.name, "it is busy", 2)]
        )
        run(ledger, (first, "used by container 000000000000"), (second, "it is used by a build"))
        assert told_by(ledger) == sorted(
            [(first.name, "used by container 000000000000", 3), (second.name, "it is used by a build", 1)]
        )
        skipped(ledger, first)
        assert [runs for name, _, runs in told_by(ledger) if name == first.name] == [3]
        run(ledger, (first, None))
        assert [name for name, _, _ in told_by(ledger)] == [second.name]


def test_what_is_gone_takes_it_along(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.update_objects(SEEN, (), NOW)
        run(ledger, (PLAN.removals[0], "it is busy"))
        assert len(told_by(ledger)) == 1
        assert ledger.update_objects(inventory(), (), NOW + timedelta(days=1)).refusals == ()
        assert told_by(ledger, NOW + timedelta(days=2)) == []


def test_ids_and_numbers_do_not_make_other_words() -> None:
    assert gist_of("Container 3F2A9C01BB7D uses 2 layers") == gist_of("container 3f2a9c01bb7e uses 17 layers")
    assert gist_of("volume web is used") != gist_of("volume db is used")


# Runs.


def sweep(engine: FakeEngine, *flags: str) -> Run:
    return dockersweep("sweep", "--yes", "--yes-first-time", "--format", "json", *FLAGS, *flags, host=engine.url)


def deletes(engine: FakeEngine) -> list[str]:
    asked = [path for method, path in engine.asked if method == "DELETE"]
    engine.asked.clear()
    return asked


def test_the_fourth_run_does_not_ask_again(tmp_path: Path) -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        engine.replies["/containers/a"] = reply({"message": "container is\x1b[2J held by 17"}, 409)
        for number in range(3):
            assert dockersweep("plan", "--exit-code", *FLAGS, host=engine.url).status == 10
            document = sweep(engine).json()
            assert document["outcomes"][0]["refusal"] == "container is\x1b[2J held by 17", number
        assert deletes(engine) == ["/containers/a"] * 3
        assert sweep(engine).json()["outcomes"] == []
        plan = dockersweep("plan", "--exit-code", "--verbose", *FLAGS, host=engine.url)
        assert plan.status == 0
        assert "the engine refused it in 3 runs: container is\\x1b[2J held by 17" in plan.stdout
        explained = dockersweep("explain", "container:a", "--format", "json", *FLAGS, host=engine.url).json()
        assert explained["forecast"]["when"] == "later"
        assert deletes(engine) == []

        scan = dockersweep("scan", "--format", "json", host=engine.url)
        (tmp_path / "scan").write_text(scan.stdout)
        assert dockersweep("plan", "--exit-code", *FLAGS, "--inventory", str(tmp_path / "scan")).status == 0

        path = ("--format", "json", "-o", str(tmp_path / "plan"))
        assert dockersweep("plan", "--retry-refused", *path, *FLAGS, host=engine.url).status == 0
        engine.replies["/containers/a"] = (204, b"")
        assert dockersweep("apply", str(tmp_path / "plan"), host=engine.url).status == 0
        assert deletes(engine) == ["/containers/a"]


def test_a_saved_plan_is_judged_anew(tmp_path: Path) -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        engine.replies["/containers/a"] = reply({"message": "held"}, 409)
        path = str(tmp_path / "plan")
        dockersweep("plan", *FLAGS, "--format", "json", "-o", path, host=engine.url)
        for _ in range(3):
            sweep(engine)
        assert len(deletes(engine)) == 3
        run = dockersweep("apply", path, "--format", "json", host=engine.url)
        (outcome,) = run.json()["outcomes"]
        assert (run.status, outcome["status"]) == (0, "skipped")
        assert outcome["detail"].startswith("protected: the engine refused it in 3 runs: held")
        # Nobody asked the engine, so nothing is forgotten.
        assert dockersweep("plan", "--exit-code", *FLAGS, host=engine.url).status == 0
        assert deletes(engine) == []
        assert sweep(engine, "--retry-refused").json()["outcomes"][0]["status"] == "skipped"
        assert deletes(engine) == ["/containers/a"]


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        # A failure is no refusal, and a proxy is not the engine: both are told in every run.
        (reply({"message": "device busy"}, 500), 4),
        (reply({"message": "no DELETE here"}, 403), 4),
        (reply({"message": "held"}, 409), 3),
    ],
)
def test_what_only_fails_is_tried_in_every_run(answer: Any, asked: int) -> None:
    with fake_engine() as engine:
        removable(engine, "a", "b")
        engine.replies["/containers/a"] = answer
        for _ in range(4):
            sweep(engine)
        assert deletes(engine).count("/containers/a") == asked


def test_without_a_ledger_nothing_is_remembered() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        engine.replies["/containers/a"] = reply({"message": "held"}, 409)
        for _ in range(4):
            sweep(engine, "--no-ledger")
        assert deletes(engine) == ["/containers/a"] * 4


def test_on_real_engines(litter: Litter) -> None:
    """Nothing that a real engine refuses night after night is unseen here, so a proxy refuses in its place."""
    litter.volume("held")
    fault = next(one for one in REMOVING_FAULTS if one.name == "409")
    with faulty(litter.engine.recorder.path) as proxy:
        for _ in range(3):
            proxy.begin(Strike(fault, "DELETE", "/volumes/held"))
            run = dockersweep("sweep", "--yes", "--yes-first-time", *VOLUMES, host=proxy.url)
            assert (run.status, proxy.struck != []) == (0, True), run
        proxy.begin()
        litter.volume("free")
        assert dockersweep("sweep", "--yes", *VOLUMES, host=proxy.url).status == 0
        assert volumes(litter) == ["held"]
        assert dockersweep("plan", "--exit-code", *VOLUMES, host=proxy.url).status == 0
        assert dockersweep("sweep", "--yes", "--retry-refused", *VOLUMES, host=proxy.url).status == 0
        assert volumes(litter) == []


@pytest.mark.on_engines("docker-28.5", "podman-5.8")
def test_podman_answers_500_to_what_it_refuses(litter: Litter) -> None:
    """Docker only to what failed, which is tried, and told, in every run."""
    litter.volume("held")
    fault = next(one for one in REMOVING_FAULTS if one.name == "500 JSON, not heard")
    statuses = []
    with faulty(litter.engine.recorder.path) as proxy:
        for _ in range(4):
            proxy.begin(Strike(fault, "DELETE", "/volumes/held"))
            run = dockersweep("sweep", "--yes", "--yes-first-time", *VOLUMES, host=proxy.url)
            statuses.append(run.status)
    assert volumes(litter) == ["held"]
    assert statuses == ([3, 3, 3, 0] if litter.engine.kind.flavour == "podman" else [3, 3, 3, 3])


def volumes(litter: Litter) -> list[str]:
    return [one["Name"] for one in litter.engine.wire.call("GET", "/volumes")["Volumes"] or []]
