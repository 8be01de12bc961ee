"""What is predicted is what comes back: every scenario on every engine, with its disk in reach and from afar."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.hosts import ON_BTRFS, ON_SEVERAL, Host
from tests.rig.engines.kinds import KINDS, is_its_share, kind
from tests.rig.engines.litter import Litter
from tests.rig.engines.scenarios import SCENARIOS, Scenario, Step
from tests.rig.engines.truth import Used, used_below
from tests.rig.engines.truth_remote import far_away
from tests.rig.engines.truth_trial import Interval, Prediction, Trial, faults, put_on_trial
from tests.rig.running import dockersweep

# What takes an engine ten seconds to make, and several disks below older engines, are left to `tests/bench/truth`.
HOSTS = [one for one in (*ON_SEVERAL, ON_BTRFS) if one.kind.name not in ("docker-20.10", "docker-26.1", "podman-5.8")]
ELSEWHERE = [one for one in SCENARIOS if one.name in ("shared base", "volumes", "leaks", "last layers")]
QUICK = [scenario for scenario in SCENARIOS if not scenario.slow]


def document(*words: str, host: str) -> Any:
    run = dockersweep(*words, host=host)
    assert run.status == 0, run.stderr
    return run.json()


# Of Podman the newest is enough, and of the Dockers that keep layers alike each has its share.
@pytest.mark.enough_on(*(one.name for one in KINDS if one.name != "podman-5.8"))
@pytest.mark.parametrize("scenario", QUICK, ids=str)
def test_what_is_predicted_comes_back(
    engine: Engine,
    litter: Litter,
    scenario: Scenario,
    record_property: Callable[[str, object], None],
    pytestconfig: pytest.Config,
) -> None:
    if not pytestconfig.getoption("--every-engine") and not is_its_share(engine.kind, QUICK.index(scenario)):
        pytest.skip("on other engines; on this one with --every-engine")
    scenario.litter(litter)
    found = []
    for step in scenario.steps:
        trial = put_on_trial(engine, step, document)
        record_property(f"{scenario}: {step.what}", json.dumps(trial.tells()))
        found += [f"{step.what}: {fault}" for fault in faults(trial)]
    assert not found, "\n".join(found)


def its_share(host: Host) -> list[Scenario]:
    """What a host meets in every run: where there are several of its kind, what is about that which lies apart."""
    if [one.kind for one in HOSTS].count(host.kind) == 1:
        return ELSEWHERE
    names = ("volumes", "leaks") if host.disks[0].at == "volumes" else ("shared base", "last layers")
    return [one for one in ELSEWHERE if one.name in names]


@pytest.mark.engines
@pytest.mark.parametrize("host", HOSTS, ids=str)
def test_what_is_predicted_comes_back_from_wherever_it_lies(host: Host, pytestconfig: pytest.Config) -> None:
    found = []
    with host.engine() as engine:
        for scenario in ELSEWHERE if pytestconfig.getoption("--every-engine") else its_share(host):
            engine.wipe()
            scenario.litter(Litter(engine))
            for step in scenario.steps:
                trial = put_on_trial(engine, step, document)
                found += [f"{scenario}, {step.what}: {fault}" for fault in faults(trial)]
    assert not found, "\n".join(found)


@pytest.mark.on_engines("docker-20.10", "docker-26.1", "docker-28.5")
def test_from_afar_the_answers_prove_which_layers_went(engine: Engine, litter: Litter) -> None:
    litter.image("base:1", layers={"base": 2_000_000})
    litter.image("app:1", layers={"base": 2_000_000, "app": 300_000, "more": 40_000})
    litter.image("job:1", layers={"base": 2_000_000, "job": 5_000})
    flags = ("--all-images", "--kind", "image", "--older-than", "0s", "--keep-image", "base")
    with far_away(engine.recorder.path) as url:
        told = document("sweep", "--yes", "--format", "json", *flags, host=url)
    freed = {one["name"]: one["freed_bytes"] for one in told["outcomes"]}
    assert freed == {"app:1": 340_000, "job:1": 5_000}
    assert told["reclaimed"]["measured_bytes"] == 345_000
    assert told["reclaimed"]["measured_by"] == "answers"
    assert told["size_base"] == "lengths"


# The judge itself: it must be able to say no.


def trial_of(low: int, high: int, freed: int, *, stays: bool = False, engine: str = "docker-28.5") -> Trial:
    """A trial in which both predictions said so, of one image, and so much came back in every base."""
    told = Interval(low, high)
    near = Prediction("disk", told, (("image", told),))
    step = Step("a step", (), "stays" if stays else "none")
    far = dataclasses.replace(near, base="lengths")
    reclaimed = {"measured_by": "disk", "measured_bytes": freed, "surprises": []}
    outcome = {"reclaimed": reclaimed, "outcomes": [{"freed_bytes": None}, {"freed_bytes": freed}]}
    return Trial(kind(engine), step, near, far, Used(freed, freed), freed, freed, outcome)


def test_the_judge_finds_nothing_wrong_with_the_truth() -> None:
    assert list(faults(trial_of(20_000_000, 20_000_000, 20_000_000))) == []
    assert list(faults(trial_of(19_000_000, 20_500_000, 20_000_000, stays=True))) == []
    assert list(faults(trial_of(14_000_000, 20_000_000, 20_000_000, engine="docker-28.5-containerd"))) == []


@pytest.mark.parametrize(
    ("trial", "fault"),
    [
        (trial_of(20_000_000, 20_000_000, 20_300_000), "is off by -300,000"),
        (trial_of(100_000, 100_000, 0), "is off by 100,000"),
        (trial_of(19_999_999, 20_000_000, 20_000_000), "leaves 1 open, and 0 are allowed"),
        (trial_of(17_000_000, 20_000_000, 20_000_000, stays=True), "leaves 3000000 open, and 2000000 are allowed"),
        (trial_of(20_000_001, 20_000_001, 20_000_000), "the engine's metadata say 20,000,000"),
    ],
)
def test_the_judge_finds_what_is_wrong(trial: Trial, fault: str) -> None:
    assert any(fault in found for found in faults(trial)), list(faults(trial))


@pytest.mark.parametrize(
    ("reclaimed", "fault"),
    [
        ({"measured_bytes": None}, "after: it measured None by disk"),
        ({"measured_bytes": 19_000_000}, "after: it measured 19000000 by disk"),
        ({"measured_by": "answers"}, "by answers"),
        ({"surprises": ["still there: x"]}, "after: still there: x"),
    ],
)
def test_the_judge_holds_a_sweep_to_what_it_says(reclaimed: dict[str, object], fault: str) -> None:
    trial = trial_of(20_000_000, 20_000_000, 20_000_000)
    outcome = {**trial.outcome, "reclaimed": {**trial.outcome["reclaimed"], **reclaimed}}
    found = list(faults(dataclasses.replace(trial, outcome=outcome)))
    assert len(found) == 1
    assert fault in found[0]
    echo = {**trial.outcome, "outcomes": [{"freed_bytes": 21_000_000}]}
    assert "are proven" in next(faults(dataclasses.replace(trial, outcome=echo)))


def test_the_judge_adds_up_the_rows() -> None:
    trial = trial_of(100, 100, 100)
    short = dataclasses.replace(trial.near, rows=(("image", Interval(99, 99)),))
    assert list(faults(dataclasses.replace(trial, near=short))) == [
        "near: the rows add up to 99 to 99, and the total is 100 to 100"
    ]


def test_what_a_folder_takes_counts_holes_and_hard_links_as_the_disk_does(tmp_path: Path) -> None:
    empty = used_below(tmp_path)
    (tmp_path / "one").write_bytes(b"x" * 100_000)
    os.link(tmp_path / "one", tmp_path / "two")
    with (tmp_path / "hole").open("wb") as hole:
        hole.truncate(10_000_000)
    (tmp_path / "books.db").write_bytes(b"x" * 1_000_000)
    taken = used_below(tmp_path) - empty
    assert taken.lengths == 10_100_000
    assert 100_000 <= taken.disk < 200_000
