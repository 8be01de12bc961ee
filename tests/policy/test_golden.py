"""Our own policy tests, each named for what it shows; what holds of every plan is asserted of each of them."""

import tomllib
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from msgspec import Struct
from msgspec.structs import fields, replace

from dockersweep.commands.policy_test import find_cases, run_file
from dockersweep.model import policyfile
from dockersweep.model.documents import read_document
from dockersweep.model.inventory import (
    STOPPED_STATES,
    BuildCacheRecord,
    Container,
    Image,
    Inventory,
    Network,
    ObjectRef,
    Volume,
)
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import Plan
from dockersweep.policy.judging.hard_protections import SWARM_TASK
from dockersweep.policy.judging.policy_protections import PolicyProtections
from dockersweep.policy.judging.services import ServiceHolds
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.testing.cases import CaseRun
from dockersweep.words.documents import write_document
from dockersweep.words.reasons import reason_text
from tests.rig.inventories import as_read, plan_of

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = find_cases(str(GOLDEN)).cases
Held = TypeVar("Held", Image, Volume, Network)
MATCH_TEXT = {"order/first_that_removes", "flags/kind"}
"""The cases that expect reasons by their words."""


@pytest.mark.parametrize("path", CASES, ids=lambda path: str(path.relative_to(GOLDEN).with_suffix("")))
def test_golden(path: Path) -> None:
    shows, run = run_file(path, None)
    assert not run.differences, "\n".join([shows, *run.differences])
    every_object_has_one_decision_with_reasons(run)
    nothing_is_removed_that_must_stay(run)
    removals_are_the_decisions(run)
    what_comes_back_is_an_interval(run)
    the_order_of_the_input_does_not_matter(run)
    assert read_document(write_document(run.plan).encode(), Plan, "the plan") == as_read(run.plan)
    if run.policy.target is None:
        again = plan_of(after(run), run.policy, run.plan.now, run.declarations)
        assert not again.removals, "what is left would not be left a second time"


def gone(run: CaseRun) -> set[ObjectRef]:
    return {one.ref for one in run.plan.removals if one.action == "remove"}


def every_object_has_one_decision_with_reasons(run: CaseRun) -> None:
    decided = [one.ref for one in run.plan.decisions]
    assert len(decided) == len(set(decided))
    assert set(decided) == {ref_of(seen) for seen in objects_of(run.inventory)}
    assert all(reason.rule and reason_text(reason) for one in run.plan.decisions for reason in one.reasons)
    assert all(one.reasons for one in run.plan.decisions)


def nothing_is_removed_that_must_stay(run: CaseRun) -> None:
    going = gone(run)
    survey = Survey(run.inventory, run.plan.now)
    protected = PolicyProtections(run.policy.protections, ServiceHolds(run.inventory), survey.listing)
    for held, holds in survey.holders.items():
        assert held not in going or all(hold.by in going for hold in holds), f"{held} is in use"
    for seen in objects_of(run.inventory):
        decision = next(one for one in run.plan.decisions if (one.kind, one.id) == (ref_of(seen).kind, ref_of(seen).id))
        if decision.verdict == "keep" and not decision.untag:
            continue
        assert survey.listing.place(ref_of(seen)) not in protected.of_kind(decision.kind)
        assert decision.kind in run.policy.kinds
        if decision.verdict == "remove":
            assert not {one.code for one in decision.reasons} & {"kept", "in-use", "protected", "too-young"}
        match seen:
            case Container():
                assert seen.state in STOPPED_STATES
                assert seen.id != run.inventory.own_container_id
                assert seen.unread is None
                assert SWARM_TASK not in seen.labels
            case Network():
                assert not seen.predefined
                assert seen.scope == "local"
            case BuildCacheRecord():
                assert not seen.in_use


def removals_are_the_decisions(run: CaseRun) -> None:
    decisions = run.plan.decisions
    assert gone(run) == {one.ref for one in decisions if one.verdict == "remove"}
    untagged = {(one.id, one.name) for one in run.plan.removals if one.action == "untag"}
    going = gone(run)
    # Of an image that goes the last tag goes with it.
    expected = {(one.id, tag) for one in decisions for tag in one.untag}
    expected |= {(one.id, tag) for one in run.inventory.images if ref_of(one) in going for tag in one.tags[1:]}
    assert untagged == expected


def what_comes_back_is_an_interval(run: CaseRun) -> None:
    for interval in (run.plan.reclaim, *(one.reclaim for one in run.plan.removals)):
        assert interval.high_bytes is None or interval.low_bytes <= interval.high_bytes
    assert sum(one.reclaim.low_bytes for one in run.plan.removals) <= run.plan.reclaim.low_bytes


