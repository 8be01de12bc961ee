"""What a plan says of a space target that it misses: what may not be removed, in figures, and why."""

from typing import Any

from msgspec.structs import replace

from dockersweep.model.attempt import outcome_for
from dockersweep.model.inventory import Object
from dockersweep.model.naming import ref_of
from dockersweep.model.plan import Plan
from dockersweep.model.policy import Policy, Protection, Protections, Target
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.planner import make_plan
from dockersweep.report.formats import formatted
from dockersweep.report.plan import plan_layout
from dockersweep.units import parse_age
from dockersweep.words.reasons import reason_text
from dockersweep.words.targets import no_more_words, not_archived_words, nothing_else_words
from tests.rig.inventories import NOW, ago, container, image, inventory, network, plan_of, volume

MEGABYTE = 1_000_000


NOTHING_PROTECTED = Protections()


def planned(*objects: Object, protections: Protections = NOTHING_PROTECTED, **of: Any) -> Plan:
    target = replace(Target(free_bytes=10**12, order=("image",), older_than=parse_age("1h")), **of)
    policy = Policy(source="a test", protections=protections, rules=(), target=target)
    return plan_of(inventory(*objects), policy, NOW)


def spared(plan: Plan) -> dict[str, tuple[int, int | None]]:
    """Kind and reason -> how many objects, and what they free."""
    assert plan.target is not None
    return {f"{one.kind} {one.why}": (one.objects, one.frees.high_bytes) for one in plan.target.spared}


def young(name: str, size: int) -> Any:
    return image(name, f"{name}:1", size=size * MEGABYTE, first_seen=ago(minutes=5))


def old(name: str, size: int) -> Any:
    return image(name, f"{name}:1", size=size * MEGABYTE, first_seen=ago(days=9))


def test_figures_say_what_stands_in_the_way() -> None:
    held, other = old("held", 70), old("other", 4)
    plan = planned(
        young("a", 100), young("b", 76), held, other,
        container("stopped", image=held.id, finished=ago(days=3), size=0),
        container("running", image=other.id, state="running", size=0),
    )  # fmt: skip
    assert spared(plan) == {
        "image younger than 1 hour (target.older_than)": (2, 176 * MEGABYTE),
        "image held by stopped containers": (1, 70 * MEGABYTE),
        "image held by running containers": (1, 4 * MEGABYTE),
    }
    text = (
        ": 2 images (176 MB) are younger than 1 hour (target.older_than), 1 image (70.0 MB) is held by stopped "
        "containers, 1 image (4.00 MB) is held by running containers"
    )
    assert nothing_else_words(plan, is_first=True) == f"nothing may be removed{text}"
    assert no_more_words(plan) == f"the policy allows no more{text}"
    shown = " ".join(formatted(plan_layout(plan, "grouped"), "table", 200).split())
    assert f"the policy allows no more{text}." in shown
    assert "4 images 2 in use, 2 younger than 1 hour (target.older_than)" in shown


def test_only_what_frees_the_most_is_named() -> None:
    named = Protection(pattern="safe", source="protect.images")
    there = replace(old("there", 60), in_registry=False)
    plan = planned(
        replace(young("a", 100), in_registry=True), old("named", 45), there, network("net"),
        container("stopped", image="sha256:named", finished=ago(days=3), size=40 * MEGABYTE),
        volume("empty", size=0), old("safe", 20),
        volume("data", size=30 * MEGABYTE), volume("more", size=20 * MEGABYTE),
        protections=Protections(images=(named,)), spare_registry_less="never",
    )  # fmt: skip
    assert nothing_else_words(plan, is_first=False) == (
        "nothing else may be removed: 1 image (100 MB) is younger than 1 hour (target.older_than), 1 image (60.0 MB) "
        "is not known to be in a registry (target.spare_registry_less), 2 volumes (50.0 MB) are not in target.order, "
        "3 other objects may not go either"
    )
    assert spared(plan)["image protected by the policy"] == (1, 20 * MEGABYTE)


def test_what_was_not_archived_stays_in_the_next_round_and_another_goes() -> None:
    first, second = old("first", 100), replace(old("second", 50), first_seen_unused_at=ago(days=5))
    target = Target(free_bytes=MEGABYTE, order=("image",), older_than=parse_age("1h"))
    policy = Policy(source="a test", protections=Protections(), rules=(), target=target)
    survey = Survey(inventory(first, second), NOW)
    assert [step.name for step in make_plan(survey, policy).removals] == ["first:1"]
    later = make_plan(replace(survey, not_archived=frozenset([ref_of(first)])), policy)
    assert [step.name for step in later.removals] == ["second:1"]
    [kept] = [one for one in later.decisions if one.verdict == "keep"]
    assert reason_text(kept.reasons[0]) == "it could not be archived earlier in this run"


def test_what_was_not_archived_is_named_once_with_its_cause() -> None:
    plan = planned(old("a", 100), old("b", 50))
    why = "not archived: no space left on device"
    unarchived = [replace(outcome_for(step, "skipped", why, None), is_not_archived=True) for step in plan.removals]
    assert not_archived_words(unarchived * 2) == f"image a:1 stays: {why}; 1 other object not archived"
    assert not_archived_words([outcome_for(plan.removals[0], "removed", None, 1)]) == ""


def test_nothing_is_said_of_a_target_that_is_reached_or_does_not_begin() -> None:
    reached = planned(young("a", 100), old("b", 50), free_bytes=1)
    assert reached.target is not None
    assert reached.target.reached
    assert not reached.target.spared
    not_begun = planned(young("a", 100), free_bytes=0)
    assert spared(not_begun) == {}


def test_an_engine_without_anything_that_uses_space_has_no_figures() -> None:
    assert nothing_else_words(planned(network("net")), is_first=True) == "nothing may be removed"