def the_order_of_the_input_does_not_matter(run: CaseRun) -> None:
    other = plan_of(shuffled(run.inventory), run.policy, run.plan.now, run.declarations)
    assert other.decisions == run.plan.decisions
    assert other.removals == run.plan.removals
    assert other.reclaim == run.plan.reclaim


def shuffled(inventory: Inventory) -> Inventory:
    random = Random(0)
    return replace(
        inventory,
        containers=tuple(random.sample(inventory.containers, len(inventory.containers))),
        images=tuple(random.sample(inventory.images, len(inventory.images))),
        volumes=tuple(random.sample(inventory.volumes, len(inventory.volumes))),
        networks=tuple(random.sample(inventory.networks, len(inventory.networks))),
        build_cache=tuple(random.sample(inventory.build_cache or (), len(inventory.build_cache or ()))),
    )


def after(run: CaseRun) -> Inventory:
    """The inventory as it is when all of the plan has been carried out."""
    going = gone(run)
    untag = {one.id: one.untag for one in run.plan.decisions}
    seen = run.inventory

    def left(image: Image) -> Image:
        return replace(image, tags=tuple(tag for tag in image.tags if tag not in untag[image.id]))

    # The ledger knows since when what a removed container held is unused.
    holders = Survey(seen, run.plan.now).holders
    freed = {held for held, holds in holders.items() if any(hold.by in going for hold in holds)}

    def unused(items: tuple[Held, ...]) -> tuple[Held, ...]:
        there = (one for one in items if ref_of(one) not in going)
        return tuple(replace(one, first_seen_unused_at=run.plan.now) if ref_of(one) in freed else one for one in there)

    return replace(
        seen,
        containers=tuple(one for one in seen.containers if ref_of(one) not in going),
        images=tuple(map(left, unused(seen.images))),
        volumes=unused(seen.volumes),
        networks=unused(seen.networks),
        build_cache=tuple(one for one in seen.build_cache or () if ref_of(one) not in going),
    )


def test_each_golden_case_shows_something_else() -> None:
    told = [tomllib.loads(path.read_text())["shows"] for path in CASES]
    assert len(told) == len(set(told)) >= 40


def test_few_golden_cases_match_the_words_of_reasons() -> None:
    assert {path.relative_to(GOLDEN).with_suffix("").as_posix() for path in CASES if matches_text(path)} == MATCH_TEXT


def matches_text(path: Path) -> bool:
    """Whether a case expects a reason by its words."""
    tables = [one for value in tomllib.loads(path.read_text()).values() if isinstance(value, list) for one in value]
    whys = [one["why"] for one in tables if "why" in one]
    return any(isinstance(why, str) for one in whys for why in (one if isinstance(one, list) else [one]))


@cache
def written() -> dict[type[Struct], set[str]]:
    """The keys that golden cases use of each table of a policy."""
    policies = [tomllib.loads(path.read_text()).get("policy", {}) for path in CASES]
    tables: list[dict[str, Any]] = [one for one in policies if isinstance(one, dict)]
    rules = [rule for one in tables for rule in one.get("rule", [])]
    return {
        policyfile.PolicyFile: {key for one in tables for key in one},
        policyfile.ProtectTable: {key for one in tables for key in one.get("protect", {})},
        policyfile.LimitsTable: {key for one in tables for key in one.get("limits", {})},
        policyfile.TargetTable: {key for one in tables for key in one.get("target", {})},
        policyfile.ArchiveTable: {key for one in tables for key in one.get("archive", {})},
        policyfile.RuleTable: {key for rule in rules for key in rule},
        policyfile.MatchTable: {key for rule in rules for key in rule.get("match", {})},
        policyfile.KeepTable: {key for rule in rules for key in rule.get("keep", {})},
        policyfile.RemoveTable: {key for rule in rules for key in rule.get("remove", {})},
    }


@pytest.mark.parametrize(
    "table",
    [
        policyfile.ProtectTable,
        policyfile.LimitsTable,
        policyfile.TargetTable,
        policyfile.ArchiveTable,
        policyfile.RuleTable,
        policyfile.MatchTable,
        policyfile.KeepTable,
        policyfile.RemoveTable,
    ],
)
def test_a_golden_case_shows_every_key_of_the_language(table: type[Struct]) -> None:
    assert {field.encode_name for field in fields(table)} == written()[table]
